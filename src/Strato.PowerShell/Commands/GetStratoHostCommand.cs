using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Get-StratoHost: what this host offers to VMs.</summary>
[Cmdlet(VerbsCommon.Get, "StratoHost")]
[OutputType(typeof(global::Strato.Host))]
public sealed class GetStratoHostCommand : StratoCmdlet
{
    protected override void EndProcessing()
    {
        if (Try(target: null, () => Client.GetHost(Token)) is { } info)
        {
            WriteObject(new global::Strato.Host(Client, info));
        }
    }
}
