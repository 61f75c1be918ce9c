using System.Linq;
using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Remove-StratoConsolePort: takes a port from a stopped VM.</summary>
[Cmdlet(VerbsCommon.Remove, "StratoConsolePort", DefaultParameterSetName = VMSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(Vm))]
public sealed class RemoveStratoConsolePortCommand : VmDeviceCmdlet
{
    private const string ConsolePortSet = "ConsolePort";

    [Parameter(Mandatory = true, Position = 0, ParameterSetName = VMSet, HelpMessage = "Id of the port; wildcards are allowed.")]
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = VMNameSet, HelpMessage = "Id of the port; wildcards are allowed.")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(ConsolePortIdCompleter))]
    public string[] Id { get; set; } = null!;

    [Parameter(Mandatory = true, ParameterSetName = ConsolePortSet, ValueFromPipeline = true, HelpMessage = "Port object, as Get-StratoConsolePort returns it.")]
    [ValidateNotNull]
    public ConsolePort[]? ConsolePort { get; set; }

    [Parameter(HelpMessage = "Emit the VM as it is after the action; by default nothing is emitted.")]
    public SwitchParameter PassThru { get; set; }

    protected override void ProcessRecord() => ProcessDevices(ConsolePort?.Select(device => (device.Vm, device.Id)), Remove);

    private protected override void Process(VmTarget vm) => Remove(vm, Id);

    private void Remove(VmTarget vm, string[] ids) =>
        ForDevices(DeviceFamily.ConsolePorts, vm, ids, "Remove", id => vm.Client.RemoveConsolePort(vm.Id, id, Token), PassThru);
}
