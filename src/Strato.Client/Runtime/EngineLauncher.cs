using System;
using System.Collections.Generic;
using System.IO;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Store;

namespace Strato.Client.Runtime;

/// <summary>Starts an engine and waits until its guest runs. What fails leaves nothing behind; of an engine that ended by itself, without a word, the record stays that tells why.</summary>
internal sealed class EngineLauncher
{
    /// <summary>Characters of a line that is no answer which an error shows.</summary>
    private const int MaximumQuote = 200;

    private readonly StratoPaths _paths;
    private readonly EngineRegistry _registry;

    internal EngineLauncher(StratoPaths paths, EngineRegistry registry)
    {
        _paths = paths;
        _registry = registry;
    }

    /// <summary>Under the VM's lock, when no engine of it runs.</summary>
    internal void Launch(VmDefinition vm, string engine, StartOptions options, CancellationToken token)
    {
        token.ThrowIfCancellationRequested();
        _registry.Clean(vm.Id);
        bool good = false, ended = false;
        string? cgroup = null;
        try
        {
            cgroup = CpuShare.IsWanted(vm) ? CpuShare.Make(vm) : null;
            string runtime = RuntimeFolder.Prepare(_paths.RuntimeRoot, vm.Id);
            foreach (ConsolePortDefinition port in vm.ConsolePorts)
            {
                if (port.Backend == ConsolePortBackend.Socket)
                {
                    string path = DeviceArguments.PathOf(port, runtime);
                    UnixStream.CheckPath(path);
                    UnixStream.RemoveDead(path);
                }
            }

            EngineRegistry.Rotate(_paths.EngineLog(vm.Id), EngineLogFiles.Older);
            EngineLogFiles.Begin(_paths.EngineLog(vm.Id), vm.Name);
            EngineRegistry.Rotate(_paths.ConsoleLog(vm.Id));
            Run(vm, engine, runtime, cgroup, options, ref ended, token);
            good = true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The record of the run has no room, or no place.
            throw VmStore.NotWritable(_paths, e);
        }
        finally
        {
            if (!good && cgroup is not null)
            {
                CpuShare.Remove(cgroup, patient: true);
            }

            // An ephemeral VM whose start failed has not run, and stays.
            if (ended && !vm.Ephemeral)
            {
                _registry.CleanRuntime(vm.Id);
            }
            else if (!good)
            {
                _registry.Clean(vm.Id);
            }
        }
    }

    private void Run(VmDefinition vm, string engine, string runtime, string? cgroup, StartOptions options, ref bool ended, CancellationToken token)
    {
        string log = _paths.EngineLog(vm.Id);
        Deadline deadline = Deadline.After(options.Timeout);
        using ReadinessPipe pipe = new();
        string? sandbox = vm.NoSandbox ? null : SandboxSupport.OfThisProcess.Option;
        int pid;
        using (StartFiles files = new(_paths, vm.Id, deadline, token))
        {
            List<string> arguments = EngineArguments.Build(vm, runtime, log, _paths.ConsoleLog(vm.Id), options, sandbox, files);

            // Should this process die before the engine's number is noted, it is looked for.
            File.WriteAllText(_paths.LaunchFile(vm.Id), runtime);
            pid = Spawn.Start(engine, arguments, output: -1, log, pipe.WriteEnd, files.Files);
        }

        // The child can't be reaped before the watch begins, so its stat is there even if it has ended already.
        long startTime = Procfs.TryReadStat(pid)?.StartTime ?? 0;
        RunRecord run = new(pid, startTime, Procfs.BootId, runtime, Ready: false, options.Force, Sandboxed: sandbox is not null) { Cgroup = cgroup };
        using FileDescriptor pidfd = new(Libc.PidfdOpen(pid));
        int errno = Errno.Last;
        if (pidfd.IsInvalid)
        {
            // No descriptor is left, perhaps. Nobody has reaped it yet, so the number is still its own.
            Libc.kill(pid, Libc.SIGKILL);
        }

        ChildWatch child = ChildWatch.Begin(pid, startTime, _paths.ExitFile(vm.Id));
        bool good = false;
        try
        {
            if (pidfd.IsInvalid)
            {
                throw EngineProcess.PidfdFailed(pid, errno);
            }

            pipe.CloseWriteEnd();
            if (cgroup is not null)
            {
                CpuShare.Enter(vm, cgroup, pid);
            }

            run.Write(_paths.RunFile(vm.Id));
            AtomicFile.Remove(_paths.LaunchFile(vm.Id));
            run.WritePidFile();
            string? line = pipe.ReadLine(pidfd.Value, deadline, token);
            if (line != "ok")
            {
                throw Failure(vm, line, child, options, log, ref ended);
            }

            (run with { Ready = true }).Write(_paths.RunFile(vm.Id));
            good = true;
        }
        finally
        {
            if (!good)
            {
                Libc.PidfdSendSignal(pidfd.Value, Libc.SIGKILL);
                child.Wait(TimeSpan.FromSeconds(5));
            }
        }
    }

    private static StratoException Failure(VmDefinition vm, string? line, ChildWatch child, StartOptions options, string log, ref bool ended)
    {
        if (line is null)
        {
            return new StratoException(
                StratoErrorKind.Timeout, "StartTimeout", $"The engine of VM '{vm.Name}' was not ready after {options.Timeout.TotalSeconds:0.###} seconds and was ended{EndReason.LastWords(log)}")
            {
                VmName = vm.Name,
            };
        }

        if (ReadinessPipe.TryParseError(line, vm.Name) is { } error)
        {
            return error;
        }

        child.Wait(TimeSpan.FromSeconds(1));
        ended = child.Exit is not null;
        string how = child.Exit switch
        {
            { Signal: { } signal } => $"was ended by signal {signal} ({EndReason.SignalName(signal)})",
            { Code: { } code } => $"ended with exit code {code} ({EndReason.Meaning(code)})",
            _ => line.Length == 0 ? "closed its readiness pipe without a word" : $"said '{(line.Length > MaximumQuote ? line[..MaximumQuote] + "…" : line)}' instead of ok",
        };
        return new StratoException(StratoErrorKind.Engine, "EngineFailed", $"The engine of VM '{vm.Name}' {how} before it was ready{EndReason.LastWords(log)}")
        {
            VmName = vm.Name,
            RecommendedAction = $"Look into '{log}'.",
        };
    }
}
