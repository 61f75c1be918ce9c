using System.Linq;
using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Set-StratoDrive: changes how a disk's requests are served; -Iops also while the VM runs.</summary>
[Cmdlet(VerbsCommon.Set, "StratoDrive", DefaultParameterSetName = VMSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class SetStratoDriveCommand : DriveIoCmdlet
{
    private const string DriveSet = "Drive";

    [Parameter(Mandatory = true, Position = 0, ParameterSetName = VMSet, HelpMessage = "Id of the disk; wildcards are allowed.")]
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = VMNameSet, HelpMessage = "Id of the disk; wildcards are allowed.")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(DriveIdCompleter))]
    public string[] Id { get; set; } = null!;

    [Parameter(Mandatory = true, ParameterSetName = DriveSet, ValueFromPipeline = true, HelpMessage = "Disk object, as Get-StratoDrive returns it.")]
    [ValidateNotNull]
    public Drive[]? Drive { get; set; }

    [Parameter(HelpMessage = "Emit the VM as it is after the action; by default nothing is emitted.")]
    public SwitchParameter PassThru { get; set; }

    protected override void ProcessRecord() => ProcessDevices(Drive?.Select(device => (device.Vm, device.Id)), Change);

    private protected override void Process(VmTarget vm) => Change(vm, Id);

    private void Change(VmTarget vm, string[] ids) =>
        ForDevices(DeviceFamily.Drives, vm, ids, "Change", id => vm.Client.SetDriveIo(vm.Id, id, Io, Token), PassThru);
}
