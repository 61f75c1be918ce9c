using System.Linq;
using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Remove-StratoNetworkAdapter: takes a network interface from a stopped VM; the tap stays.</summary>
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

    [Parameter(HelpMessage = "Emit the VM as it is after the action; by default nothing is emitted.")]
    public SwitchParameter PassThru { get; set; }

    protected override void ProcessRecord() => ProcessDevices(NetworkAdapter?.Select(device => (device.Vm, device.Id)), Remove);

    private protected override void Process(VmTarget vm) => Remove(vm, Id);

    private void Remove(VmTarget vm, string[] ids) =>
        ForDevices(DeviceFamily.NetworkAdapters, vm, ids, "Remove", id => vm.Client.RemoveNetworkAdapter(vm.Id, id, Token), PassThru);
}
