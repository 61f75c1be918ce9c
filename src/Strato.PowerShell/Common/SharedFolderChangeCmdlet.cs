using System.Linq;
using System.Management.Automation;

namespace Strato.PowerShell;

/// <summary>Changes shared folders that are given by their tags or as objects.</summary>
public abstract class SharedFolderChangeCmdlet : VmDeviceCmdlet
{
    private const string SharedFolderSet = "SharedFolder";

    [Parameter(Mandatory = true, Position = 0, ParameterSetName = VMSet, HelpMessage = "Tag of the folder; wildcards are allowed.")]
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = VMNameSet, HelpMessage = "Tag of the folder; wildcards are allowed.")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(SharedFolderTagCompleter))]
    public string[] Tag { get; set; } = null!;

    [Parameter(Mandatory = true, ParameterSetName = SharedFolderSet, ValueFromPipeline = true, HelpMessage = "Folder object, as Get-StratoSharedFolder returns it.")]
    [ValidateNotNull]
    public SharedFolder[]? SharedFolder { get; set; }

    [Parameter(HelpMessage = "Emit the VM as it is after the action; by default nothing is emitted.")]
    public SwitchParameter PassThru { get; set; }

    protected override void ProcessRecord() => ProcessDevices(SharedFolder?.Select(folder => (folder.Vm, folder.Tag)), Change);

    private protected sealed override void Process(VmTarget vm) => Change(vm, Tag);

    private protected abstract void Change(VmTarget vm, string[] tags);
}
