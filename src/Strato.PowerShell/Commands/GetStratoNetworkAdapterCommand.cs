using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Get-StratoNetworkAdapter: the network interfaces of VMs.</summary>
[Cmdlet(VerbsCommon.Get, "StratoNetworkAdapter", DefaultParameterSetName = VMSet)]
[OutputType(typeof(NetworkAdapter))]
public sealed class GetStratoNetworkAdapterCommand : VmDeviceCmdlet
{
    [Parameter(Position = 0, HelpMessage = "Id of the adapter; wildcards are allowed. All adapters if omitted.")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(NetworkAdapterIdCompleter))]
    public string[]? Id { get; set; }

    private protected override void Process(VmTarget vm) =>
        WriteDevices(DeviceFamily.NetworkAdapters, vm, Id, adapter => new NetworkAdapter(vm, vm.Client.GetById(vm.Id), adapter));
}
