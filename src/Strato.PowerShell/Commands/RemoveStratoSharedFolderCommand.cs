using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Remove-StratoSharedFolder: shares a folder no longer with a stopped VM.</summary>
[Cmdlet(VerbsCommon.Remove, "StratoSharedFolder", DefaultParameterSetName = VMSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(Vm))]
public sealed class RemoveStratoSharedFolderCommand : SharedFolderChangeCmdlet
{
    private protected override void Change(VmTarget vm, string[] tags) =>
        ForDevices(DeviceFamily.SharedFolders, vm, tags, "Remove", tag => vm.Client.RemoveSharedFolder(vm.Id, tag, Token), PassThru);
}
