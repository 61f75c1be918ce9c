using System;
using System.Collections.Generic;
using System.Text;
using System.Threading;
using Strato.Client.Consoles;
using Strato.Client.Linux;
using Strato.Client.Runtime;

namespace Strato.Client;

/// <summary>A read-only view of a VM's console that follows it until the VM ends. One thread at a time.</summary>
public sealed class ConsoleReader : IDisposable
{
    private readonly ConsoleConnection? _connection;
    private readonly ConsoleLogStream? _log;
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private readonly Queue<string> _lines = new();
    private readonly StringBuilder _line = new();
    private bool _ended;

    /// <param name="connection">Live output; null where there is only the log.</param>
    /// <param name="log">Older output, read first and up to the connection's offset; null for none.</param>
    internal ConsoleReader(ConsoleConnection? connection, ConsoleLogStream? log)
    {
        _connection = connection;
        _log = log;
        Offset = connection is null ? log?.Start ?? 0 : log is null ? connection.Offset : Math.Max(connection.Asked, log.Start);
    }

    /// <summary>Absolute offset (bytes since the engine's start) of the next byte.</summary>
    public long Offset { get; private set; }

    /// <summary>Waits for bytes and reads them; zero means that the VM has ended.</summary>
    public int Read(Span<byte> buffer, CancellationToken token = default)
    {
        using Waiter waiter = new(token);
        while (true)
        {
            int count = TryRead(buffer);
            if (count >= 0)
            {
                return count;
            }

            waiter.WaitReadable(Deadline.Never, Fd);
        }
    }

    /// <summary>Waits for text: raw characters with escape sequences, decoded across reads; null means that the VM has ended.</summary>
    public string? ReadText(CancellationToken token = default)
    {
        byte[] buffer = new byte[8192];
        char[] text = new char[buffer.Length + 1];
        while (true)
        {
            int count = Read(buffer, token);
            if (count == 0)
            {
                return null;
            }

            int characters = _decoder.GetChars(buffer, 0, count, text, 0, flush: false);
            if (characters > 0)
            {
                return new string(text, 0, characters);
            }
        }
    }

    /// <summary>Waits for the next whole line, without its end (LF or CR LF), escape sequences kept; at the end of the VM the last unfinished one; null after that. A line of more than a million characters comes in pieces. Don't mix with <see cref="ReadText"/>.</summary>
    public string? ReadLine(CancellationToken token = default)
    {
        while (_lines.Count == 0)
        {
            if (_ended)
            {
                return null;
            }

            string? text = ReadText(token);
            if (text is null)
            {
                _ended = true;
                if (_line.Length > 0)
                {
                    _lines.Enqueue(TextTail.Take(_line));
                }

                continue;
            }

            foreach (char c in text)
            {
                if (c != '\n')
                {
                    _line.Append(c);
                }

                if (c == '\n' || _line.Length == TextTail.MaximumLine)
                {
                    _lines.Enqueue(TextTail.Take(_line));
                }
            }
        }

        return _lines.Dequeue();
    }

    public void Dispose()
    {
        _log?.Dispose();
        _connection?.Dispose();
    }

    /// <summary>To wait for; -1 where there is only the log.</summary>
    internal int Fd => _connection?.Fd ?? -1;

    /// <summary>Reads what is there: 0 at the end, -1 when there is nothing yet.</summary>
    internal int TryRead(Span<byte> buffer)
    {
        if (_log is not null && (_connection is null || Offset < _connection.Offset))
        {
            int most = _connection is null ? buffer.Length : (int)Math.Min(buffer.Length, _connection.Offset - Offset);
            _log.Position = Offset - _log.Start;
            int read = _log.Read(buffer[..most]);
            Offset += read;
            if (read > 0 || _connection is null)
            {
                return read;
            }

            // The log is shorter than it should be (a full disk): what is missing is missing.
            Offset = _connection.Offset;
        }

        int count = _connection?.Receive(buffer) ?? 0;
        Offset += Math.Max(count, 0);
        return count;
    }
}
