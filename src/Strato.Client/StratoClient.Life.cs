using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Qmp;
using Strato.Client.Runtime;
using Strato.Client.Store;

namespace Strato.Client;

public sealed partial class StratoClient
{
    /// <summary>How long an engine may take to end after quit, or after SIGKILL.</summary>
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(5);

    /// <summary>What is unusual about a VM on this host, each one sentence: more memory than the host has, more virtual CPUs than real ones. It starts all the same.</summary>
    public IReadOnlyList<string> GetWarnings(VmDefinition vm)
    {
        List<string> warnings = [];
        long total = HostFacts.Memory().Total;
        if (total > 0 && vm.Memory > total)
        {
            warnings.Add($"The VM '{vm.Name}' has {vm.Memory >> 20} MiB of memory; the host has {total >> 20} MiB.");
        }

        if (vm.Cpu > Environment.ProcessorCount)
        {
            warnings.Add($"The VM '{vm.Name}' has {vm.Cpu} virtual CPUs; this process may use {Environment.ProcessorCount} of the host's.");
        }

        return warnings;
    }

    /// <summary>Starts the VM and returns when its virtual CPUs run. Errors: <c>VmRunning</c>, <c>VmBusy</c>, <c>EngineNotFound</c>, <c>StartTimeout</c>, <c>SocketPathTooLong</c>, <c>EngineFailed</c>, <c>CgroupUnavailable</c>, <c>CgroupDenied</c>, <c>CgroupFailed</c>, and what the engine reports. A failed or cancelled start leaves no process.</summary>
    public VmInfo Start(string id, StartOptions? options = null, CancellationToken token = default)
    {
        options ??= new StartOptions();

        VmDefinition vm = GetById(id);
        TakeEnded(vm, ranForSure: false);
        using (Store.Lock(id, token, options.Timeout))
        {
            // An ephemeral VM runs once: another shell may have started it while this one waited.
            if (vm.Ephemeral && Registry.LastRun(id) is not null)
            {
                using EngineProcess? process = Registry.TryOpen(id);
                if (process is null)
                {
                    throw VmStore.Missing(id);
                }
            }

            StartLocked(id, options, token);
        }

        return SnapshotEvenGone(vm, token);
    }

    /// <summary>Under the VM's lock.</summary>
    private void StartLocked(string id, StartOptions options, CancellationToken token)
    {
        EngineRegistry registry = Registry;
        VmDefinition vm = GetById(id);
        using EngineProcess? process = registry.TryOpen(id);
        if (process is not null)
        {
            throw new StratoException(StratoErrorKind.InvalidState, "VmRunning", $"The VM '{vm.Name}' is running already (process {process.Run.Pid}).") { VmName = vm.Name };
        }

        // The engine's options know no link that is down: it is taken down before the guest runs.
        bool disconnects = vm.NetworkAdapters.Any(IsDisconnected);
        bool pins = vm.Processor.Affinity.Count > 0;

        // Its group takes it in while it builds its machine; what the guest does is under its weight and quota from the start.
        bool shares = CpuShare.IsWanted(vm);
        CheckPins(vm);
        new EngineLauncher(Paths, registry).Launch(vm, FindEngine(), disconnects || pins || shares ? options with { Paused = true } : options, token);
        try
        {
            // A guest that has run may have written to its disks, and isn't ended for a pin.
            if (pins)
            {
                PinStarted(vm, token);
            }

            if (vm.Balloon is not null)
            {
                AskForMemoryFigures(id, token);
            }

            if (disconnects)
            {
                DisconnectAdapters(vm, options.Paused, token);
            }
            else if ((pins || shares) && !options.Paused)
            {
                InvokeQmp(id, "cont", token: token);
            }
        }
        catch
        {
            EndStarted(id);
            throw;
        }
    }

    /// <summary>Of a start that failed when the engine ran already nothing stays. Under the VM's lock.</summary>
    private void EndStarted(string id)
    {
        using (EngineProcess? process = Registry.TryOpen(id))
        {
            process?.Kill();
            process?.WaitForEnd(Deadline.After(EndLimit), CancellationToken.None);
        }

        Registry.Clean(id);
    }

    /// <summary>Stops the VM and returns when its engine has ended. Stopping a stopped VM does nothing; a paused VM is resumed, so that its guest can power down. Errors: <c>StopTimeout</c>; <c>WaitTimeout</c> if another shell goes on starting it; <c>QmpTimeout</c> if the engine doesn't answer (TurnOff works then, too). Works on damaged definitions too.</summary>
    public VmInfo Stop(string id, StopOptions? options = null, CancellationToken token = default)
    {
        options ??= new StopOptions();
        VmDefinition vm = GetEvenGone(id, options.Seen);
        using EngineProcess? process = OpenToStop(vm, options, token);
        bool asAsked = process is not null && End(vm, process, options, token);
        if (TakeEnded(vm, ranForSure: process is not null) is { } gone)
        {
            return asAsked ? gone with { StateReason = null, Status = "Operating normally" } : gone;
        }

        // An ephemeral one that couldn't be removed now is known by this record as one that has run.
        if (asAsked && !vm.Ephemeral)
        {
            Registry.Forget(id, process!.Run, Store);
        }

        return Snapshot(id, token);
    }

    /// <summary>Ends an engine.</summary>
    /// <returns>False for one that was killed while its guest powered down: it did not end as asked, and its reason stays to be seen.</returns>
    private bool End(VmDefinition vm, EngineProcess process, StopOptions options, CancellationToken token)
    {
        if (options.TurnOff || !PowerDown(vm, process, options, token))
        {
            TurnOff(vm, process, token);
            return true;
        }

        return Registry.WhyEnded(vm.Id, process.Run) is null;
    }

    /// <summary>Holds the virtual CPUs; a paused VM stays paused. Errors: <c>VmNotRunning</c>, <c>QmpTimeout</c>.</summary>
    public VmInfo Suspend(string id, CancellationToken token = default) => Command(id, "stop", token);

    /// <summary>Lets the virtual CPUs go on; a running VM keeps running. Errors: <c>VmNotRunning</c>, <c>QmpTimeout</c>.</summary>
    public VmInfo Resume(string id, CancellationToken token = default)
    {
        VmDefinition vm = GetById(id);
        if (!vm.NetworkAdapters.Any(IsDisconnected))
        {
            return Command(id, "cont", token);
        }

        // Whoever started it may have ended before the links were down.
        DisconnectAdapters(vm, staysPaused: false, token);
        return Snapshot(id, token);
    }

    /// <summary>Restarts a running VM; a start that was forced is forced again. Errors: <c>VmNotRunning</c>, and those of <see cref="Stop"/> and <see cref="Start"/>.</summary>
    /// <param name="id">The VM.</param>
    /// <param name="kind">How.</param>
    /// <param name="stop">For <see cref="RestartKind.Reboot"/>.</param>
    /// <param name="token">Ends the wait.</param>
    public VmInfo Restart(string id, RestartKind kind, StopOptions? stop = null, CancellationToken token = default)
    {
        if (kind == RestartKind.Reset)
        {
            return Command(id, "system_reset", token);
        }

        bool force;
        using (EngineProcess process = OpenRunning(id))
        {
            force = process.Run.Force;
        }

        StartOptions start = new() { Force = force };
        if (!GetById(id).Ephemeral)
        {
            Stop(id, stop, token);
            return Start(id, start, token);
        }

        return RestartEphemeral(id, stop ?? new StopOptions(), start, token);
    }

    /// <summary>Under one lock, so that nobody takes it for one that has ended. One that ends and can't start again has ended.</summary>
    private VmInfo RestartEphemeral(string id, StopOptions stop, StartOptions start, CancellationToken token)
    {
        VmDefinition vm = GetById(id);
        bool ended = false;
        using Maker maker = new();
        try
        {
            using (Store.Lock(id, token))
            {
                vm = GetById(id);
                using (EngineProcess? process = OpenToStop(vm, stop, token))
                {
                    if (process is not null)
                    {
                        End(vm, process, stop, token);
                    }
                }

                // The record of its run goes when it is started.
                maker.Take(Paths.VmDirectory(id));
                ended = true;
                StartLocked(id, start, token);
            }
        }
        catch when (ended)
        {
            TryRemoveEnded(vm, ranForSure: true, RemovalLimit);
            throw;
        }

        return SnapshotEvenGone(vm, token);
    }

    /// <summary>The engine's path; throws when there is none.</summary>
    internal string FindEngine() => EngineFinder.Find(_enginePath, Environment.GetEnvironmentVariable, AssemblyFolder());

    private static string AssemblyFolder()
    {
        string location = typeof(StratoClient).Assembly.Location;
        return location.Length == 0 ? AppContext.BaseDirectory : System.IO.Path.GetDirectoryName(location)!;
    }

    private VmInfo Command(string id, string command, CancellationToken token)
    {
        using (QmpConnection qmp = OpenQmp(id, token))
        {
            qmp.Execute(command, null, null, token);
        }

        return Snapshot(id, token);
    }

    /// <summary>The engine of a VM that must run.</summary>
    private EngineProcess OpenRunning(string id)
    {
        VmDefinition vm = GetById(id);
        return Registry.TryOpen(id) ?? throw NotRunning(vm.Name, Registry.WhyStopped(id));
    }

    /// <summary>The engine of a VM that must run; where another shell is starting it, once it serves its sockets.</summary>
    private EngineProcess OpenReady(string id, TimeSpan? limit, CancellationToken token)
    {
        VmDefinition vm = GetById(id);
        TimeSpan most = limit is { } given && given < StartingLimit ? given : StartingLimit;
        return WaitUntilReady(vm, most, token) ?? throw NotRunning(vm.Name, Registry.WhyStopped(id));
    }

    /// <summary>The engine that is to be stopped; one that another shell is starting can be asked once it serves its sockets, and turned off before that.</summary>
    private EngineProcess? OpenToStop(VmDefinition vm, StopOptions options, CancellationToken token)
    {
        if (!options.TurnOff)
        {
            TimeSpan? given = options.TurnOffAfter ?? options.Timeout;
            try
            {
                return WaitUntilReady(vm, given < StartingLimit ? given : StartingLimit, token);
            }
            catch (StratoException e) when (e.Id == "WaitTimeout" && options.TurnOffAfter is not null)
            {
                // It is turned off below, for it can't be asked.
            }
        }

        return Registry.TryOpen(vm.Id);
    }

    private static StratoException NotRunning(string name, string? reason) =>
        new(StratoErrorKind.InvalidState, "VmNotRunning", reason is null ? $"The VM '{name}' is stopped." : $"The VM '{name}' is stopped. {reason}")
        {
            VmName = name,
            RecommendedAction = $"Start-StratoVm '{name}' first.",
        };

    /// <summary>Asks an engine; one that doesn't answer is told with what to do about it.</summary>
    private static T Ask<T>(EngineProcess process, string name, Func<T> question)
    {
        try
        {
            return question();
        }
        catch (StratoException e) when (e.Id is "QmpTimeout" or "ConsoleTimeout")
        {
            throw Advised(e, process, name);
        }
    }

    private static StratoException Advised(StratoException e, EngineProcess process, string name)
    {
        int pid = process.Run.Pid;
        string stopped = Procfs.TryReadStat(pid)?.State is 'T' or 't' ? $"The engine was stopped by a signal; kill -CONT {pid} lets it go on. " : "";
        return new StratoException(e.Kind, e.Id, e.Message, e) { VmName = name, RecommendedAction = $"{stopped}Stop-StratoVm '{name}' -TurnOff ends it all the same." };
    }

    /// <summary>Asks the guest to power down and waits. False: turn it off instead.</summary>
    private static bool PowerDown(VmDefinition vm, EngineProcess process, StopOptions options, CancellationToken token)
    {
        TimeSpan? limit = options.TurnOffAfter ?? options.Timeout;
        Deadline deadline = Deadline.After(limit);
        QmpConnection qmp;
        try
        {
            qmp = QmpConnection.Open(process.Run.QmpSocket, vm.Name, QmpConnection.QuickLimit, token);
            try
            {
                if (QmpCommand.State(qmp.Execute("query-status", null, QmpConnection.QuickLimit, token)) == VmState.Paused)
                {
                    qmp.Execute("cont", null, QmpConnection.QuickLimit, token);
                }

                qmp.Execute("system_powerdown", null, QmpConnection.QuickLimit, token);
            }
            catch
            {
                qmp.Dispose();
                throw;
            }
        }
        catch (StratoException e) when (e.Kind is StratoErrorKind.Timeout or StratoErrorKind.Connection)
        {
            // It may have ended just now; else it can't be asked, but can still be waited for and turned off.
            if (process.WaitForEnd(options.TurnOffAfter is null ? Deadline.After(TimeSpan.FromMilliseconds(200)) : deadline, token))
            {
                return true;
            }

            return options.TurnOffAfter is not null
                ? false
                : throw Advised(e, process, vm.Name);
        }

        using (qmp)
        {
            if (WaitForShutdown(vm, qmp, process, deadline, token))
            {
                return true;
            }
        }

        return options.TurnOffAfter is not null
            ? false
            : throw new StratoException(StratoErrorKind.Timeout, "StopTimeout", $"The guest of VM '{vm.Name}' did not power down within {limit!.Value.TotalSeconds:0.###} seconds of being asked.")
            {
                VmName = vm.Name,
                RecommendedAction = "The guest needs acpid, systemd-logind or the like to obey; -TurnOffAfter ends it after so many seconds, -TurnOff at once without asking.",
            };
    }

    /// <summary>Waits for the engine's end. An engine that stays after its guest has shut down is turned off.</summary>
    private static bool WaitForShutdown(VmDefinition vm, QmpConnection qmp, EngineProcess process, Deadline deadline, CancellationToken token)
    {
        using Waiter waiter = new(token);
        bool ended = false;
        while (true)
        {
            while (!ended && qmp.TryTakeEvent(out ended) is { } received)
            {
                if (received.Name == "SHUTDOWN" && !process.WaitForEnd(Deadline.After(EndLimit), token))
                {
                    TurnOff(vm, process, token);
                    return true;
                }
            }

            switch (waiter.WaitReadable(deadline, process.Fd, ended ? -1 : qmp.Fd))
            {
                case 0:
                    return true;
                case -1:
                    return false;
            }
        }
    }

    /// <summary>Tells the engine to quit, and kills it if it doesn't.</summary>
    private static void TurnOff(VmDefinition vm, EngineProcess process, CancellationToken token)
    {
        bool asked = false;
        try
        {
            using QmpConnection qmp = QmpConnection.Open(process.Run.QmpSocket, vm.Name, QmpConnection.QuickLimit, token);
            asked = true;
            qmp.Execute("quit", null, QmpConnection.QuickLimit, token);
            if (process.WaitForEnd(Deadline.After(EndLimit), token))
            {
                return;
            }
        }
        catch (StratoException e)
        {
            // It ends so fast that the answer is lost, or it hears nothing any more, or doesn't know the command.
            if (asked && e.Id == "QmpDisconnected" && process.WaitForEnd(Deadline.After(EndLimit), token))
            {
                return;
            }
        }

        process.Kill();
        if (!process.WaitForEnd(Deadline.After(EndLimit), token))
        {
            throw new StratoException(StratoErrorKind.Failed, "EngineNotKilled", $"The engine of VM '{vm.Name}' (process {process.Run.Pid}) is still there {EndLimit.TotalSeconds} seconds after SIGKILL; it hangs in the kernel.") { VmName = vm.Name };
        }
    }
}
