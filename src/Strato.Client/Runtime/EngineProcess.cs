using System;
using System.Globalization;
using System.IO;
using System.Threading;
using Strato.Client.Linux;

namespace Strato.Client.Runtime;

/// <summary>A living engine, held by a pidfd: a signal through it can't reach another process, whatever became of the pid.</summary>
internal sealed class EngineProcess : IDisposable
{
    private readonly FileDescriptor _pidfd;

    private EngineProcess(RunRecord run, FileDescriptor pidfd)
    {
        Run = run;
        _pidfd = pidfd;
    }

    internal RunRecord Run { get; }

    /// <summary>Readable once the process has ended.</summary>
    internal int Fd => _pidfd.Value;

    internal bool HasEnded => new Waiter(CancellationToken.None).WaitReadable(Deadline.After(TimeSpan.Zero), Fd) >= 0;

    /// <summary>The process that the record means, or null if it has ended (a zombie has ended too).</summary>
    internal static EngineProcess? TryOpen(RunRecord run)
    {
        if (run.BootId != Procfs.BootId)
        {
            return null;
        }

        FileDescriptor pidfd = new(Libc.PidfdOpen(run.Pid));
        if (pidfd.IsInvalid)
        {
            int errno = Errno.Last;
            pidfd.Dispose();
            return errno == Errno.ESRCH
                ? null
                : throw PidfdFailed(run.Pid, errno);
        }

        // The descriptor came first: if the start time is still the right one now, the descriptor is of the right process.
        EngineProcess process = new(run, pidfd);
        if (Procfs.TryReadStat(run.Pid) is { } stat && stat.StartTime == run.StartTime && stat.State is not ('Z' or 'X') && !process.HasEnded)
        {
            return process;
        }

        process.Dispose();
        return null;
    }

    internal static StratoException PidfdFailed(int pid, int errno) =>
        new(StratoErrorKind.Unavailable, "PidfdFailed", $"pidfd_open({pid}): {Errno.Text(errno)}{(errno == Errno.ENOSYS ? "; Linux 5.3 or newer is needed" : "")}.");

    /// <summary>An engine that listens on the VM's socket but has no record, since the shell that started it died before writing one.</summary>
    internal static EngineProcess? TryAdopt(string runtimeDirectory)
    {
        string socket = Path.Combine(runtimeDirectory, "qmp.sock");
        if (!File.Exists(socket) || !RuntimeFolder.IsSafe(runtimeDirectory))
        {
            return null;
        }

        if (UnixStream.TryConnect(socket, out UnixStream? stream) != ConnectOutcome.Connected)
        {
            return null;
        }

        using (stream)
        {
            int pid = stream!.PeerPid;
            return pid > 1 && Procfs.TryReadStat(pid) is { } stat
                ? TryOpen(new RunRecord(pid, stat.StartTime, Procfs.BootId, runtimeDirectory, Ready: true, Sandboxed: IsSandboxed(pid)))
                : null;
        }
    }

    /// <summary>An engine that was started to have its sockets in a folder, known by its arguments.</summary>
    internal static EngineProcess? TryFind(string runtimeDirectory)
    {
        string socket = Path.Combine(runtimeDirectory, "qmp.sock");
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out int pid)
                && (Procfs.ReadText($"{folder}/cmdline") ?? "").Contains($"\0-qmp\0unix:{EngineArguments.Part(socket)},", StringComparison.Ordinal)
                && Procfs.TryReadStat(pid) is { } stat
                && TryOpen(new RunRecord(pid, stat.StartTime, Procfs.BootId, runtimeDirectory, Ready: false, Sandboxed: IsSandboxed(pid))) is { } process)
            {
                return process;
            }
        }

        return null;
    }

    /// <summary>Whether it was started to shut itself in.</summary>
    private static bool IsSandboxed(int pid)
    {
        string[] arguments = (Procfs.ReadText($"/proc/{pid}/cmdline") ?? "").Split('\0');
        int at = Array.IndexOf(arguments, "-sandbox");
        return at >= 0 && at + 1 < arguments.Length && arguments[at + 1].StartsWith("on", StringComparison.Ordinal);
    }

    internal void Kill() => Libc.PidfdSendSignal(Fd, Libc.SIGKILL);

    /// <summary>False if the process is still there after so long.</summary>
    internal bool WaitForEnd(Deadline deadline, CancellationToken token)
    {
        using Waiter waiter = new(token);
        return waiter.WaitReadable(deadline, Fd) >= 0;
    }

    public void Dispose() => _pidfd.Dispose();
}
