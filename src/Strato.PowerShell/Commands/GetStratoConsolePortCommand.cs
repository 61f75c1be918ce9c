using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Get-StratoConsolePort: the ports of VMs' virtio consoles.</summary>
[Cmdlet(VerbsCommon.Get, "StratoConsolePort", DefaultParameterSetName = VMSet)]
[OutputType(typeof(ConsolePort))]
public sealed class GetStratoConsolePortCommand : VmDeviceCmdlet
{
    [Parameter(Position = 0, HelpMessage = "Id of the port; wildcards are allowed. All ports if omitted.")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(ConsolePortIdCompleter))]
    public string[]? Id { get; set; }

    private protected override void Process(VmTarget vm) =>
        Try(vm.Name, () => WriteDevices(DeviceFamily.ConsolePorts, vm, Id, port => new ConsolePort(vm, port, Token)));
}
