using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Enter-StratoConsole: joins this terminal to the VM's console; Ctrl-] leaves.</summary>
[Cmdlet(VerbsCommon.Enter, "StratoConsole", DefaultParameterSetName = VMNameSet)]
[OutputType(typeof(void))]
public sealed class EnterStratoConsoleCommand : VmPartCmdlet
{
    [Parameter(HelpMessage = "Take the keyboard from whoever is attached to the console.")]
    public SwitchParameter Take { get; set; }

    private protected override void Process(VmTarget vm) => Try(vm.Name, () =>
    {
        using ConsoleSession session = vm.Client.EnterConsole(vm.Id, Take, Token);
        Host.UI.WriteLine($"Console of '{vm.Name}'. Ctrl-] leaves.");
        ConsoleSessionEnd end = session.Run(Token);
        Host.UI.WriteLine();
        Host.UI.WriteLine(end switch
        {
            ConsoleSessionEnd.VmEnded => $"'{vm.Name}' has ended.",
            ConsoleSessionEnd.Taken => $"Somebody else took the keyboard of '{vm.Name}'.",
            _ => $"Left the console of '{vm.Name}'; it runs on.",
        });
    });
}
