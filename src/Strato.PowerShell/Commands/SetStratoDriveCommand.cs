using System.Linq;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Set-StratoDrive: changes a disk of a stopped VM; -Iops also while the VM runs.</summary>
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

    [Parameter(HelpMessage = "Raw image or block device.")]
    [ValidateNotNullOrEmpty]
    public string? Path { get; set; }

    [Parameter(HelpMessage = "The guest cannot write to the disk.")]
    public SwitchParameter ReadOnly { get; set; }

    [Parameter(HelpMessage = "Serial number that the guest reads, at most 20 characters; an empty text is none.")]
    [ValidateNotNull]
    public string? Serial { get; set; }

    [Parameter(HelpMessage = "Emit the VM as it is after the action; by default nothing is emitted.")]
    public SwitchParameter PassThru { get; set; }

    protected override void ProcessRecord() => ProcessDevices(Drive?.Select(device => (device.Vm, device.Id)), Change);

    private protected override void Process(VmTarget vm) => Change(vm, Id);

    private void Change(VmTarget vm, string[] ids) =>
        ForDevices(DeviceFamily.Drives, vm, ids, "Change", id => vm.Client.SetDrive(vm.Id, id, Changes(), Token), PassThru);

    private DriveChange Changes() => new()
    {
        Path = Path is null ? null : ResolveFile(Path),
        ReadOnly = Given(nameof(ReadOnly)) ? ReadOnly : null,
        Serial = Serial,
        Io = Io,
    };
}
