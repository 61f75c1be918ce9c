using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Add-StratoDrive: gives a VM a disk, a running one, too.</summary>
[Cmdlet(VerbsCommon.Add, "StratoDrive", DefaultParameterSetName = VMSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class AddStratoDriveCommand : DriveIoCmdlet
{
    [Parameter(Mandatory = true, Position = 0, HelpMessage = "Raw image or block device.")]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = null!;

    [Parameter(HelpMessage = "Id of the disk, unique within the VM; the first free of disk0, disk1 and so on if omitted.")]
    [ValidateNotNullOrEmpty]
    public string? Id { get; set; }

    [Parameter(HelpMessage = "The guest cannot write to the disk.")]
    public SwitchParameter ReadOnly { get; set; }

    [Parameter(HelpMessage = "Serial number that the guest reads, at most 20 characters.")]
    [ValidateNotNullOrEmpty]
    public string? Serial { get; set; }

    [Parameter(HelpMessage = "Change the running VM alone; its next start is as before.")]
    public SwitchParameter Transient { get; set; }

    [Parameter(HelpMessage = "Wait until a running VM's guest has looked at the change.")]
    public SwitchParameter Wait { get; set; }

    [Parameter(HelpMessage = "Seconds to wait before that is an error; for ever if omitted.")]
    [ValidateRange(0, int.MaxValue / 1000)]
    public int Timeout { get; set; }

    [Parameter(HelpMessage = "Emit the VM as it is after the action; by default nothing is emitted.")]
    public SwitchParameter PassThru { get; set; }

    private protected override void Process(VmTarget vm) => Try(vm.Name, () =>
    {
        DriveSettings drive = new() { Path = ResolveFile(Path), Id = Id, ReadOnly = ReadOnly, Serial = Serial, Io = Io };
        if (!ShouldProcess(vm.Name, $"Add the disk '{drive.Path}'"))
        {
            return;
        }

        vm.Client.AddDrive(vm.Id, drive, HotPlug(Transient, Wait, nameof(Timeout), Timeout), Token);
        if (PassThru)
        {
            WriteNow(vm);
        }
    });
}
