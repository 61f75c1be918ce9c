using System;
using System.IO;
using Strato.Protocol;

namespace Strato.Client.Consoles;

/// <summary>What the engine's log still has of a console's output, as one stream: the log, and before it the part that was put aside when the log was full.</summary>
/// <remarks>
/// The log's first line says whether there is such a part (<see cref="ConsoleLogMark"/>); without it the file beside the log is
/// that of the boot before. The mark between the two is left out; one at the beginning is kept, for it tells what is missing.
/// </remarks>
internal sealed class ConsoleLogStream : Stream
{
    private readonly FileStream _log;
    private readonly FileStream? _older;
    private readonly long _olderLength;
    private readonly int _skipped;
    private long _position;

    private ConsoleLogStream(FileStream log, FileStream? older, int skipped, long start)
    {
        _log = log;
        _older = older;
        _olderLength = older?.Length ?? 0;
        _skipped = skipped;
        Start = start - _olderLength;
    }

    /// <summary>Offset in the console's whole output that stands for the stream's first byte.</summary>
    internal long Start { get; }

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    /// <summary>Grows while the engine writes.</summary>
    public override long Length => _olderLength + _log.Length - _skipped;

    public override long Position
    {
        get => _position;
        set => _position = value;
    }

    /// <summary>Null if there is no log, or it can't be read.</summary>
    internal static ConsoleLogStream? TryOpen(string path)
    {
        // Between the two files the engine may put another aside: then look again.
        for (int tries = 0; ; tries++)
        {
            FileStream? log = TryOpenFile(path);
            if (log is null)
            {
                return null;
            }

            bool marked = TryReadMark(log, out int mark, out long offset, out bool kept);
            FileStream? older = marked && kept ? TryOpenFile(path + ConsoleLogMark.OlderSuffix) : null;
            if (older is not null)
            {
                using FileStream? now = TryOpenFile(path);
                if (now is not null && TryReadMark(now, out _, out long offsetNow, out _) && offsetNow == offset)
                {
                    return new ConsoleLogStream(log, older, mark, offset);
                }

                older.Dispose();
                if (tries < 3)
                {
                    log.Dispose();
                    continue;
                }
            }

            return new ConsoleLogStream(log, older: null, skipped: 0, marked ? offset - mark : 0);
        }
    }

    /// <summary>That of the run before the last. Null if there is none any more: the last one may have needed its file for its own output.</summary>
    internal static ConsoleLogStream? TryOpenPrevious(string path)
    {
        using FileStream? log = TryOpenFile(path);
        return log is not null && TryReadMark(log, out _, out _, out bool kept) && kept ? null : TryOpen(path + ConsoleLogMark.OlderSuffix);
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        int count;
        if (_position < _olderLength)
        {
            _older!.Position = _position;
            count = _older.Read(buffer[..(int)Math.Min(buffer.Length, _olderLength - _position)]);
        }
        else
        {
            _log.Position = _position - _olderLength + _skipped;
            count = _log.Read(buffer);
        }

        _position += count;
        return count;
    }

    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => _position + offset,
        _ => Length + offset,
    };

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _log.Dispose();
            _older?.Dispose();
        }

        base.Dispose(disposing);
    }

    private static bool TryReadMark(FileStream log, out int length, out long offset, out bool kept)
    {
        Span<byte> head = stackalloc byte[ConsoleLogMark.MaxLength];
        int count = log.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        return ConsoleLogMark.TryRead(head[..count], out length, out offset, out kept);
    }

    private static FileStream? TryOpenFile(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
