using System.Linq;
using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Set-StratoConsolePort: changes where a stopped VM's port leads.</summary>
[Cmdlet(VerbsCommon.Set, "StratoConsolePort", DefaultParameterSetName = VMSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class SetStratoConsolePortCommand : ConsolePortCmdlet
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

    protected override void ProcessRecord() => ProcessDevices(ConsolePort?.Select(device => (device.Vm, device.Id)), Change);

    private protected override void Process(VmTarget vm) => Change(vm, Id);

    private void Change(VmTarget vm, string[] ids) =>
        ForDevices(DeviceFamily.ConsolePorts, vm, ids, "Change", id => vm.Client.SetConsolePort(vm.Id, id, Settings, Token), PassThru);
}
