using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Add-StratoSharedFolder: shares a folder of the host with a stopped VM's guest.</summary>
[Cmdlet(VerbsCommon.Add, "StratoSharedFolder", DefaultParameterSetName = VMSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class AddStratoSharedFolderCommand : VmDeviceCmdlet
{
    [Parameter(Mandatory = true, Position = 0, HelpMessage = "Folder of the host.")]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = null!;

    [Parameter(HelpMessage = "By which the guest mounts the folder, unique within the VM; the first free of share0, share1 and so on if omitted.")]
    [ValidateNotNullOrEmpty]
    public string? Tag { get; set; }

    [Parameter(HelpMessage = "Emit the VM as it is after the action; by default nothing is emitted.")]
    public SwitchParameter PassThru { get; set; }

    private protected override void Process(VmTarget vm) => Try(vm.Name, () =>
    {
        string path = ResolveFile(Path);
        if (!ShouldProcess(vm.Name, $"Share the folder '{path}'"))
        {
            return;
        }

        vm.Client.AddSharedFolder(vm.Id, path, Tag, Token);
        if (PassThru)
        {
            WriteNow(vm);
        }
    });
}
