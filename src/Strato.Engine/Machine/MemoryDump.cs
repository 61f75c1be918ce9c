using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using System.Text.Json;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Protocol;

namespace Strato.Engine.Machine;

/// <summary>How a dump goes; QMP's <c>status</c> names them.</summary>
internal enum DumpState
{
    None,
    Active,
    Completed,
    Failed,
}

/// <summary>Writes the machine's memory and registers into a core file, bit by bit on the main loop, which serves others in between.</summary>
/// <remarks>
/// The machine stands still meanwhile. Pages of zeros become holes of the file, and pages that the guest never touched stay untouched.
/// </remarks>
internal sealed class MemoryDump : IDisposable
{
    private const string Room = "dump";

    // What a turn writes; others wait so long.
    private const int TurnBytes = 1 << 20;

    private readonly EventLoop _loop;
    private readonly GuestMemory _memory;
    private byte[] _buffer = [];
    private FileDescriptor? _file;
    private string? _path;
    private Action _ended = () => { };
    private ulong _offset;

    public MemoryDump(EventLoop loop, GuestMemory memory)
    {
        _loop = loop;
        _memory = memory;
        Total = (long)memory.Size;
    }

    /// <summary>A dump has ended: DUMP_COMPLETED.</summary>
    public Action<MachineEvent> EventRaised { get; set; } = _ => { };

    public DumpState State { get; private set; }

    public bool IsActive => State == DumpState.Active;

    /// <summary>Bytes of memory that are dealt with, of the dump under way or the last one.</summary>
    public long Completed { get; private set; }

    /// <summary>Bytes of memory in all.</summary>
    public long Total { get; }

    /// <summary>Who can get at the file of the dump under way, and goes with the wish for it; null for a file that has a path.</summary>
    public object? Owner { get; set; }

    /// <summary>Why the last dump failed; null when it didn't.</summary>
    public string? Error { get; private set; }

    /// <summary>QMP's name of a state.</summary>
    public static string NameOf(DumpState state) => state switch
    {
        DumpState.None => "none",
        DumpState.Active => "active",
        DumpState.Completed => "completed",
        _ => "failed",
    };

    /// <summary>Begins; with the machine standing still.</summary>
    /// <param name="file">A regular file that can be written, owned from now on.</param>
    /// <param name="path">Its path where the engine made it, which a dump that fails removes; null for a file that was passed.</param>
    /// <param name="cpus">The registers of all CPUs.</param>
    /// <param name="ended">Called when it is over, before the event.</param>
    public void Begin(FileDescriptor file, string? path, IReadOnlyList<CpuRegisters> cpus, Action ended)
    {
        (_file, _path, _ended) = (file, path, ended);
        (State, Completed, Error, _offset) = (DumpState.Active, 0, null, 0);
        List<(ulong Start, ulong Length)> regions = [];
        foreach (MemoryRegion region in _memory.Regions)
        {
            regions.Add((region.Start, region.Length));
        }

        byte[] head = CoreFile.MakeHead(regions, cpus, out ulong offset);
        _buffer = new byte[TurnBytes];
        _offset = offset;

        // Its whole length from the start: what isn't written is a hole.
        if (Libc.ftruncate(file.Value, 0) < 0 || Libc.ftruncate(file.Value, (long)(offset + _memory.Size)) < 0 || !TryWrite(head, 0))
        {
            Fail(Errno.Text(Errno.Last));
        }
    }

    /// <summary>Goes on turn by turn, as the loop comes to it.</summary>
    public void GoOn()
    {
        if (IsActive)
        {
            Turn();
            _loop.Post(GoOn);
        }
    }

    /// <summary>Goes on to the end.</summary>
    public void Finish()
    {
        while (IsActive)
        {
            Turn();
        }
    }

    /// <summary>Ends a dump under way, which has failed then; false when there is none.</summary>
    public bool Cancel()
    {
        bool active = IsActive;
        if (active)
        {
            Fail("cancelled");
        }

        return active;
    }

    /// <summary>The machine ends: nothing is told any more.</summary>
    public void Dispose()
    {
        if (IsActive)
        {
            State = DumpState.Failed;
            Close(remove: true);
        }
    }

    private void Turn()
    {
        if (Completed == Total)
        {
            State = DumpState.Completed;
            Close(remove: false);
            Tell();
            return;
        }

        ulong position = (ulong)Completed;
        foreach (MemoryRegion region in _memory.Regions)
        {
            if (position >= region.Length)
            {
                position -= region.Length;
                continue;
            }

            Span<byte> bytes = _buffer.AsSpan(0, (int)ulong.Min(TurnBytes, region.Length - position));
            if (!_memory.TryReadAsIs(region.Start + position, bytes) || !TryWritePages(bytes, _offset + (ulong)Completed))
            {
                Fail(Errno.Text(Errno.Last));
                return;
            }

            Completed += bytes.Length;
            return;
        }
    }

    /// <summary>Writes what isn't zeros, page by page.</summary>
    private bool TryWritePages(ReadOnlySpan<byte> bytes, ulong offset)
    {
        const int Page = (int)GuestMemory.PageSize;
        int start = 0;
        while (start < bytes.Length)
        {
            int end = start;
            while (end < bytes.Length && bytes.Slice(end, Page).ContainsAnyExcept((byte)0))
            {
                end += Page;
            }

            if (end > start && !TryWrite(bytes[start..end], offset + (ulong)start))
            {
                return false;
            }

            start = end + Page;
        }

        return true;
    }

    private bool TryWrite(ReadOnlySpan<byte> bytes, ulong offset)
    {
        while (!bytes.IsEmpty)
        {
            nint written = Libc.PWrite(_file!.Value, bytes, (long)offset, 0);
            if (written <= 0)
            {
                return false;
            }

            bytes = bytes[(int)written..];
            offset += (ulong)written;
        }

        return true;
    }

    private void Fail(string reason)
    {
        State = DumpState.Failed;
        Error = reason;
        Log.Warning(Room, $"a dump of the guest's memory failed: {reason}");
        Close(remove: true);
        Tell();
    }

    private void Close(bool remove)
    {
        if (remove && _path is not null)
        {
            _ = Libc.Unlink(_path);
        }

        _file?.Dispose();
        _file = null;
        _buffer = [];
    }

    private void Tell()
    {
        _ended();
        using MemoryStream text = new();
        using (Utf8JsonWriter json = new(text))
        {
            json.WriteStartObject();
            if (Error is not null)
            {
                json.WriteString("error", Error);
            }

            json.WriteStartObject("result");
            json.WriteNumber("completed", Completed);
            json.WriteString("status", NameOf(State));
            json.WriteNumber("total", Total);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        EventRaised(new MachineEvent("DUMP_COMPLETED", Encoding.UTF8.GetString(text.ToArray())));
    }

    /// <summary>What is refused while a dump is under way.</summary>
    public void RefuseWhileActive(string what)
    {
        if (IsActive)
        {
            throw new UserErrorException("DumpActive", $"A dump of the guest's memory is under way, and {what} would change what it reads; x-cancel-dump ends it.", "");
        }
    }
}
