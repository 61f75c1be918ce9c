using System;
using System.Text;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;

namespace Strato.Engine.Chardev;

/// <summary>A file to which a ring's bytes are appended. A file that can't be written never stops the machine.</summary>
/// <remarks>
/// While the disk is full, or whatever else fails, the bytes wait in the ring, and each second it is tried again. What the
/// ring drops meanwhile is missing in the file, and a line in the file says so and how much it is. Used on the loop's thread.
/// </remarks>
internal sealed class ConsoleLog : IDisposable
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    private readonly ConsoleRing _ring;
    private readonly FileDescriptor _file;
    private readonly string _path;
    private readonly LoopTimer _retry;
    private readonly byte[] _buffer = new byte[16 * 1024];
    private long _position;
    private ReadOnlyMemory<byte> _note;
    private bool _failing;

    /// <param name="loop">The loop whose timer tries again.</param>
    /// <param name="ring">What is written, from its first byte on.</param>
    /// <param name="file">Open for writing at its end; owned by the log from here on.</param>
    /// <param name="path">Its path, for messages.</param>
    public ConsoleLog(EventLoop loop, ConsoleRing ring, FileDescriptor file, string path)
    {
        _ring = ring;
        _file = file;
        _path = path;
        _retry = new LoopTimer(loop, Write);

        // A file at the process's limit of size must fail the write, not end the engine.
        Libc.IgnoreSignal(Libc.SIGXFSZ);
    }

    /// <summary>Writes what is new in the ring, unless writing failed within the last second.</summary>
    public void Append()
    {
        if (!_failing)
        {
            Write();
        }
    }

    /// <summary>Tries once more to write all there is.</summary>
    public void Flush() => Write();

    public void Dispose()
    {
        _retry.Dispose();
        _file.Dispose();
    }

    private void Write()
    {
        long until = _ring.End;
        while (_note.Length > 0 || _position < until)
        {
            if (_note.Length == 0)
            {
                int count = _ring.Peek(ref _position, _buffer, out long lost);
                if (lost == 0)
                {
                    if (!TryWrite(_buffer.AsSpan(0, count), out int written))
                    {
                        return;
                    }

                    _position += written;
                    continue;
                }

                _note = Encoding.UTF8.GetBytes($"\n[strato: {lost} bytes of output are missing here]\n");
            }

            if (!TryWrite(_note.Span, out int noted))
            {
                return;
            }

            _note = _note[noted..];
        }

        if (_failing)
        {
            _failing = false;
            Log.Info("serial", $"{_path} is written again");
        }
    }

    private bool TryWrite(ReadOnlySpan<byte> data, out int written)
    {
        nint count = Libc.Write(_file.Value, data);
        written = (int)Math.Max(count, 0);
        if (count > 0)
        {
            return true;
        }

        if (!_failing)
        {
            _failing = true;
            string reason = count < 0 ? Errno.Text(Errno.Last) : "nothing was written";
            Log.Error("serial", $"{_path} can't be written: {reason}; the guest runs on, and writing is tried again each second");
        }

        _retry.Set(RetryDelay);
        return false;
    }
}
