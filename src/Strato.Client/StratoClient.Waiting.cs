using System;
using System.Globalization;
using System.IO;
using System.Threading;
using Strato.Client.Consoles;
using Strato.Client.Linux;
using Strato.Client.Qmp;
using Strato.Client.Runtime;

namespace Strato.Client;

public sealed partial class StratoClient
{
    /// <summary>Waits on events: of the engine, of its process, of the folder where its start is noted, of its console.</summary>
    /// <remarks>
    /// <para>Running, Paused: a stopped VM is waited for until somebody starts it; one that ends during the wait is error <c>VmEnded</c>.
    /// Stopped: until the engine's process has ended.</para>
    /// <para>Console: all output since the last reset counts, from its first byte, and what still comes. A VM that ended by itself before the wait
    /// began is looked at as well, all of its last run; if its output doesn't match, that is <c>VmEnded</c>. One that was never started, or that was stopped by
    /// command, is <c>VmNotRunning</c>.</para>
    /// <para>GuestAgent, IPAddress: of a VM that runs, or starts (else <c>VmNotRunning</c>), with a port for an agent (else <c>GuestAgentNotFound</c>, unless a switch gives it an address). One that
    /// ends is <c>VmEnded</c>.</para>
    /// </remarks>
    /// <exception cref="StratoException"><c>WaitTimeout</c>, <c>VmEnded</c>, <c>VmNotRunning</c>, <c>VmNotFound</c> (removed meanwhile), <c>QmpTimeout</c> or <c>ConsoleTimeout</c> (the engine doesn't answer).</exception>
    public WaitResult Wait(string id, WaitTarget target, WaitOptions? options = null, CancellationToken token = default)
    {
        options ??= new WaitOptions();
        if (target == WaitTarget.Console && options.Match is null)
        {
            throw new StratoException(StratoErrorKind.InvalidArgument, "MatchMissing", "Waiting for the console needs a pattern to match.") { Where = "-Match" };
        }

        VmDefinition vm = target == WaitTarget.Stopped ? GetEvenGone(id, options.Seen) : GetById(id);
        Deadline deadline = Deadline.After(options.Timeout);
        ConsoleMatch? found = null;
        VmInfo? ended = null;
        try
        {
            if (target == WaitTarget.Console)
            {
                found = WaitForConsole(vm, options, deadline, token);
            }
            else if (target is WaitTarget.GuestAgent or WaitTarget.IPAddress)
            {
                WaitForGuest(vm, target, options, deadline, token);
            }
            else
            {
                WaitForState(vm, target, options, deadline, token);
            }
        }
        finally
        {
            ended = TakeEnded(vm, ranForSure: false);
        }

        return new WaitResult(ended ?? Snapshot(id, token), found);
    }

    private void WaitForState(VmDefinition vm, WaitTarget target, WaitOptions options, Deadline deadline, CancellationToken token)
    {
        string wanted = target.ToString();
        if (target == WaitTarget.Stopped && vm.Ephemeral && !Directory.Exists(Paths.VmDirectory(vm.Id)))
        {
            return;
        }

        using DirectoryWatch watch = new(Paths.VmDirectory(vm.Id));
        using Waiter waiter = new(token);

        // An ephemeral VM runs once: nobody starts it again.
        RunRecord? seen = vm.Ephemeral ? Registry.LastRun(vm.Id) : null;
        while (true)
        {
            watch.Clear();
            using EngineProcess? process = Registry.TryOpen(vm.Id);
            if (process is null)
            {
                if (target == WaitTarget.Stopped)
                {
                    return;
                }

                if (seen is not null)
                {
                    throw new StratoException(StratoErrorKind.Ended, "VmEnded", $"The VM '{vm.Name}' ended while waiting for it to be {wanted}. {Registry.WhyEnded(vm.Id, seen) ?? "It was powered off."}") { VmName = vm.Name };
                }

                GetById(vm.Id);
                Pause(watch.Fd, -1, deadline);
                continue;
            }

            seen = process.Run;
            if (target == WaitTarget.Stopped)
            {
                Pause(process.Fd, -1, deadline);
                continue;
            }

            if (ReachesState(process, vm, wanted, waiter, watch, deadline, token))
            {
                return;
            }
        }

        void Pause(int first, int second, Deadline until)
        {
            if (waiter.WaitReadable(until, first, second) < 0)
            {
                throw TimedOut(vm, wanted, options.Timeout);
            }
        }

        // False: look again from the beginning.
        bool ReachesState(EngineProcess process, VmDefinition definition, string state, Waiter wait, DirectoryWatch folder, Deadline until, CancellationToken cancel)
        {
            QmpConnection qmp;
            try
            {
                RuntimeFolder.Check(process.Run.Runtime);
                qmp = QmpConnection.Open(process.Run.QmpSocket, definition.Name, QmpConnection.QuickLimit, cancel);
            }
            catch (StratoException e) when (e.Kind is StratoErrorKind.Connection or StratoErrorKind.Timeout)
            {
                // The engine closes its sockets a little before its process is gone.
                TimeSpan grace = process.Run.Ready && e.Kind == StratoErrorKind.Connection ? EndLimit : TimeSpan.Zero;
                if (process.WaitForEnd(Deadline.After(grace).Sooner(until), cancel))
                {
                    return false;
                }

                if (process.Run.Ready)
                {
                    throw Advised(e, process, definition.Name);
                }

                // It starts: run.json is written anew when it is ready. Should the shell that writes it die, the second look helps.
                if (wait.WaitReadable(Deadline.After(TimeSpan.FromSeconds(1)).Sooner(until), process.Fd, folder.Fd) < 0 && until.Passed)
                {
                    throw TimedOut(definition, state, options.Timeout);
                }

                return false;
            }

            using (qmp)
            {
                bool ended = false;
                while (!ended)
                {
                    string now;
                    try
                    {
                        now = QmpCommand.State(Ask(process, definition.Name, () => qmp.Execute("query-status", null, QmpConnection.QuickLimit, cancel)));
                    }
                    catch (StratoException e) when (e.Kind == StratoErrorKind.Connection)
                    {
                        break;
                    }

                    if (now == state)
                    {
                        return true;
                    }

                    // Any event may mean another state; without one there is none.
                    while (qmp.TryTakeEvent(out ended) is null && !ended)
                    {
                        int ready = wait.WaitReadable(until, qmp.Fd, process.Fd);
                        if (ready < 0)
                        {
                            throw TimedOut(definition, state, options.Timeout);
                        }

                        if (ready == 1)
                        {
                            return false;
                        }
                    }
                }
            }

            process.WaitForEnd(Deadline.After(EndLimit).Sooner(until), cancel);
            return false;
        }
    }

    private ConsoleMatch WaitForConsole(VmDefinition vm, WaitOptions options, Deadline deadline, CancellationToken token)
    {
        ConsoleMatcher matcher = new(options.Match!);
        string pattern = options.Match!.ToString();
        using EngineProcess? process = WaitUntilReady(vm, options.Timeout, token);
        if (process is null)
        {
            // It ended by itself: a short-lived VM must not depend on who is faster.
            if (Registry.LastRun(vm.Id) is null || TryOpenLog(vm.Id) is not { } log)
            {
                throw NotRunning(vm.Name, Registry.WhyStopped(vm.Id));
            }

            using ConsoleReader old = new(connection: null, log);
            return Match(vm.Id, vm.Name, null, old, matcher, pattern, options.Timeout, deadline, token);
        }

        ConsoleReader reader;
        try
        {
            reader = OpenConsole(vm.Id, process, vm.Name, ConsoleStart.Boot, token);
        }
        catch (StratoException e) when (e.Id == "ConsoleDisconnected" && process.WaitForEnd(Deadline.After(EndLimit).Sooner(deadline), token) && File.Exists(Paths.ConsoleLog(vm.Id)))
        {
            reader = new ConsoleReader(connection: null, TryOpenLog(vm.Id));
        }

        try
        {
            using (reader)
            {
                return Match(vm.Id, vm.Name, process, reader, matcher, pattern, options.Timeout, deadline, token);
            }
        }
        catch (StratoException e) when (e.Id == "VmEnded" && TryOpenLog(vm.Id) is { } whole)
        {
            // What came last may not have come over the connection: the answer is the one of a wait that began a moment later.
            using ConsoleReader old = new(connection: null, whole);
            return Match(vm.Id, vm.Name, process, old, new ConsoleMatcher(options.Match!), pattern, options.Timeout, deadline, token);
        }
    }

    /// <summary>The engine once it serves its sockets; null if none runs, or its start came to nothing. Error <c>WaitTimeout</c>.</summary>
    /// <param name="vm">The VM.</param>
    /// <param name="limit">How long a start may go on; null is for ever.</param>
    /// <param name="token">Ends the wait.</param>
    private EngineProcess? WaitUntilReady(VmDefinition vm, TimeSpan? limit, CancellationToken token)
    {
        EngineProcess? first = Registry.TryOpen(vm.Id);
        if (first is null || first.Run.Ready)
        {
            return first;
        }

        first.Dispose();
        Deadline deadline = Deadline.After(limit);
        using DirectoryWatch watch = new(Paths.VmDirectory(vm.Id));
        using Waiter waiter = new(token);
        byte[] greeting = new byte[1];
        bool greeted = false;
        while (true)
        {
            watch.Clear();
            EngineProcess? process = Registry.TryOpen(vm.Id);
            if (process is null || process.Run.Ready || greeted)
            {
                return process;
            }

            using (process)
            {
                // It binds its sockets long before it serves them, and greets when it does; run.json is written anew then, unless the
                // shell that started it died. A socket that isn't bound yet is looked for again.
                RuntimeFolder.Check(process.Run.Runtime);
                UnixStream.TryConnect(process.Run.QmpSocket, out UnixStream? qmp);
                using (qmp)
                {
                    int ready = waiter.WaitReadable(Deadline.After(TimeSpan.FromSeconds(1)).Sooner(deadline), process.Fd, watch.Fd, qmp?.Fd ?? -1);
                    if (ready < 0 && deadline.Passed)
                    {
                        throw TimedOut(vm, "ready", limit);
                    }

                    greeted = ready == 2 && qmp!.Receive(greeting) > 0;
                }
            }
        }
    }

    private static StratoException TimedOut(VmDefinition vm, string wanted, TimeSpan? limit) =>
        new(StratoErrorKind.Timeout, "WaitTimeout", string.Create(CultureInfo.InvariantCulture, $"The VM '{vm.Name}' was not {wanted} within {limit!.Value.TotalSeconds:0.###} seconds.")) { VmName = vm.Name };
}
