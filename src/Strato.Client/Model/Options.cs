using System;
using System.Text.RegularExpressions;

namespace Strato.Client;

/// <summary>How to start a VM.</summary>
public sealed record StartOptions
{
    /// <summary>Start even where KVM only emulates (the engine's <c>-force</c>).</summary>
    public bool Force { get; init; }

    /// <summary>Leave the virtual CPUs standing (the engine's <c>-S</c>); <see cref="StratoClient.Resume"/> lets them run.</summary>
    public bool Paused { get; init; }

    /// <summary>End when the guest reboots (the engine's <c>-no-reboot</c>), also after a panic.</summary>
    public bool NoReboot { get; init; }

    /// <summary>How long the engine may take until the guest runs.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The snapshot that it goes on from; null for a machine that boots.</summary>
    internal IncomingFiles? Incoming { get; init; }
}

/// <summary>What a machine goes on from.</summary>
/// <param name="State">Absolute path of the snapshot's state.</param>
/// <param name="Memory">Of its memory.</param>
/// <param name="KeepsTime">Whether the guest's clock goes on from where it was.</param>
internal sealed record IncomingFiles(string State, string Memory, bool KeepsTime);

/// <summary>How to stop a VM. The default asks the guest to power down and waits for it.</summary>
public sealed record StopOptions
{
    /// <summary>End it at once, as pulling the plug: quit, then SIGKILL if the engine doesn't obey.</summary>
    public bool TurnOff { get; init; }

    /// <summary>Ask the guest first; turn off if it has not powered down by then.</summary>
    public TimeSpan? TurnOffAfter { get; init; }

    /// <summary>Without <see cref="TurnOffAfter"/>: how long to wait for the guest before failing with <c>StopTimeout</c>; null waits for ever.</summary>
    public TimeSpan? Timeout { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>The VM as its user last saw it: an ephemeral one that was removed since has stopped, which is no error.</summary>
    public VmDefinition? Seen { get; init; }
}

/// <summary>How to restart a VM.</summary>
public enum RestartKind
{
    /// <summary>Resets the machine, as its reset button does; the engine goes on.</summary>
    Reset,

    /// <summary>Asks the guest to power down, then starts a new engine.</summary>
    Reboot,
}

/// <summary>What to wait for.</summary>
public enum WaitTarget
{
    Running,
    Stopped,
    Paused,
    Console,

    /// <summary>The guest's agent answers.</summary>
    GuestAgent,

    /// <summary>The guest has an address that others can reach, as its agent tells, or the switch that gave it.</summary>
    IPAddress,
}

/// <summary>How to wait.</summary>
public sealed record WaitOptions
{
    /// <summary>Required for <see cref="WaitTarget.Console"/>. Matched against text with escape sequences removed and CR LF made LF.</summary>
    public Regex? Match { get; init; }

    /// <summary>Null waits for ever; past it the wait fails with <c>WaitTimeout</c>.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>As of <see cref="StopOptions.Seen"/>, for <see cref="WaitTarget.Stopped"/>.</summary>
    public VmDefinition? Seen { get; init; }
}

/// <summary>What was found on the console.</summary>
/// <param name="Text">The matching text.</param>
/// <param name="Line">The whole line (or lines) it stands in.</param>
/// <param name="Match">The match with its groups.</param>
public sealed record ConsoleMatch(string Text, string Line, Match Match);

/// <summary>Outcome of a wait.</summary>
/// <param name="Vm">The VM after the wait.</param>
/// <param name="ConsoleMatch">For <see cref="WaitTarget.Console"/>: what matched.</param>
public sealed record WaitResult(VmInfo Vm, ConsoleMatch? ConsoleMatch);

/// <summary>How to send text to a console.</summary>
public sealed record SendOptions
{
    /// <summary>Send the text as it is, without a newline at the end.</summary>
    public bool NoNewline { get; init; }

    /// <summary>Wait until what the guest prints after the send matches.</summary>
    public Regex? ExpectMatch { get; init; }

    /// <summary>How long to wait for <see cref="ExpectMatch"/> (null: for ever); past it the send fails with <c>WaitTimeout</c>.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Take the keyboard from whoever is attached; else that is error <c>ConsoleBusy</c>.</summary>
    public bool Take { get; init; }
}

/// <summary>Where a console reader begins.</summary>
public enum ConsoleStart
{
    /// <summary>The first byte since the engine's start.</summary>
    Beginning,

    /// <summary>The first byte since the last reset of the machine.</summary>
    Boot,

    /// <summary>What comes from now on.</summary>
    Now,
}
