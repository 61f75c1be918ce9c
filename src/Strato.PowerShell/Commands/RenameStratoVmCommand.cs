using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Rename-StratoVm: another name for a VM, also while it runs.</summary>
[Cmdlet(VerbsCommon.Rename, "StratoVm", DefaultParameterSetName = NameSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class RenameStratoVmCommand : VmPassThruCmdlet
{
    // By property name, so that a script block can make each name from the VM that comes.
    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true, HelpMessage = "New name of the VM, unique without regard to case; a script block makes it from each VM of the pipeline.")]
    [Alias("NewVMName")]
    [ValidateNotNull]
    [AllowEmptyString]
    public string NewName { get; set; } = null!;

    private protected override void Process(VmTarget vm) => Try(vm.Name, () =>
    {
        if (!ShouldProcess(vm.Name, $"Rename to '{NewName}'"))
        {
            return;
        }

        vm.Client.Update(vm.Id, new VmSettings { Name = NewName }, token: Token);
        if (PassThru)
        {
            WriteNow(vm);
        }
    });
}
