using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Snapshots;
using Strato.Client.Store;

namespace Strato.Client.Runtime;

/// <summary>Lets the engine build a VM's machine and end (<c>-dry-run</c>): so what a start checks is checked by what starts.</summary>
internal static class DryRun
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>What the engine refuses; null for nothing.</summary>
    /// <param name="vm">The VM. What other programs serve (passt, virtiofsd) and what it would make (sockets and files of console ports) is left out.</param>
    /// <param name="engine">The engine's path.</param>
    /// <param name="force">Whether a KVM that only emulates is good enough.</param>
    /// <param name="token">Ends the wait, and the engine.</param>
    internal static StratoException? Run(VmDefinition vm, string engine, bool force, CancellationToken token)
    {
        VmDefinition alone = vm with
        {
            ConsolePorts = [],
            SharedFolders = [],
            NetworkAdapters = [.. vm.NetworkAdapters.Where(adapter => adapter.Settings.TapName is not null)],
        };
        return InFolder(folder => Run(alone, engine, folder, new StartOptions { Force = force }, token));
    }

    /// <summary>What the engine refuses of a machine that is restored, whose disks of now another has; null for nothing.</summary>
    /// <param name="vm">The VM, which shares nothing but its disks with the other.</param>
    /// <param name="snapshot">What it goes on from.</param>
    /// <param name="engine">The engine's path.</param>
    /// <param name="options">How it is to be started.</param>
    /// <param name="token">Ends the wait, and the engine.</param>
    internal static StratoException? Restore(VmDefinition vm, VmSnapshot snapshot, string engine, StartOptions options, CancellationToken token)
    {
        List<DriveDefinition> drives = [];
        List<string> made = [];
        try
        {
            foreach (DriveDefinition drive in vm.Drives)
            {
                if (drive.ReadOnly)
                {
                    drives.Add(drive);
                    continue;
                }

                if (SnapshotDisks.SizeOf(snapshot, drive) is not { } size)
                {
                    // A block device, whose size the engine alone knows.
                    return null;
                }

                // Of the same file system, so that the guest is told the same of its blocks.
                string path = SnapshotDisks.Beside(SnapshotDisks.ResolveLink(drive.Path), "look");
                made.Add(path);
                using FileStream file = new(path, FileMode.Create);
                file.SetLength(size);
                drives.Add(drive with { Path = path });
            }

            return InFolder(folder => Run(vm with { Drives = drives }, engine, folder, options, token));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Where nothing can be made there is nothing to look at; the start tells.
            return null;
        }
        finally
        {
            made.ForEach(AtomicFile.Remove);
        }
    }

    private static StratoException? InFolder(Func<string, StratoException?> run)
    {
        string folder = Directory.CreateTempSubdirectory("strato-").FullName;
        try
        {
            return run(folder);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static StratoException? Run(VmDefinition vm, string engine, string folder, StartOptions options, CancellationToken token)
    {
        string log = Path.Combine(folder, "engine.log");
        return Run(vm, engine, [.. EngineArguments.Build(vm, folder, log, Path.Combine(folder, "console.log"), options), "-dry-run"], log, token);
    }

    private static StratoException? Run(VmDefinition vm, string engine, List<string> arguments, string log, CancellationToken token)
    {
        using ReadinessPipe pipe = new();
        int pid = Spawn.Start(engine, arguments, output: -1, log, pipe.WriteEnd);
        long startTime = Procfs.TryReadStat(pid)?.StartTime ?? 0;
        using FileDescriptor pidfd = new(Libc.PidfdOpen(pid));
        int errno = Errno.Last;
        if (pidfd.IsInvalid)
        {
            // No descriptor is left, perhaps. Nobody has reaped it yet, so the number is still its own.
            _ = Libc.kill(pid, Libc.SIGKILL);
        }

        ChildWatch child = ChildWatch.Begin(pid, startTime, exitFile: null);
        bool ended = false;
        try
        {
            if (pidfd.IsInvalid)
            {
                throw EngineProcess.PidfdFailed(pid, errno);
            }

            pipe.CloseWriteEnd();
            string? line = pipe.ReadLine(pidfd.Value, Deadline.After(Limit), token);
            ended = line is not null && child.Wait(TimeSpan.FromSeconds(5));
            return line == "ok" ? null : line is null
                ? new StratoException(StratoErrorKind.Timeout, "StartTimeout", $"The engine has not built the machine within {Limit.TotalSeconds} seconds.")
                : ReadinessPipe.TryParseError(line, vm.Name)
                    ?? new StratoException(StratoErrorKind.Engine, "EngineFailed", $"The engine ended before it had built the machine{EndReason.LastWords(log)}");
        }
        finally
        {
            if (!ended)
            {
                Libc.PidfdSendSignal(pidfd.Value, Libc.SIGKILL);

                // One that hangs in the kernel is waited for by that thread alone: Ctrl-C is to be quick.
                child.Wait(TimeSpan.FromMilliseconds(100));
            }
        }
    }
}
