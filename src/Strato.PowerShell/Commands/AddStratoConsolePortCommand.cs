using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Add-StratoConsolePort: gives a stopped VM a port of the virtio console.</summary>
[Cmdlet(VerbsCommon.Add, "StratoConsolePort", DefaultParameterSetName = VMSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class AddStratoConsolePortCommand : ConsolePortCmdlet
{
    [Parameter(Position = 0, HelpMessage = "Id of the port, unique within the VM, by which the guest finds it; the first free of port0, port1 and so on if omitted.")]
    [ValidateNotNullOrEmpty]
    public string? Id { get; set; }

    [Parameter(HelpMessage = "The guest makes a terminal of the port: hvc0 and on.")]
    public SwitchParameter Terminal { get; set; }

    private protected override void Process(VmTarget vm) => Try(vm.Name, () =>
    {
        if (!ShouldProcess(vm.Name, Id is null ? "Add a console port" : $"Add the console port '{Id}'"))
        {
            return;
        }

        vm.Client.AddConsolePort(vm.Id, Id, Terminal, Settings, Token);
        if (PassThru)
        {
            WriteNow(vm);
        }
    });
}
