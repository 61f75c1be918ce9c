using System;
using System.Threading;
using Strato.Engine.Linux;
using Strato.Engine.Security;

namespace Strato.Engine.Machine;

/// <summary>A thread with an event loop of its own, named as the user named it, which serves the devices plugged into it.</summary>
/// <remarks>
/// Devices are plugged in before <see cref="Start"/>, and taken out after <see cref="Stop"/>: the loop's list of
/// descriptors is touched by one thread at a time. Between the two everyone else reaches a device only through its gate.
/// </remarks>
internal sealed class IoThread : IDisposable
{
    private const int StackBytes = 256 * 1024;

    private readonly Thread _thread;
    private readonly ManualResetEventSlim _running = new();
    private int _threadId;
    private bool _started;

    public IoThread(string id)
    {
        Id = id;
        _thread = new Thread(Main, StackBytes) { IsBackground = true };
    }

    public string Id { get; }

    public EventLoop Loop { get; } = new();

    /// <summary>The kernel's id of the thread; 0 before <see cref="Start"/>.</summary>
    public int ThreadId => _threadId;

    /// <summary>Starts the thread; returns when its loop runs.</summary>
    public void Start()
    {
        _started = true;
        _thread.Start();
        _running.Wait();
    }

    /// <summary>Ends the thread; when this returns, its loop may be touched by the caller. May be called again.</summary>
    public void Stop()
    {
        if (_started)
        {
            _started = false;
            Loop.Post(Loop.Stop);
            _thread.Join();
        }
    }

    public void Dispose()
    {
        Stop();
        Loop.Dispose();
        _running.Dispose();
    }

    private void Main()
    {
        Libc.SetThreadName(Id);
        Seccomp.EnterThread(ThreadKinds.IoThread);
        _threadId = Libc.gettid();
        Loop.Post(_running.Set);
        Loop.Run();
    }
}
