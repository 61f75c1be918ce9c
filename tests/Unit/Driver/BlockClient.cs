using System;
using System.Buffers.Binary;
using Strato.Engine.Virtio;

namespace Strato.Tests.Unit.Driver;

/// <summary>A blk driver over a <see cref="MmioDriver"/>: one request at a time, or batches of equal ones without allocation.</summary>
internal sealed class BlockClient
{
    public const int HeaderBytes = 16;
    public const byte Unanswered = 0xaa;

    private readonly MmioDriver _driver;
    private readonly DriverQueue _queue;
    private readonly ulong _header;
    private readonly ulong _status;

    public BlockClient(MmioDriver driver, int queue = 0)
    {
        _driver = driver;
        _queue = driver.Queues[queue];
        _header = driver.Allocate(HeaderBytes);
        _status = driver.Allocate(1);
        Data = driver.Allocate(queue == 0 ? 1 << 20 : 4096, 4096);
    }

    /// <summary>A MiB (a page, but for the first queue) that requests read into or write from.</summary>
    public ulong Data { get; }

    /// <summary>Bytes the device said it wrote for the last request.</summary>
    public uint Written { get; private set; }

    /// <summary>One request as Linux lays it out: header, data, status in a buffer each. The status, or null when there was no answer.</summary>
    public byte? Request(uint type, ulong sector, uint length, bool deviceWrites)
    {
        WriteHeader(type, sector);
        _driver.Ram(_status, 1)[0] = Unanswered;
        DriverBuffer header = new(_header, HeaderBytes, false);
        DriverBuffer status = new(_status, 1, true);
        if (length == 0)
        {
            _queue.Add(header, status);
        }
        else
        {
            _queue.Add(header, new DriverBuffer(Data, length, deviceWrites), status);
        }

        return Finish();
    }

    /// <summary>A request of buffers as the caller cut them; its first 16 bytes and its status lie where the caller put them.</summary>
    public byte? Request(ulong status, params ReadOnlySpan<DriverBuffer> buffers)
    {
        _driver.Ram(status, 1)[0] = Unanswered;
        _queue.Add(buffers);
        return Finish(status);
    }

    public byte? Read(ulong sector, Span<byte> data)
    {
        byte? status = Request(BlockLayout.TypeIn, sector, (uint)data.Length, deviceWrites: true);
        _driver.Ram(Data, data.Length).CopyTo(data);
        return status;
    }

    public byte? Write(ulong sector, ReadOnlySpan<byte> data)
    {
        data.CopyTo(_driver.Ram(Data, data.Length));
        return Request(BlockLayout.TypeOut, sector, (uint)data.Length, deviceWrites: false);
    }

    public byte? Flush() => Request(BlockLayout.TypeFlush, 0, 0, deviceWrites: false);

    public byte? WriteZeroes(ulong sector, uint count)
    {
        Span<byte> range = _driver.Ram(Data, 16);
        BinaryPrimitives.WriteUInt64LittleEndian(range, sector);
        BinaryPrimitives.WriteUInt64LittleEndian(range[8..], count);
        return Request(BlockLayout.TypeWriteZeroes, 0, 16, deviceWrites: false);
    }

    public static void WriteHeader(Span<byte> header, uint type, ulong sector)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(header, type);
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], 0);
        BinaryPrimitives.WriteUInt64LittleEndian(header[8..], sector);
    }

    private void WriteHeader(uint type, ulong sector) => WriteHeader(_driver.Ram(_header, HeaderBytes), type, sector);

    private byte? Finish(ulong? statusAt = null)
    {
        _queue.Kick();
        _driver.Run();
        if (!_queue.TryTake(out _, out uint written))
        {
            return null;
        }

        Written = written;
        return _driver.Ram(statusAt ?? _status, 1)[0];
    }
}
