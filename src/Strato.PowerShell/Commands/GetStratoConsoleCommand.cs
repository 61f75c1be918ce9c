using System.Management.Automation;
using System.Text;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Get-StratoConsole: the console's lines, or all as it came.</summary>
[Cmdlet(VerbsCommon.Get, "StratoConsole", DefaultParameterSetName = VMNameSet)]
[OutputType(typeof(string), typeof(byte[]))]
public sealed class GetStratoConsoleCommand : VmPartCmdlet
{
    private const int PieceSize = 8192;

    [Parameter(HelpMessage = "Only the last lines, that many.")]
    [ValidateRange(0, int.MaxValue)]
    public int Tail { get; set; }

    [Parameter(HelpMessage = "Go on with what the guest prints, until it ends or Ctrl-C.")]
    public SwitchParameter Follow { get; set; }

    [Parameter(HelpMessage = "One text as it came, ends of lines and all; with -Follow, pieces as they come.")]
    public SwitchParameter Raw { get; set; }

    [Parameter(HelpMessage = "As -Raw, but bytes.")]
    public SwitchParameter AsByteStream { get; set; }

    [Parameter(HelpMessage = "The output of the run before the last.")]
    public SwitchParameter Previous { get; set; }

    private int? Lines => MyInvocation.BoundParameters.ContainsKey(nameof(Tail)) ? Tail : null;

    protected override void BeginProcessing()
    {
        if (Follow && Previous)
        {
            throw Terminating(new StratoException(StratoErrorKind.InvalidArgument, "ParametersConflict", "-Previous is output that has ended, which -Follow can't follow; give one of them."));
        }
    }

    private protected override void Process(VmTarget vm) => Try(vm.Name, () =>
    {
        if (Follow)
        {
            FollowConsole(vm);
        }
        else if (Raw || AsByteStream)
        {
            WriteWhole(vm.Client.ReadConsole(vm.Id, Lines, Previous));
        }
        else
        {
            foreach (string line in vm.Client.TailConsole(vm.Id, Lines, Previous))
            {
                WriteObject(line);
            }
        }
    });

    private void FollowConsole(VmTarget vm)
    {
        using ConsoleReader reader = Lines is { } lines
            ? vm.Client.OpenConsole(vm.Id, lines, Token)
            : vm.Client.OpenConsole(vm.Id, ConsoleStart.Beginning, Token);
        if (AsByteStream)
        {
            byte[] buffer = new byte[PieceSize];
            while (reader.Read(buffer, Token) is var count and > 0)
            {
                WriteObject(buffer[..count], enumerateCollection: false);
            }

            return;
        }

        while ((Raw ? reader.ReadText(Token) : reader.ReadLine(Token)) is { } text)
        {
            WriteObject(text);
        }
    }

    private void WriteWhole(byte[] output)
    {
        if (output.Length > 0)
        {
            WriteObject(AsByteStream ? output : Encoding.UTF8.GetString(output), enumerateCollection: false);
        }
    }
}
