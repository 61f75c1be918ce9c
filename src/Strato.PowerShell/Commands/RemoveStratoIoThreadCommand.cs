using System.Linq;
using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Remove-StratoIoThread: takes a thread that serves nothing from a stopped VM.</summary>
[Cmdlet(VerbsCommon.Remove, "StratoIoThread", DefaultParameterSetName = VMSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(Vm))]
public sealed class RemoveStratoIoThreadCommand : VmDeviceCmdlet
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

    [Parameter(HelpMessage = "Emit the VM as it is after the action; by default nothing is emitted.")]
    public SwitchParameter PassThru { get; set; }

    protected override void ProcessRecord() => ProcessDevices(IoThread?.Select(device => (device.Vm, device.Id)), Remove);

    private protected override void Process(VmTarget vm) => Remove(vm, Id);

    private void Remove(VmTarget vm, string[] ids) =>
        ForDevices(DeviceFamily.IoThreads, vm, ids, "Remove", id => vm.Client.RemoveIoThread(vm.Id, id, Token), PassThru);
}
