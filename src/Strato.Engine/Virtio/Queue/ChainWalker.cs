using System.Runtime.CompilerServices;
using Strato.Engine.Memory;

namespace Strato.Engine.Virtio.Queue;

/// <summary>Follows one chain of descriptors through the table and at most one indirect table (VIRTIO 1.2, 2.7.5).</summary>
/// <remarks>
/// Each descriptor is copied by two 8-byte loads, checked, and used from the copy. The number of descriptors is bounded
/// by the queue's size, which is also what ends a loop. A buffer is contiguous in guest-physical memory: it may cross
/// from one region of RAM into one that adjoins it, and is refused at a hole.
/// </remarks>
internal unsafe ref struct ChainWalker(GuestMemory memory, DescriptorChain chain, int queueSize, bool indirectAllowed)
{
    private const ulong MaximumBytes = 1UL << 32;

    public QueueFault Fault { get; private set; }

    public ulong FaultValue { get; private set; }

    public bool TryWalk(byte* table, ushort head)
    {
        uint tableSize = (uint)queueSize;
        uint index = head;
        if (index >= tableSize)
        {
            return Fail(QueueFault.Head, index);
        }

        bool inside = false;
        int count = 0;
        while (true)
        {
            byte* descriptor = table + (index * RingLayout.DescriptorBytes);
            ulong address = Unsafe.ReadUnaligned<ulong>(descriptor);
            ulong rest = Unsafe.ReadUnaligned<ulong>(descriptor + sizeof(ulong));
            uint length = (uint)rest;
            ushort flags = (ushort)(rest >> 32);

            if ((flags & RingLayout.DescriptorIndirect) != 0)
            {
                // The table's descriptor holds no buffer and isn't counted, so that a table may have queueSize entries.
                if (!TryEnterTable(address, length, inside || (flags & RingLayout.DescriptorNext) != 0, out table))
                {
                    return false;
                }

                inside = true;
                tableSize = length / RingLayout.DescriptorBytes;
                index = 0;
                continue;
            }

            if (++count > queueSize)
            {
                return Fail(QueueFault.ChainLength, (ulong)queueSize);
            }

            if (!TryAddBuffer(address, length, (flags & RingLayout.DescriptorWrite) != 0))
            {
                return false;
            }

            if ((flags & RingLayout.DescriptorNext) == 0)
            {
                return true;
            }

            index = (ushort)(rest >> 48);
            if (index >= tableSize)
            {
                return Fail(QueueFault.Next, index);
            }
        }
    }

    private bool TryEnterTable(ulong address, uint length, bool nested, out byte* table)
    {
        table = null;
        if (!indirectAllowed)
        {
            return Fail(QueueFault.IndirectNotNegotiated, address);
        }

        if (nested)
        {
            return Fail(QueueFault.IndirectNested, address);
        }

        if (length == 0 || length % RingLayout.DescriptorBytes != 0 || length / RingLayout.DescriptorBytes > (uint)queueSize)
        {
            return Fail(QueueFault.IndirectLength, length);
        }

        if (!memory.TryGetHostAddress(address, length, out nint host))
        {
            return Fail(QueueFault.IndirectAddress, address);
        }

        table = (byte*)host;
        return true;
    }

    private bool TryAddBuffer(ulong address, uint length, bool writable)
    {
        if (!writable && chain.Writable.Length != 0)
        {
            return Fail(QueueFault.Order, address);
        }

        BufferList list = writable ? chain.Writable : chain.Readable;
        if (length == 0)
        {
            // Of no use and not forbidden; its address means nothing.
            return true;
        }

        if (memory.TryGetHostAddress(address, length, out nint host))
        {
            list.Add(host, length);
        }
        else if (!TryAddAcrossRegions(list, address, length))
        {
            return Fail(QueueFault.BufferAddress, address);
        }

        ulong total = chain.Readable.Length + chain.Writable.Length;
        return total <= MaximumBytes || Fail(QueueFault.ChainBytes, total);
    }

    private readonly bool TryAddAcrossRegions(BufferList list, ulong address, ulong length)
    {
        foreach (ref readonly MemoryRegion region in memory.Regions)
        {
            ulong offset = address - region.Start;
            if (address < region.Start || offset >= region.Length)
            {
                continue;
            }

            // Regions come by rising address: the one that adjoins is met next, or never. Both sums stay below 2^52.
            ulong piece = ulong.Min(length, region.Length - offset);
            list.Add(region.HostAddress + (nint)offset, piece);
            address += piece;
            length -= piece;
            if (length == 0)
            {
                return true;
            }
        }

        return false;
    }

    private bool Fail(QueueFault fault, ulong value)
    {
        Fault = fault;
        FaultValue = value;
        return false;
    }
}
