using System;
using System.Buffers.Binary;
using System.Threading;
using Strato.Engine.Virtio;
using Strato.Engine.Virtio.Queue;

namespace Strato.Tests.Unit.Driver;

/// <summary>A buffer of a request, at a guest address.</summary>
internal readonly record struct DriverBuffer(ulong Address, uint Length, bool DeviceWrites);

/// <summary>The driver's side of a split queue, well behaved; the Write… methods let a test misbehave.</summary>
internal sealed class DriverQueue
{
    private readonly MmioDriver _driver;
    private readonly bool _eventIndex;
    private readonly ushort[] _free;
    private readonly ushort[] _lengthOfChain;
    private readonly ushort[] _next;
    private int _freeCount;
    private ushort _available;
    private ushort _kicked;
    private ushort _seenUsed;

    public DriverQueue(MmioDriver driver, int index, int size)
    {
        _driver = driver;
        _eventIndex = driver.Has(VirtioFeature.EventIndex);
        Index = index;
        Size = size;
        DescriptorTable = driver.Allocate(RingLayout.DescriptorTableBytes(size), RingLayout.DescriptorAlignment);
        AvailableRing = driver.Allocate(RingLayout.AvailableBytes(size), RingLayout.AvailableAlignment);
        UsedRing = driver.Allocate(RingLayout.UsedBytes(size), RingLayout.UsedAlignment);
        _free = new ushort[size];
        _lengthOfChain = new ushort[size];
        _next = new ushort[size];
        for (int i = 0; i < size; i++)
        {
            _free[i] = (ushort)(size - 1 - i);
        }

        _freeCount = size;
    }

    public int Index { get; }

    public int Size { get; }

    public ulong DescriptorTable { get; }

    public ulong AvailableRing { get; }

    public ulong UsedRing { get; }

    public int FreeDescriptors => _freeCount;

    /// <summary>Index the driver published last.</summary>
    public ushort AvailableIndex => _available;

    /// <summary>Used index as the device published it.</summary>
    public ushort UsedIndex => Load16(UsedRing + RingLayout.IndexOffset);

    /// <summary>Makes a request available as a chain in the table; its head.</summary>
    public ushort Add(params ReadOnlySpan<DriverBuffer> buffers)
    {
        ushort head = _free[_freeCount - 1];
        for (int i = 0; i < buffers.Length; i++)
        {
            ushort here = _free[--_freeCount];
            bool last = i == buffers.Length - 1;
            ushort next = last ? (ushort)0 : _free[_freeCount - 1];
            _next[here] = next;
            WriteDescriptor(DescriptorTable, here, buffers[i].Address, buffers[i].Length, Flags(buffers[i], last), next);
        }

        _lengthOfChain[head] = (ushort)buffers.Length;
        Publish(head);
        return head;
    }

    /// <summary>Makes a request available as an indirect table at <paramref name="table"/>; its head.</summary>
    public ushort AddIndirect(ulong table, params ReadOnlySpan<DriverBuffer> buffers)
    {
        for (int i = 0; i < buffers.Length; i++)
        {
            bool last = i == buffers.Length - 1;
            WriteDescriptor(table, i, buffers[i].Address, buffers[i].Length, Flags(buffers[i], last), last ? (ushort)0 : (ushort)(i + 1));
        }

        ushort head = _free[--_freeCount];
        WriteDescriptor(DescriptorTable, head, table, (uint)buffers.Length * RingLayout.DescriptorBytes, RingLayout.DescriptorIndirect, 0);
        _lengthOfChain[head] = 1;
        Publish(head);
        return head;
    }

    /// <summary>Rings the doorbell if the device asked for it since the last time; whether it did.</summary>
    public bool Kick()
    {
        Interlocked.MemoryBarrier();
        ushort before = _kicked;
        _kicked = _available;
        bool wanted = _eventIndex
            ? RingLayout.Passed(Load16(UsedRing + (ulong)RingLayout.AvailableEventOffset(Size)), _available, before)
            : (Load16(UsedRing) & RingLayout.UsedNoNotify) == 0;
        if (wanted)
        {
            _driver.Notify((uint)Index);
        }

        return wanted;
    }

    /// <summary>Takes the next request that the device has used, and frees its descriptors.</summary>
    public bool TryTake(out ushort head, out uint written)
    {
        head = 0;
        written = 0;
        if (UsedIndex == _seenUsed)
        {
            return false;
        }

        Span<byte> entry = _driver.Ram(
            UsedRing + RingLayout.EntriesOffset + (ulong)(RingLayout.UsedEntryBytes * (_seenUsed % Size)), RingLayout.UsedEntryBytes);
        head = (ushort)BinaryPrimitives.ReadUInt32LittleEndian(entry);
        written = BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]);
        _seenUsed++;
        ushort descriptor = head;
        for (int i = 0; i < _lengthOfChain[head]; i++)
        {
            _free[_freeCount++] = descriptor;
            descriptor = _next[descriptor];
        }

        return true;
    }

    /// <summary>Asks for an interrupt at the next used chain. True when one came before the device could know.</summary>
    public bool EnableInterrupt()
    {
        Store16(_eventIndex ? AvailableRing + (ulong)RingLayout.UsedEventOffset(Size) : AvailableRing, _eventIndex ? _seenUsed : (ushort)0);
        Interlocked.MemoryBarrier();
        return UsedIndex != _seenUsed;
    }

    /// <summary>Asks for no interrupts.</summary>
    public void DisableInterrupt()
    {
        if (_eventIndex)
        {
            // As Linux does: an index that lies 2^15 behind is not passed for a long time.
            Store16(AvailableRing + (ulong)RingLayout.UsedEventOffset(Size), (ushort)(_seenUsed - 0x8000));
        }
        else
        {
            Store16(AvailableRing, RingLayout.AvailableNoInterrupt);
        }
    }

    /// <summary>Puts a head at the next place of the available ring and raises the index by one.</summary>
    public void Publish(ushort head)
    {
        Store16(AvailableRing + RingLayout.EntriesOffset + (ulong)(RingLayout.AvailableEntryBytes * (_available % Size)), head);
        WriteAvailableIndex((ushort)(_available + 1));
    }

    public void WriteAvailableIndex(ushort index)
    {
        _available = index;
        Store16(AvailableRing + RingLayout.IndexOffset, index);
    }

    public void WriteDescriptor(ulong table, int index, ulong address, uint length, ushort flags, ushort next)
    {
        Span<byte> descriptor = _driver.Ram(table + (ulong)(index * RingLayout.DescriptorBytes), RingLayout.DescriptorBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(descriptor, address);
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor[8..], length);
        BinaryPrimitives.WriteUInt16LittleEndian(descriptor[12..], flags);
        BinaryPrimitives.WriteUInt16LittleEndian(descriptor[14..], next);
    }

    /// <summary>Rings whatever the device asked for.</summary>
    public void KickAlways() => _driver.Notify((uint)Index);

    private static ushort Flags(DriverBuffer buffer, bool last) =>
        (ushort)((last ? 0 : RingLayout.DescriptorNext) | (buffer.DeviceWrites ? RingLayout.DescriptorWrite : 0));

    private ushort Load16(ulong address) =>
        _driver.Memory.TryLoad16(address, out ushort value) ? value : throw new ArgumentOutOfRangeException(nameof(address));

    private void Store16(ulong address, ushort value)
    {
        if (!_driver.Memory.TryStore16(address, value))
        {
            throw new ArgumentOutOfRangeException(nameof(address));
        }
    }
}
