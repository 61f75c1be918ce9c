using System;
using System.Diagnostics;
using System.IO;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading;
using Xunit;

namespace Strato.Tests.Guest.Harness;

/// <summary>All bytes that a stream has given so far, and waiting for what is still to come. Text is Latin-1: a character is a byte.</summary>
internal sealed class ByteLog
{
    private readonly object _gate = new();
    private readonly Thread _reader;
    private byte[] _bytes = new byte[64 * 1024];
    private int _length;
    private bool _ended;

    public ByteLog(string name, Stream stream)
    {
        Name = name;
        _reader = new Thread(() => Read(stream)) { IsBackground = true, Name = name };
        _reader.Start();
    }

    public string Name { get; }

    /// <summary>Number of bytes so far.</summary>
    public int Length
    {
        get
        {
            lock (_gate)
            {
                return _length;
            }
        }
    }

    /// <summary>What came from offset <paramref name="from"/> on, up to <paramref name="to"/> if given.</summary>
    public string Text(int from = 0, int? to = null)
    {
        lock (_gate)
        {
            return Encoding.Latin1.GetString(_bytes, from, (to ?? _length) - from);
        }
    }

    /// <summary>All of it as UTF-8.</summary>
    public string Utf8()
    {
        lock (_gate)
        {
            return Encoding.UTF8.GetString(_bytes, 0, _length);
        }
    }

    /// <summary>Waits for the first match at or behind <paramref name="from"/>; its positions count from there.</summary>
    public Match WaitFor(Regex pattern, int from, TimeSpan limit)
    {
        Match match = Match.Empty;
        Wait($"/{pattern}/", from, limit, _ => (match = pattern.Match(Text(from))).Success);
        return match;
    }

    /// <summary>Waits for a text; looks at each byte once, however much comes before it.</summary>
    /// <returns>The offset behind it.</returns>
    public int WaitFor(string text, int from, TimeSpan limit)
    {
        byte[] wanted = Encoding.Latin1.GetBytes(text);
        int seen = from;
        Wait($"'{text}'", from, limit, bytes =>
        {
            int at = bytes[seen..].IndexOf(wanted);
            seen = at < 0 ? Math.Max(from, bytes.Length - wanted.Length + 1) : seen + at + wanted.Length;
            return at >= 0;
        });
        return seen;
    }

    /// <summary>Waits until the stream has ended.</summary>
    public void WaitEnd(TimeSpan limit) =>
        Assert.True(_reader.Join(limit), $"{Name} is still open after {limit.TotalSeconds} s");

    private delegate bool Condition(ReadOnlySpan<byte> bytes);

    private void Wait(string what, int from, TimeSpan limit, Condition condition)
    {
        long start = Stopwatch.GetTimestamp();
        lock (_gate)
        {
            while (!condition(_bytes.AsSpan(0, _length)))
            {
                TimeSpan left = limit - Stopwatch.GetElapsedTime(start);
                if (_ended || left <= TimeSpan.Zero)
                {
                    string why = _ended ? "ended" : $"did not give it within {limit.TotalSeconds:0} s";
                    string message = $"waiting for {what}: {Name} {why}. Its last text:\n{Text(Math.Max(from, _length - 3000))}";
                    throw _ended ? new EndOfStreamException(message) : new TimeoutException(message);
                }

                Monitor.Wait(_gate, left);
            }
        }
    }

    private void Read(Stream stream)
    {
        byte[] buffer = new byte[64 * 1024];
        try
        {
            int count;
            while ((count = stream.Read(buffer)) > 0)
            {
                lock (_gate)
                {
                    if (_length + count > _bytes.Length)
                    {
                        Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _length + count));
                    }

                    buffer.AsSpan(0, count).CopyTo(_bytes.AsSpan(_length));
                    _length += count;
                    Monitor.PulseAll(_gate);
                }
            }
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException)
        {
            // A terminal or socket whose other side is gone: the end.
        }

        lock (_gate)
        {
            _ended = true;
            Monitor.PulseAll(_gate);
        }
    }
}
