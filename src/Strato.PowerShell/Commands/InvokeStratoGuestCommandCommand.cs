using System.Collections;
using System.Management.Automation;
using System.Text;
using System.Threading.Tasks;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Invoke-StratoGuestCommand: a command in guests, by their agents; its exit code and its output as an object.</summary>
[Cmdlet(VerbsLifecycle.Invoke, "StratoGuestCommand", DefaultParameterSetName = VMSet, SupportsShouldProcess = true)]
[OutputType(typeof(GuestCommandResult))]
public sealed class InvokeStratoGuestCommandCommand : VmDeviceCmdlet
{
    private GuestCommand? _command;
    private ParallelWork<GuestCommandOutcome>? _work;

    [Parameter(Position = 0, HelpMessage = "Command line for the guest's /bin/sh.")]
    [ValidateNotNullOrEmpty]
    public string? Command { get; set; }

    [Parameter(HelpMessage = "Program in the guest, run without a shell.")]
    [ValidateNotNullOrEmpty]
    public string? FilePath { get; set; }

    [Parameter(HelpMessage = "Arguments for -FilePath, each as it is.")]
    [ValidateNotNull]
    [AllowEmptyCollection]
    [AllowEmptyString]
    public string[] ArgumentList { get; set; } = [];

    [Parameter(HelpMessage = "Text for its standard input, as UTF-8.")]
    [AllowEmptyString]
    public string? InputText { get; set; }

    [Parameter(HelpMessage = "Variables of its environment beside those of the agent, as a hashtable.")]
    [ValidateNotNull]
    public IDictionary? Environment { get; set; }

    [Parameter(HelpMessage = "Seconds until a command that still runs is ended and that is an error; for ever if omitted.")]
    [Alias("TimeoutSeconds")]
    [ValidateRange(1, int.MaxValue / 1000)]
    public int Timeout { get; set; }

    [Parameter(HelpMessage = "In how many guests the command runs at once; 32 if omitted.")]
    [ValidateRange(1, 1024)]
    public int ThrottleLimit { get; set; } = 32;

    protected override void BeginProcessing()
    {
        if (Command is null && FilePath is null)
        {
            throw Terminating(new StratoException(StratoErrorKind.InvalidArgument, "CommandMissing", "Neither -Command nor -FilePath says what to run; give one."));
        }

        if (CommandParameters.Conflict(Command, FilePath, ArgumentList, "guest") is { } conflict)
        {
            throw Terminating(conflict);
        }

        GuestCommand command = Command is null ? new GuestCommand { Path = FilePath!, Arguments = ArgumentList } : GuestCommand.Shell(Command);
        _command = command with
        {
            Input = InputText is null ? null : Encoding.UTF8.GetBytes(InputText),
            Environment = CommandParameters.Variables(Environment),
            Timeout = Seconds(nameof(Timeout), Timeout),
        };
        _work = Parallel<GuestCommandOutcome>($"Running {Shown} in guests", ThrottleLimit, Report);
    }

    private protected override void Process(VmTarget vm)
    {
        if (ShouldProcess(vm.Name, $"Run {Shown} in the guest"))
        {
            _work!.Begin(vm, () => vm.Client.InvokeGuest(vm.Id, _command!, Token));
        }
    }

    private string Shown => $"'{Command ?? FilePath}'";

    private void Report(VmTarget vm, Task<GuestCommandOutcome> outcome) =>
        Try(vm.Name, () => WriteObject(new GuestCommandResult(vm, outcome.GetAwaiter().GetResult())));
}
