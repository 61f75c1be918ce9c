using System.Linq;
using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Remove-StratoNetworkAdapter: takes a network interface from a VM, from a running one, too; the tap stays.</summary>
[Cmdlet(VerbsCommon.Remove, "StratoNetworkAdapter", DefaultParameterSetName = VMSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(Vm))]
public sealed class RemoveStratoNetworkAdapterCommand : VmDeviceCmdlet
{
    private const string AdapterSet = "NetworkAdapter";

    [Parameter(Mandatory = true, Position = 0, ParameterSetName = VMSet, HelpMessage = "Id of the adapter; wildcards are allowed.")]
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = VMNameSet, HelpMessage = "Id of the adapter; wildcards are allowed.")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(NetworkAdapterIdCompleter))]
    public string[] Id { get; set; } = null!;

    [Parameter(Mandatory = true, ParameterSetName = AdapterSet, ValueFromPipeline = true, HelpMessage = "Adapter object, as Get-StratoNetworkAdapter returns it.")]
    [ValidateNotNull]
    public NetworkAdapter[]? NetworkAdapter { get; set; }

    [Parameter(HelpMessage = "Change the running VM alone; its next start is as before.")]
    public SwitchParameter Transient { get; set; }

    [Parameter(HelpMessage = "Wait until a running VM's guest has looked at the change.")]
    public SwitchParameter Wait { get; set; }

    [Parameter(HelpMessage = "Seconds to wait before that is an error; for ever if omitted.")]
    [ValidateRange(0, int.MaxValue / 1000)]
    public int Timeout { get; set; }

    [Parameter(HelpMessage = "Emit the VM as it is after the action; by default nothing is emitted.")]
    public SwitchParameter PassThru { get; set; }

    protected override void ProcessRecord() => ProcessDevices(NetworkAdapter?.Select(device => (device.Vm, device.Id)), Remove);

    private protected override void Process(VmTarget vm) => Remove(vm, Id);

    private void Remove(VmTarget vm, string[] ids) =>
        ForDevices(DeviceFamily.NetworkAdapters, vm, ids, "Remove", id => vm.Client.RemoveNetworkAdapter(vm.Id, id, HotPlug(Transient, Wait, nameof(Timeout), Timeout), Token), PassThru, evenUndefined: Transient);
}
