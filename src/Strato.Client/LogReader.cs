using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Runtime;

namespace Strato.Client;

/// <summary>What is wanted of an engine's log.</summary>
public sealed record LogOptions
{
    /// <summary>Only so many of the last lines; null for all.</summary>
    public int? Tail { get; init; }

    /// <summary>Go on with what comes, until the engine ends.</summary>
    public bool Follow { get; init; }

    /// <summary>The run before the last.</summary>
    public bool Previous { get; init; }
}

/// <summary>The lines of an engine's log, in one stream over the files that it is in. One thread at a time.</summary>
public sealed class LogReader : IDisposable
{
    private readonly string _path;
    private readonly List<FileStream> _files;
    private readonly EngineProcess? _process;
    private readonly LogWatch? _watch;
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private readonly Queue<string> _lines = new();
    private readonly StringBuilder _line = new();
    private readonly byte[] _bytes = new byte[16384];
    private readonly char[] _text = new char[16385];
    private bool _ended;

    /// <param name="path">Of the newest file.</param>
    /// <param name="options">What is wanted.</param>
    /// <param name="process">The engine that is followed; null to end with what is there. It is disposed of with this.</param>
    internal LogReader(string path, LogOptions options, EngineProcess? process)
    {
        _path = path;
        _process = process;
        _files = [];
        try
        {
            _watch = process is null ? null : new LogWatch(path);
            _files = EngineLogFiles.Open(path, options.Previous);
            if (options.Tail is { } tail)
            {
                Skip(tail);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Waits for the next whole line, without its end; null at the end. A line of more than a million characters comes in pieces.</summary>
    public string? ReadLine(CancellationToken token = default)
    {
        using Waiter? waiter = _process is null ? null : new Waiter(token);
        while (_lines.Count == 0)
        {
            token.ThrowIfCancellationRequested();
            int count = _files.Count == 0 ? 0 : _files[0].Read(_bytes);
            if (count > 0)
            {
                Split(count);
            }
            else if (_files.Count > 1)
            {
                EndFile();
            }
            else if (_files.Count == 0 && (waiter is null || _ended))
            {
                return null;
            }
            else if (waiter is not null && TryGoOn())
            {
                // There is more to read.
            }
            else if (waiter is not null && !_ended)
            {
                _ended = waiter.WaitReadable(Deadline.Never, _watch!.Fd, _process!.Fd) == 1;
                _watch.Clear();
            }
            else
            {
                EndFile();
            }
        }

        return _lines.Dequeue();
    }

    public void Dispose()
    {
        _files.ForEach(file => file.Dispose());
        _watch?.Dispose();
        _process?.Dispose();
    }

    /// <summary>At the end of the newest file: whether there is more, since it was emptied or put aside.</summary>
    private bool TryGoOn()
    {
        if (_files.Count > 0 && _files[0].Length < _files[0].Position)
        {
            _files[0].Position = 0;
            return true;
        }

        if (_files.Count > 0 && EngineLogFiles.IsAt(_files[0], _path))
        {
            return false;
        }

        // The engine writes to the former file until it has the new one, so that is read on once more when the new one has a line.
        _watch!.TryAdd(_path);
        if (EngineLogFiles.TryOpen(_path) is not { } next)
        {
            return false;
        }

        // That of the next run isn't this one's.
        if (next.Length == 0 || EngineLogFiles.BeginsRun(next))
        {
            next.Dispose();
            return false;
        }

        _files.Add(next);
        return true;
    }

    private void Split(int count)
    {
        int characters = _decoder.GetChars(_bytes, 0, count, _text, 0, flush: false);
        for (int i = 0; i < characters; i++)
        {
            if (_text[i] != '\n')
            {
                _line.Append(_text[i]);
            }

            if (_text[i] == '\n' || _line.Length == TextTail.MaximumLine)
            {
                _lines.Enqueue(TextTail.Take(_line));
            }
        }
    }

    /// <summary>What is left of the oldest file is its last line, which has no end.</summary>
    private void EndFile()
    {
        int characters = _decoder.GetChars([], 0, 0, _text, 0, flush: true);
        _line.Append(_text, 0, characters);
        if (_line.Length > 0)
        {
            _lines.Enqueue(TextTail.Take(_line));
        }

        _files[0].Dispose();
        _files.RemoveAt(0);
    }

    private void Skip(int tail)
    {
        int left = tail;
        for (int i = _files.Count - 1; i >= 0; i--)
        {
            int found = left == 0 ? 0 : TextTail.Read(_files[i], left).Count();
            _files[i].Position = TextTail.Find(_files[i], left);
            left = Math.Max(0, left - found);
        }
    }
}
