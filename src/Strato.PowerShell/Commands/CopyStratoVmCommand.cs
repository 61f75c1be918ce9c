using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Copy-StratoVm: a new VM with another's definition, and with copies of its disks if wished.</summary>
[Cmdlet(VerbsCommon.Copy, "StratoVm", DefaultParameterSetName = NameSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class CopyStratoVmCommand : VmActionCmdlet
{
    // By property name, so that a script block can make each name from the VM that comes.
    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true, HelpMessage = "Name of the new VM, unique without regard to case; a script block makes it from each VM of the pipeline.")]
    [Alias("NewVMName")]
    [ValidateNotNull]
    [AllowEmptyString]
    public string NewName { get; set; } = null!;

    [Parameter(HelpMessage = "Copy the files of the disks that the guest can write to; without, both VMs have the same.")]
    public SwitchParameter CopyDisk { get; set; }

    [Parameter(HelpMessage = "Folder for the copied disks; the folder of each disk if omitted.")]
    [ValidateNotNullOrEmpty]
    public string? DiskDirectory { get; set; }

    [Parameter(HelpMessage = "Give the new VM the MAC addresses that the adapters were given, too.")]
    public SwitchParameter KeepMacAddress { get; set; }

    protected override void BeginProcessing()
    {
        if (DiskDirectory is not null && !CopyDisk)
        {
            throw Terminating(new StratoException(StratoErrorKind.InvalidArgument, "ParametersConflict", "-DiskDirectory is where -CopyDisk puts the copies, which isn't given."));
        }
    }

    private protected override void Process(VmTarget vm)
    {
        FileProgress progress = new(this, $"Copying the disks of '{vm.Name}'");
        try
        {
            Try(vm.Name, () => Copy(vm, progress));
        }
        finally
        {
            progress.Complete();
        }
    }

    private void Copy(VmTarget vm, FileProgress progress)
    {
        CopyOptions options = new()
        {
            CopyDisk = CopyDisk,
            DiskDirectory = DiskDirectory is null ? null : ResolveFile(DiskDirectory),
            KeepMacAddress = KeepMacAddress,
            Progress = progress.Show,
        };

        // Checked first, so that -WhatIf tells what would be refused.
        vm.Client.CheckCopy(vm.Client.GetById(vm.Id), NewName, options);
        if (!ShouldProcess(vm.Name, $"Copy to '{NewName}'"))
        {
            return;
        }

        CopyResult copy = vm.Client.Copy(vm.Id, NewName, options, Token);
        foreach (string warning in copy.Warnings)
        {
            WriteWarning(warning);
        }

        Write(vm, vm.Client.Snapshot(copy.Vm.Id, Token));
    }
}
