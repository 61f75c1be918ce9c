using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Get-StratoLog: what a VM's engine says, line by line.</summary>
[Cmdlet(VerbsCommon.Get, "StratoLog", DefaultParameterSetName = VMNameSet)]
[OutputType(typeof(LogEntry))]
public sealed class GetStratoLogCommand : VmPartCmdlet
{
    [Parameter(HelpMessage = "Only the last lines, that many.")]
    [ValidateRange(0, int.MaxValue)]
    public int Tail { get; set; }

    [Parameter(HelpMessage = "Go on with what the engine says, until it ends or Ctrl-C.")]
    public SwitchParameter Follow { get; set; }

    [Parameter(HelpMessage = "The log of the run before the last.")]
    public SwitchParameter Previous { get; set; }

    protected override void BeginProcessing()
    {
        if (Follow && Previous)
        {
            throw Terminating(new StratoException(StratoErrorKind.InvalidArgument, "ParametersConflict", "-Previous is a log that has ended, which -Follow can't follow; give one of them."));
        }
    }

    private protected override void Process(VmTarget vm) => Try(vm.Name, () =>
    {
        LogOptions options = new()
        {
            Tail = MyInvocation.BoundParameters.ContainsKey(nameof(Tail)) ? Tail : null,
            Follow = Follow,
            Previous = Previous,
        };
        using LogReader reader = vm.Client.OpenLog(vm.Id, options);
        while (reader.ReadLine(Token) is { } line)
        {
            WriteObject(new LogEntry(vm, line));
        }
    });
}
