using System.Linq;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Remove-StratoSwitch: removes a switch and its bridge; a bridge that another made stays.</summary>
[Cmdlet(VerbsCommon.Remove, "StratoSwitch", DefaultParameterSetName = NameSet, SupportsShouldProcess = true)]
[OutputType(typeof(void))]
public sealed class RemoveStratoSwitchCommand : StratoCmdlet
{
    private const string NameSet = "Name";
    private const string SwitchSet = "Switch";

    [Parameter(Mandatory = true, Position = 0, ParameterSetName = NameSet, ValueFromPipeline = true, HelpMessage = "Name of the switch; wildcards are allowed.")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(SwitchNameCompleter))]
    public string[] Name { get; set; } = null!;

    [Parameter(Mandatory = true, ParameterSetName = SwitchSet, ValueFromPipeline = true, HelpMessage = "Switch object, as Get-StratoSwitch returns it.")]
    [ValidateNotNull]
    public Switch[] Switch { get; set; } = null!;

    [Parameter(HelpMessage = "Remove it even where VMs have adapters on it.")]
    public SwitchParameter Force { get; set; }

    protected override void ProcessRecord()
    {
        if (ParameterSetName == SwitchSet)
        {
            foreach (Switch given in Switch)
            {
                Remove(given.Client, given.Name);
            }

            return;
        }

        foreach (string name in Name)
        {
            foreach (string found in Try(name, () => SwitchTarget.Find(Client, name))?.Select(definition => definition.Name) ?? [])
            {
                Remove(Client, found);
            }
        }
    }

    private void Remove(StratoClient client, string name) => Try(name, () =>
    {
        // Checked first, so that -WhatIf tells what would be refused.
        client.CheckSwitchRemoval(client.GetSwitch(name), Force);
        if (ShouldProcess(name, "Remove the switch"))
        {
            client.RemoveSwitch(name, Force, Token);
        }
    });
}
