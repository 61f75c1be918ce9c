using System.Linq;
using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Set-StratoNetworkAdapter: changes a stopped VM's network interface; -Connected also while the VM runs.</summary>
[Cmdlet(VerbsCommon.Set, "StratoNetworkAdapter", DefaultParameterSetName = VMSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class SetStratoNetworkAdapterCommand : NetworkAdapterCmdlet
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

    [Parameter(HelpMessage = "Tap of the host that the adapter leads to.")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(TapNameCompleter))]
    public string? TapName { get; set; }

    [Parameter(HelpMessage = "Emit the VM as it is after the action; by default nothing is emitted.")]
    public SwitchParameter PassThru { get; set; }

    protected override void ProcessRecord() => ProcessDevices(NetworkAdapter?.Select(device => (device.Vm, device.Id)), Change);

    private protected override void Process(VmTarget vm) => Change(vm, Id);

    private void Change(VmTarget vm, string[] ids) => Try(vm.Name, () =>
    {
        RefuseBoth(TapName);
        ForDevices(DeviceFamily.NetworkAdapters, vm, ids, "Change", id => vm.Client.SetNetworkAdapter(vm.Id, id, SettingsOf(TapName), Token), PassThru);
    });
}
