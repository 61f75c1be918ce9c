namespace Strato.Engine.Virtio.Queue;

/// <summary>Where the parts of a split virtqueue lie in guest memory (VIRTIO 1.2, 2.7). All fields little-endian.</summary>
/// <remarks>
/// <code>
/// descriptor, 16 bytes, the table aligned to 16     available ring, aligned to 2     used ring, aligned to 4
///  0        8     12      14    16                   0      flags, 16 bits            0      flags, 16 bits
/// +--------+-----+-------+-----+                     2      idx, 16 bits              2      idx, 16 bits
/// | addr   | len | flags | next|                     4      head of a chain, 16 bits  4      head, 32 bits; written, 32 bits
/// +--------+-----+-------+-----+                     …      … one for each of size    …      … one pair for each of size
///                                                    4+2·n  used_event, 16 bits       4+8·n  avail_event, 16 bits
/// </code>
/// The driver writes table and available ring, the device writes the used ring. The two event fields belong to
/// VIRTIO_F_EVENT_IDX; their places count as part of the rings either way.
/// </remarks>
internal static class RingLayout
{
    /// <summary>Smallest queue the engine takes. One entry is allowed by the letter and used by nobody.</summary>
    public const int MinimumSize = 2;

    /// <summary>Largest queue of the specification.</summary>
    public const int MaximumSize = 32768;

    public const int DescriptorBytes = 16;
    public const int DescriptorAlignment = 16;
    public const int AvailableAlignment = 2;
    public const int UsedAlignment = 4;

    /// <summary>VRING_DESC_F_NEXT: the chain goes on at the descriptor's next field.</summary>
    public const ushort DescriptorNext = 1;

    /// <summary>VRING_DESC_F_WRITE: the device writes the buffer; else it reads it.</summary>
    public const ushort DescriptorWrite = 2;

    /// <summary>VRING_DESC_F_INDIRECT: the buffer is a table of descriptors.</summary>
    public const ushort DescriptorIndirect = 4;

    /// <summary>VRING_AVAIL_F_NO_INTERRUPT: without EVENT_IDX, the driver wants no interrupts now.</summary>
    public const ushort AvailableNoInterrupt = 1;

    /// <summary>VRING_USED_F_NO_NOTIFY: without EVENT_IDX, the device wants no doorbells now.</summary>
    public const ushort UsedNoNotify = 1;

    public const int FlagsOffset = 0;
    public const int IndexOffset = 2;
    public const int EntriesOffset = 4;
    public const int AvailableEntryBytes = 2;
    public const int UsedEntryBytes = 8;

    /// <summary>Bytes of a descriptor table of <paramref name="size"/> entries.</summary>
    public static int DescriptorTableBytes(int size) => DescriptorBytes * size;

    /// <summary>Bytes of an available ring, with its event field.</summary>
    public static int AvailableBytes(int size) => UsedEventOffset(size) + 2;

    /// <summary>Bytes of a used ring, with its event field.</summary>
    public static int UsedBytes(int size) => AvailableEventOffset(size) + 2;

    /// <summary>Where in the available ring the driver says at which used index it wants an interrupt.</summary>
    public static int UsedEventOffset(int size) => EntriesOffset + (AvailableEntryBytes * size);

    /// <summary>Where in the used ring the device says at which available index it wants a doorbell.</summary>
    public static int AvailableEventOffset(int size) => EntriesOffset + (UsedEntryBytes * size);

    /// <summary>Whether an index that went from <paramref name="before"/> to <paramref name="now"/> passed the other side's event (vring_need_event).</summary>
    public static bool Passed(ushort @event, ushort now, ushort before) => (ushort)(now - @event - 1) < (ushort)(now - before);
}
