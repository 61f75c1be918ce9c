using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Get-StratoSharedFolder: the folders of the host that VMs' guests can mount.</summary>
[Cmdlet(VerbsCommon.Get, "StratoSharedFolder", DefaultParameterSetName = VMSet)]
[OutputType(typeof(SharedFolder))]
public sealed class GetStratoSharedFolderCommand : VmDeviceCmdlet
{
    [Parameter(Position = 0, HelpMessage = "Tag of the folder; wildcards are allowed. All folders if omitted.")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(SharedFolderTagCompleter))]
    public string[]? Tag { get; set; }

    private protected override void Process(VmTarget vm) => WriteDevices(DeviceFamily.SharedFolders, vm, Tag, folder => new SharedFolder(vm, folder));
}
