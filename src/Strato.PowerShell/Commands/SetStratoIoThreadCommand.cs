using System.Linq;
using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Set-StratoIoThread: gives a stopped VM's thread another id; the devices that name it follow.</summary>
[Cmdlet(VerbsCommon.Set, "StratoIoThread", DefaultParameterSetName = VMSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class SetStratoIoThreadCommand : VmDeviceCmdlet
{
    private const string IoThreadSet = "IoThread";

    [Parameter(Mandatory = true, Position = 0, ParameterSetName = VMSet, HelpMessage = "Id of the thread; wildcards are allowed.")]
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = VMNameSet, HelpMessage = "Id of the thread; wildcards are allowed.")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(IoThreadIdCompleter))]
    public string[] Id { get; set; } = null!;

    [Parameter(Mandatory = true, ParameterSetName = IoThreadSet, ValueFromPipeline = true, HelpMessage = "Thread object, as Get-StratoIoThread returns it.")]
    [ValidateNotNull]
    public IoThread[]? IoThread { get; set; }

    [Parameter(Mandatory = true, HelpMessage = "The new id; devices that name the thread follow.")]
    [ValidateNotNullOrEmpty]
    public string NewId { get; set; } = null!;

    [Parameter(HelpMessage = "Emit the VM as it is after the action; by default nothing is emitted.")]
    public SwitchParameter PassThru { get; set; }

    protected override void ProcessRecord() => ProcessDevices(IoThread?.Select(device => (device.Vm, device.Id)), Change);

    private protected override void Process(VmTarget vm) => Change(vm, Id);

    private void Change(VmTarget vm, string[] ids) =>
        ForDevices(DeviceFamily.IoThreads, vm, ids, "Change", id => vm.Client.RenameIoThread(vm.Id, id, NewId, Token), PassThru);
}
