using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Set-StratoSharedFolder: shares another folder under a stopped VM's tag.</summary>
[Cmdlet(VerbsCommon.Set, "StratoSharedFolder", DefaultParameterSetName = VMSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class SetStratoSharedFolderCommand : SharedFolderChangeCmdlet
{
    [Parameter(Mandatory = true, HelpMessage = "Folder of the host.")]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = null!;

    private protected override void Change(VmTarget vm, string[] tags) =>
        ForDevices(DeviceFamily.SharedFolders, vm, tags, "Change", tag => vm.Client.SetSharedFolder(vm.Id, tag, ResolveFile(Path), Token), PassThru);
}
