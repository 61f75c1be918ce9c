using System;
using System.IO;
using System.Threading;
using Strato.Client.Linux;

namespace Strato.Client.Runtime;

/// <summary>Waits for one child, so that it doesn't stay a zombie in a long-lived shell, and writes down how it ended.</summary>
/// <remarks>
/// .NET reaps only children of its own Process class and leaves others alone, so one waiting thread per engine disturbs nothing; its
/// stack is small and it sleeps in waitpid. An engine started by way of a second process would be init's child and would need no
/// thread, but then nobody learns its exit code. When the shell ends first, init inherits the engine.
/// </remarks>
internal sealed unsafe class ChildWatch
{
    private readonly ManualResetEventSlim _done = new();
    private readonly int _pid;
    private readonly long _startTime;
    private readonly string? _exitFile;

    private ChildWatch(int pid, long startTime, string? exitFile)
    {
        _pid = pid;
        _startTime = startTime;
        _exitFile = exitFile;
    }

    /// <summary>How it ended; null while it runs, or if that could not be learned.</summary>
    internal ExitRecord? Exit { get; private set; }

    /// <param name="pid">A child of this process that nobody else waits for.</param>
    /// <param name="startTime">Of the child.</param>
    /// <param name="exitFile">Where to write how it ended, or null.</param>
    internal static ChildWatch Begin(int pid, long startTime, string? exitFile)
    {
        ChildWatch watch = new(pid, startTime, exitFile);
        Thread thread = new(watch.Run, maxStackSize: 256 * 1024) { IsBackground = true, Name = "strato-wait" };
        thread.Start();
        return watch;
    }

    /// <summary>Gives the leader of a group so long to end, then kills all of the group.</summary>
    internal void End(TimeSpan grace)
    {
        if (!Wait(grace))
        {
            _ = Libc.kill(-_pid, Libc.SIGKILL);
            Wait(grace);
        }
    }

    /// <summary>False if the child is still there after so long.</summary>
    internal bool Wait(TimeSpan limit) => _done.Wait(limit);

    private void Run()
    {
        int status = 0;
        int result;
        do
        {
            result = Libc.waitpid(_pid, &status, 0);
        }
        while (result < 0 && Errno.Last == Errno.EINTR);

        if (result == _pid)
        {
            // The wait status of <sys/wait.h>: the low seven bits are the signal, the second byte is the exit code.
            int signal = status & 0x7f;
            Exit = new ExitRecord(_pid, _startTime, signal == 0 ? (status >> 8) & 0xff : null, signal == 0 ? null : signal);
            try
            {
                if (_exitFile is not null)
                {
                    Exit.Write(_exitFile);
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The VM was removed meanwhile, or the disk is full: the reason is lost, nothing more.
            }
        }

        _done.Set();
    }
}
