using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Get-StratoSwitch: the switches of this store.</summary>
[Cmdlet(VerbsCommon.Get, "StratoSwitch")]
[OutputType(typeof(Switch))]
public sealed class GetStratoSwitchCommand : StratoCmdlet
{
    [Parameter(Position = 0, ValueFromPipeline = true, HelpMessage = "Name of the switch; wildcards are allowed. All switches if omitted.")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(SwitchNameCompleter))]
    public string[]? Name { get; set; }

    protected override void ProcessRecord()
    {
        foreach (string? name in Name ?? [null!])
        {
            Try(name, () =>
            {
                foreach (SwitchDefinition definition in SwitchTarget.Find(Client, name))
                {
                    WriteObject(new Switch(Client, Client.GetSwitchInfo(definition)));
                }
            });
            foreach (StratoException damaged in name is null ? Client.FindDamagedSwitches() : [])
            {
                Try(damaged.Where, () => throw damaged);
            }
        }
    }
}
