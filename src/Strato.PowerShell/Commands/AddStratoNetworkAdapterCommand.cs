using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Add-StratoNetworkAdapter: gives a VM a network interface, a running one, too.</summary>
[Cmdlet(VerbsCommon.Add, "StratoNetworkAdapter", DefaultParameterSetName = VMSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class AddStratoNetworkAdapterCommand : NetworkAdapterCmdlet
{
    [Parameter(Position = 0, HelpMessage = "Tap of the host that the adapter leads to.")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(TapNameCompleter))]
    public string? TapName { get; set; }

    [Parameter(HelpMessage = "Id of the adapter, unique within the VM; the first free of net0 and net1 if omitted.")]
    [ValidateNotNullOrEmpty]
    public string? Id { get; set; }

    [Parameter(HelpMessage = "Change the running VM alone; its next start is as before.")]
    public SwitchParameter Transient { get; set; }

    [Parameter(HelpMessage = "Wait until a running VM's guest has looked at the change.")]
    public SwitchParameter Wait { get; set; }

    [Parameter(HelpMessage = "Seconds to wait before that is an error; for ever if omitted.")]
    [ValidateRange(0, int.MaxValue / 1000)]
    public int Timeout { get; set; }

    [Parameter(HelpMessage = "Emit the VM as it is after the action; by default nothing is emitted.")]
    public SwitchParameter PassThru { get; set; }

    private string Destination => TapName is not null ? $"the tap '{TapName}'" : SwitchName is not null ? $"the switch '{SwitchName}'" : "user networking";

    private protected override void Process(VmTarget vm) => Try(vm.Name, () =>
    {
        RefuseBoth(TapName);
        NetworkAdapterSettings settings = SettingsOf(TapName);
        if (TapName is null && SwitchName is null && Publish is not null)
        {
            // Nothing else has ports to publish.
            settings = settings with { User = true };
        }

        if (!ShouldProcess(vm.Name, $"Add a network adapter on {Destination}"))
        {
            return;
        }

        vm.Client.AddNetworkAdapter(vm.Id, settings, Id, HotPlug(Transient, Wait, nameof(Timeout), Timeout), Token);
        if (PassThru)
        {
            WriteNow(vm);
        }
    });
}
