using System.Linq;
using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Test-StratoHost: whether VMs run here, as a checklist.</summary>
[Cmdlet(VerbsDiagnostic.Test, "StratoHost")]
[OutputType(typeof(global::Strato.HostCheck), typeof(bool))]
public sealed class TestStratoHostCommand : StratoCmdlet
{
    [Parameter(HelpMessage = "Emit only whether nothing has failed; warnings don't count.")]
    public SwitchParameter Quiet { get; set; }

    protected override void EndProcessing()
    {
        if (Try(target: null, () => Client.TestHost(Token)) is not { } checks)
        {
            return;
        }

        if (Quiet)
        {
            WriteObject(checks.All(check => check.Result != global::Strato.Client.HostCheck.Failed));
            return;
        }

        foreach (global::Strato.Client.HostCheck check in checks)
        {
            WriteObject(new global::Strato.HostCheck(check));
        }
    }
}
