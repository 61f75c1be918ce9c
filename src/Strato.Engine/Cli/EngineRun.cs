using System;
using Strato.Engine.Chardev;
using Strato.Engine.Kvm;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.Engine.Qmp;
using Strato.Engine.Security;
using Strato.Engine.Snapshot;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary>One run of a machine, from its configuration to the engine's exit code.</summary>
internal static class EngineRun
{
    private static readonly TimeSpan FlushLimit = TimeSpan.FromSeconds(2);

    /// <summary>Builds the machine, tells the readiness pipe, and serves it until it ends.</summary>
    /// <returns>0 after power-off or quit, 3 after a failure while it ran.</returns>
    /// <exception cref="UserErrorException">It can't be built as wished.</exception>
    public static int Run(Options options, LogFile? log, ReadyPipe ready)
    {
        VmConfiguration configuration = options.Configuration;
        if (options.Sandbox is not null)
        {
            SandboxOption.CloseOthers(options, ready.Descriptor);
        }

        if (options.DryRun)
        {
            DryRunFiles.Check(configuration);
        }

        if (configuration.Name is { } name)
        {
            Libc.SetThreadName(name);
        }

        using EventLoop loop = new();
        log?.Join(loop);
        using PidFile? pidFile = configuration.PidFile is { } path ? new PidFile(path) : null;
        using KvmSystem kvm = OpenKvm();
        using ICharBackend? serial = CharBackends.Create(loop, configuration.Serial, "ttyS0", "-serial");
        RestoredMachine? restored = options.Incoming is { } incoming ? SnapshotFiles.Open(IncomingSnapshot.Parse(incoming, options.KeepsTime)) : null;
        using FileDescriptor? memory = restored?.MemoryFile;
        using MicroVm board = new(kvm, configuration, loop, serial, restored);
        if (options.DryRun)
        {
            // All that could have been refused was there, and locked; it is let go again.
            ready.Succeed();
            return EngineExit.Success;
        }

        VirtualMachine machine = new(loop, configuration.Name, board, configuration.NoReboot, configuration.NoShutdown);
        using QmpServer qmp = new(loop, machine, () => OptionGroups.List(OptionTable.List));
        foreach (string socket in configuration.QmpSockets)
        {
            qmp.Listen(socket);
        }

        using SignalWatch signals = new(loop, [Libc.SIGTERM, Libc.SIGINT, Libc.SIGHUP], _ => machine.Quit("host-signal"));

        // All that the machine needs is open, and nothing of the guest has run.
        FileSetOption.Leave(options);
        if (options.Sandbox is { } plan)
        {
            Sandbox.Enter(plan);
        }

        // What comes late is the owner's as well; programs that were started set their own.
        _ = Libc.umask(0x3F /* 0077 */);
        if (!configuration.DisableSeccomp)
        {
            // The threads that the guest drives aren't there yet. No code can be loaded, and no program started, from here on.
            Seccomp.EnterProcess();
        }

        machine.StartThreads();

        // By the loop, so that QMP answers whoever is told; and before anything that the guest does.
        loop.Post(ready.Succeed);
        if (!configuration.StartPaused)
        {
            machine.Resume();
        }

        loop.Run();
        serial?.Flush(FlushLimit);
        return machine.ExitCode;
    }

    private static KvmSystem OpenKvm()
    {
        try
        {
            return KvmSystem.Open();
        }
        catch (LinuxException error)
        {
            throw KvmVerdict.OfOpenError(error).ToError();
        }
    }
}
