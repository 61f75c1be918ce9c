using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Get-StratoConsole: the console's lines.</summary>
[Cmdlet(VerbsCommon.Get, "StratoConsole", DefaultParameterSetName = VMNameSet)]
[OutputType(typeof(string))]
public sealed class GetStratoConsoleCommand : VmPartCmdlet
{
    [Parameter(HelpMessage = "Only the last lines, that many.")]
    [ValidateRange(0, int.MaxValue)]
    public int Tail { get; set; }

    [Parameter(HelpMessage = "Go on with what the guest prints, until it ends or Ctrl-C.")]
    public SwitchParameter Follow { get; set; }

    private protected override void Process(VmTarget vm) => Try(vm.Name, () =>
    {
        int? tail = MyInvocation.BoundParameters.ContainsKey(nameof(Tail)) ? Tail : null;
        if (!Follow)
        {
            foreach (string line in vm.Client.TailConsole(vm.Id, tail))
            {
                WriteObject(line);
            }

            return;
        }

        using ConsoleReader reader = tail is { } lines
            ? vm.Client.OpenConsole(vm.Id, lines, Token)
            : vm.Client.OpenConsole(vm.Id, ConsoleStart.Beginning, Token);
        while (reader.ReadLine(Token) is { } line)
        {
            WriteObject(line);
        }
    });
}
