using System;
using System.Buffers.Binary;

namespace Strato.Engine.Linux;

/// <summary>Tells an <see cref="EventLoop"/> of signals sent to the process, whichever thread the kernel interrupts with them.</summary>
/// <remarks>
/// Blocking the signals and reading a signalfd would miss those that reach a thread the runtime made before Main,
/// whose mask isn't ours: so a handler in machine code writes their number to a pipe.
/// </remarks>
internal sealed class SignalWatch : IDisposable
{
    private readonly EventLoop _loop;
    private readonly Action<int> _received;
    private readonly FileDescriptor _read;
    private readonly FileDescriptor _write;

    public SignalWatch(EventLoop loop, ReadOnlySpan<int> signals, Action<int> received)
    {
        _loop = loop;
        _received = received;
        Libc.CreatePipe(out _read, out _write, Libc.O_NONBLOCK);
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
