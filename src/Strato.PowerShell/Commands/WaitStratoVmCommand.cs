using System.Collections.Generic;
using System.Management.Automation;
using System.Text.RegularExpressions;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Wait-StratoVm: waits on the engine's events and the console's bytes; for several VMs at once.</summary>
[Cmdlet(VerbsLifecycle.Wait, "StratoVm", DefaultParameterSetName = NameSet)]
[OutputType(typeof(Vm))]
public sealed class WaitStratoVmCommand : VmParallelCmdlet
{
    private WaitTarget _target;
    private Regex? _match;

    [Parameter(HelpMessage = "What to wait for: Running, Stopped, Paused, GuestAgent, IPAddress, or Console with -Match. Running if omitted, Console if -Match is given.")]
    [ValidateSet("Running", "Stopped", "Paused", "Console", "GuestAgent", "IPAddress")]
    public string For { get; set; } = "Running";

    [Parameter(HelpMessage = "Regular expression to wait for on the console, in all output of this boot and what still comes.")]
    [ValidateNotNullOrEmpty]
    public string? Match { get; set; }

    [Parameter(HelpMessage = "Seconds to wait before that is an error; for ever if omitted.")]
    [ValidateRange(0, int.MaxValue / 1000)]
    public int Timeout { get; set; }

    private protected override string Activity => _target switch
    {
        WaitTarget.Console => $"Waiting for '{Match}' on the console",
        WaitTarget.GuestAgent => "Waiting for guest agents to answer",
        WaitTarget.IPAddress => "Waiting for guests to have addresses",
        _ => $"Waiting for VMs to be {_target.ToString().ToLowerInvariant()}",
    };

    protected override void BeginProcessing()
    {
        bool forGiven = MyInvocation.BoundParameters.ContainsKey(nameof(For));
        _target = System.Enum.Parse<WaitTarget>(Match is not null && !forGiven ? nameof(WaitTarget.Console) : For, ignoreCase: true);
        if (_target == WaitTarget.Console != Match is not null)
        {
            throw Terminating(new StratoException(
                StratoErrorKind.InvalidArgument,
                Match is null ? "MatchMissing" : "ParametersConflict",
                Match is null ? "-For Console needs -Match, the text to wait for." : $"-Match is for the console, and can't be given with -For {For}."));
        }

        _match = Match is null ? null : ParseMatch(nameof(Match), Match);
    }

    // A VM that runs for a moment only must not be gone because of a wait for its end.
    private protected override IEnumerable<VmTarget> Find(string name) => VmTarget.Of(Client, VmTarget.Find(Client, name, withEnded: true));

    private protected override void Process(VmTarget vm)
    {
        WaitOptions options = new() { Match = _match, Timeout = Seconds(nameof(Timeout), Timeout), Seen = vm.Seen };
        Begin(vm, () => vm.Client.Wait(vm.Id, _target, options, Token).Vm);
    }
}
