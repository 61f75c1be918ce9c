using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Get-StratoDrive: the disks of VMs.</summary>
[Cmdlet(VerbsCommon.Get, "StratoDrive", DefaultParameterSetName = VMSet)]
[OutputType(typeof(Drive))]
public sealed class GetStratoDriveCommand : VmDeviceCmdlet
{
    [Parameter(Position = 0, HelpMessage = "Id of the disk; wildcards are allowed. All disks if omitted.")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(DriveIdCompleter))]
    public string[]? Id { get; set; }

    private protected override void Process(VmTarget vm) => WriteDevices(DeviceFamily.Drives, vm, Id, drive => new Drive(vm, drive));
}
