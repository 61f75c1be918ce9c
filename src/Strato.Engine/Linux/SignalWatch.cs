using System;
using System.Buffers.Binary;

namespace Strato.Engine.Linux;

/// <summary>Tells an <see cref="EventLoop"/> of signals sent to the process, whichever thread the kernel interrupts with them.</summary>
/// <remarks>
/// Blocking the signals and reading a signalfd would miss those that reach a thread the runtime made before Main,
/// whose mask isn't ours: so a handler in machine code writes their number to a pipe.
/// </remarks>
internal sealed unsafe class SignalWatch : IDisposable
{
    private readonly EventLoop _loop;
    private readonly Action<int> _received;
    private readonly FileDescriptor _read;
    private readonly FileDescriptor _write;

    public SignalWatch(EventLoop loop, ReadOnlySpan<int> signals, Action<int> received)
    {
        _loop = loop;
        _received = received;
        int* ends = stackalloc int[2];
        if (Libc.pipe2(ends, Libc.O_CLOEXEC | Libc.O_NONBLOCK) < 0)
        {
            throw LinuxException.Last("pipe2");
        }

        _read = new FileDescriptor(ends[0]);
        _write = new FileDescriptor(ends[1]);
        loop.Add(_read.Value, EpollEvents.In, OnReady);
        nint handler = NativeStubs.WriteSignalNumber(_write.Value);
        foreach (int signal in signals)
        {
            NativeStubs.Install(signal, handler);
        }
    }

    public void Dispose()
    {
        // The write end stays open: the handler may still run, and its number must not become another file's.
        _loop.Remove(_read.Value);
        _read.Dispose();
    }

    private void OnReady(EpollEvents events)
    {
        Span<byte> number = stackalloc byte[sizeof(long)];
        while (Libc.Read(_read.Value, number) == number.Length)
        {
            _received((int)BinaryPrimitives.ReadInt64LittleEndian(number));
        }
    }
}
