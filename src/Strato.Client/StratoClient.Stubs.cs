using System;
using System.Collections.Generic;
using System.Text.Json;
using System.Threading;

namespace Strato.Client;

public sealed partial class StratoClient
{
    /// <summary>All VMs, sorted by name, and those whose definition is damaged. An empty store is an empty list.</summary>
    public VmListing List() => throw new NotSupportedException("Not built yet.");

    /// <summary>The VMs whose name matches a PowerShell wildcard (<c>* ? [a-z]</c>, backtick escapes) without regard to case; a VM of exactly that name comes alone.</summary>
    public IReadOnlyList<VmDefinition> Find(string pattern) => throw new NotSupportedException("Not built yet.");

    /// <summary>The VM of exactly that name without regard to case; error <c>VmNotFound</c>, or <c>VmDefinitionDamaged</c> if that one can't be read.</summary>
    public VmDefinition Get(string name) => throw new NotSupportedException("Not built yet.");

    /// <summary>The VM of that id; error <c>VmNotFound</c>.</summary>
    public VmDefinition GetById(string id) => throw new NotSupportedException("Not built yet.");

    /// <summary>Makes a VM. Errors: <c>VmNameInvalid</c>, <c>VmExists</c>, <c>KernelNotFound</c>, <c>InitrdNotFound</c>, <c>MemoryOutOfRange</c>, <c>CpuOutOfRange</c>, <c>MachineUnknown</c>.</summary>
    public VmDefinition Create(VmSettings settings, CancellationToken token = default) => throw new NotSupportedException("Not built yet.");

    /// <summary>What <see cref="Create"/> would refuse, without making anything (for -WhatIf).</summary>
    public void Check(VmSettings settings) => throw new NotSupportedException("Not built yet.");

    /// <summary>Changes what is given. Name and notes may change at any time, all else only while the VM is stopped (<c>VmRunning</c>).</summary>
    public VmDefinition Update(string id, VmSettings changes, CancellationToken token = default) => throw new NotSupportedException("Not built yet.");

    /// <summary>Removes the definition and logs, never a disk. <c>VmRunning</c> while an engine runs. Works on damaged definitions too.</summary>
    public void Delete(string id, CancellationToken token = default) => throw new NotSupportedException("Not built yet.");

    /// <summary>Adds a drive to a stopped VM. Errors: <c>VmRunning</c>, <c>DriveNotFound</c> (no such file), <c>DriveExists</c>, <c>DriveSerialInvalid</c>, <c>TooManyDrives</c>.</summary>
    public DriveDefinition AddDrive(string id, DriveSettings drive, CancellationToken token = default) => throw new NotSupportedException("Not built yet.");

    /// <summary>Removes a drive from a stopped VM; the image stays. Errors: <c>VmRunning</c>, <c>DriveNotFound</c>.</summary>
    public void RemoveDrive(string id, string driveId, CancellationToken token = default) => throw new NotSupportedException("Not built yet.");

    /// <summary>The VM at this moment. Takes a second at most.</summary>
    public VmInfo Snapshot(string id, CancellationToken token = default) => throw new NotSupportedException("Not built yet.");

    /// <summary>Many VMs at this moment, asked in parallel, in the order given; a second at most over all. A VM that was removed meanwhile is left out.</summary>
    public IReadOnlyList<VmInfo> Snapshot(IReadOnlyList<VmDefinition> vms, CancellationToken token = default) => throw new NotSupportedException("Not built yet.");

    /// <summary>Starts the VM and returns when its virtual CPUs run. Errors: <c>VmRunning</c>, <c>EngineNotFound</c>, <c>StartTimeout</c>, <c>SocketPathTooLong</c>, and what the engine reports. A failed or cancelled start leaves no process.</summary>
    public VmInfo Start(string id, StartOptions? options = null, CancellationToken token = default) => throw new NotSupportedException("Not built yet.");

    /// <summary>Stops the VM and returns when its engine has ended. Stopping a stopped VM does nothing. Error: <c>StopTimeout</c>.</summary>
    public VmInfo Stop(string id, StopOptions? options = null, CancellationToken token = default) => throw new NotSupportedException("Not built yet.");

    /// <summary>Holds the virtual CPUs; a paused VM stays paused. Error: <c>VmNotRunning</c>.</summary>
    public VmInfo Suspend(string id, CancellationToken token = default) => throw new NotSupportedException("Not built yet.");

    /// <summary>Lets the virtual CPUs go on; a running VM keeps running. Error: <c>VmNotRunning</c>.</summary>
    public VmInfo Resume(string id, CancellationToken token = default) => throw new NotSupportedException("Not built yet.");

    /// <summary>Restarts a running VM. Error: <c>VmNotRunning</c>.</summary>
    public VmInfo Restart(string id, RestartKind kind, StopOptions? stop = null, CancellationToken token = default) => throw new NotSupportedException("Not built yet.");

    /// <summary>Waits on events. Errors: <c>WaitTimeout</c>, <c>VmEnded</c> (the VM ended, so what was waited for can't come), <c>VmNotRunning</c> (console of a stopped VM), <c>VmUnresponsive</c>.</summary>
    public WaitResult Wait(string id, WaitTarget target, WaitOptions? options = null, CancellationToken token = default) => throw new NotSupportedException("Not built yet.");

    /// <summary>Follows the console of a running VM; ends when the VM ends. Error: <c>VmNotRunning</c>.</summary>
    public ConsoleReader OpenConsole(string id, ConsoleStart start, CancellationToken token = default) => throw new NotSupportedException("Not built yet.");

    /// <summary>The last lines of this boot's console, or of the last boot's if the VM is stopped; null gives all lines.</summary>
    public IReadOnlyList<string> TailConsole(string id, int? lines = null) => throw new NotSupportedException("Not built yet.");

    /// <summary>Types text into the console. Errors: <c>VmNotRunning</c>, <c>ConsoleBusy</c>, <c>WaitTimeout</c>, <c>VmEnded</c>.</summary>
    /// <returns>What matched <see cref="SendOptions.ExpectMatch"/>; null without one.</returns>
    public ConsoleMatch? SendConsole(string id, string text, SendOptions? options = null, CancellationToken token = default) => throw new NotSupportedException("Not built yet.");

    /// <summary>An interactive session on this process's terminal; run it with <see cref="ConsoleSession.Run"/>.</summary>
    /// <param name="take">Take the keyboard from whoever is attached; else that is error <c>ConsoleBusy</c>.</param>
    public ConsoleSession EnterConsole(string id, bool take = false, CancellationToken token = default) => throw new NotSupportedException("Not built yet.");

    /// <summary>One QMP command on a connection of its own. Errors: <c>VmNotRunning</c>, <c>QmpCommandNotFound</c>, <c>QmpDeviceNotFound</c>, <c>QmpGenericError</c>, <c>QmpTimeout</c>, <c>QmpDisconnected</c>.</summary>
    /// <param name="arguments">A JSON object, or null.</param>
    /// <param name="timeout">For the answer; default 10 seconds.</param>
    /// <returns>The value of <c>return</c>; it needs no disposal.</returns>
    public JsonElement InvokeQmp(string id, string command, JsonElement? arguments = null, TimeSpan? timeout = null, CancellationToken token = default) => throw new NotSupportedException("Not built yet.");

    /// <summary>A QMP connection, for several commands or for events.</summary>
    public QmpConnection OpenQmp(string id, CancellationToken token = default) => throw new NotSupportedException("Not built yet.");

    /// <summary>This host and its KVM. Never fails for a lack of KVM or of the engine: the verdict says so.</summary>
    public HostInfo GetHost(CancellationToken token = default) => throw new NotSupportedException($"Not built yet ({_enginePath}).");
}

/// <summary>A read-only view of a running VM's console.</summary>
public sealed class ConsoleReader : IDisposable
{
    /// <summary>Absolute offset (bytes since the engine's start) of the next byte.</summary>
    public long Offset => throw new NotSupportedException("Not built yet.");

    /// <summary>Waits for bytes and reads them; zero means that the VM has ended.</summary>
    public int Read(Span<byte> buffer, CancellationToken token = default) => throw new NotSupportedException("Not built yet.");

    /// <summary>Waits for text: raw characters with escape sequences, decoded across reads; null means that the VM has ended.</summary>
    public string? ReadText(CancellationToken token = default) => throw new NotSupportedException("Not built yet.");

    /// <summary>Waits for the next whole line (without its end); at the end of the VM the last unfinished one; null after that.</summary>
    public string? ReadLine(CancellationToken token = default) => throw new NotSupportedException("Not built yet.");

    public void Dispose() => throw new NotSupportedException("Not built yet.");
}

/// <summary>How an interactive session ended.</summary>
public enum ConsoleSessionEnd
{
    /// <summary>The user pressed Ctrl-] or standard input ended.</summary>
    Left,

    /// <summary>The VM ended.</summary>
    VmEnded,

    /// <summary>Another user took the keyboard.</summary>
    Taken,
}

/// <summary>This process's terminal joined to the VM's console.</summary>
public sealed class ConsoleSession : IDisposable
{
    /// <summary>Runs until the user leaves with Ctrl-], the VM ends, or the token is cancelled. The terminal is raw meanwhile and is restored on every way out.</summary>
    public ConsoleSessionEnd Run(CancellationToken token = default) => throw new NotSupportedException("Not built yet.");

    public void Dispose() => throw new NotSupportedException("Not built yet.");
}

/// <summary>An event of the engine.</summary>
/// <param name="Name">Such as <c>SHUTDOWN</c>.</param>
/// <param name="Data">A JSON object; empty if the event had none.</param>
/// <param name="Timestamp">As the engine stamped it.</param>
public sealed record QmpEvent(string Name, JsonElement Data, DateTimeOffset Timestamp);

/// <summary>One connection to an engine's QMP socket. One thread at a time.</summary>
public sealed class QmpConnection : IDisposable
{
    /// <summary>The greeting's <c>QMP</c> object.</summary>
    public JsonElement Greeting => throw new NotSupportedException("Not built yet.");

    /// <summary>One command; events that arrive meanwhile are kept for <see cref="ReadEvent"/>.</summary>
    public JsonElement Execute(string command, JsonElement? arguments = null, TimeSpan? timeout = null, CancellationToken token = default) => throw new NotSupportedException("Not built yet.");

    /// <summary>Waits for the next event; null when the time limit passed (null waits for ever). Error <c>QmpDisconnected</c> when the engine ends.</summary>
    public QmpEvent? ReadEvent(TimeSpan? timeout = null, CancellationToken token = default) => throw new NotSupportedException("Not built yet.");

    public void Dispose() => throw new NotSupportedException("Not built yet.");
}
