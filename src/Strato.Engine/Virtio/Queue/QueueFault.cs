namespace Strato.Engine.Virtio.Queue;

/// <summary>What a driver did wrong with a queue. The device stops until it is reset.</summary>
internal enum QueueFault
{
    None,

    /// <summary>The size isn't a power of two, or not one the queue offers.</summary>
    Size,

    /// <summary>The descriptor table isn't aligned to 16, or not whole in RAM.</summary>
    DescriptorTable,

    /// <summary>The available ring isn't aligned to 2, or not whole in RAM.</summary>
    AvailableRing,

    /// <summary>The used ring isn't aligned to 4, or not whole in RAM.</summary>
    UsedRing,

    /// <summary>The available index ran ahead by more than the queue holds.</summary>
    AvailableIndex,

    /// <summary>The head of a chain lies outside the table.</summary>
    Head,

    /// <summary>A next field lies outside its table.</summary>
    Next,

    /// <summary>A chain is longer than the queue: a loop, or an indirect table with too much.</summary>
    ChainLength,

    /// <summary>The buffers of a chain hold more than 2^32 bytes together.</summary>
    ChainBytes,

    /// <summary>A buffer lies outside RAM, wholly or in part.</summary>
    BufferAddress,

    /// <summary>A buffer to read follows one to write.</summary>
    Order,

    /// <summary>An indirect descriptor without the feature.</summary>
    IndirectNotNegotiated,

    /// <summary>An indirect descriptor inside an indirect table, or one that has a next.</summary>
    IndirectNested,

    /// <summary>An indirect table with no descriptor, with a part of one, or with more than the queue has.</summary>
    IndirectLength,

    /// <summary>An indirect table outside RAM.</summary>
    IndirectAddress,
}

internal static class QueueFaultText
{
    /// <summary>A sentence for the log.</summary>
    public static string Describe(this QueueFault fault, ulong value) => fault switch
    {
        QueueFault.Size => $"size {value} isn't a power of two from {RingLayout.MinimumSize} to the queue's maximum",
        QueueFault.DescriptorTable => $"the descriptor table at 0x{value:x} isn't aligned to {RingLayout.DescriptorAlignment} or not in RAM",
        QueueFault.AvailableRing => $"the available ring at 0x{value:x} isn't aligned to {RingLayout.AvailableAlignment} or not in RAM",
        QueueFault.UsedRing => $"the used ring at 0x{value:x} isn't aligned to {RingLayout.UsedAlignment} or not in RAM",
        QueueFault.AvailableIndex => $"the available index jumped to {value}, by more than the queue holds",
        QueueFault.Head => $"head {value} of a chain lies outside the descriptor table",
        QueueFault.Next => $"next {value} of a descriptor lies outside its table",
        QueueFault.ChainLength => $"a chain has more than {value} descriptors, the size of the queue (a loop?)",
        QueueFault.ChainBytes => $"a chain holds {value} bytes, more than 2^32",
        QueueFault.BufferAddress => $"a buffer at 0x{value:x} isn't whole in RAM",
        QueueFault.Order => $"a buffer to read at 0x{value:x} follows one to write",
        QueueFault.IndirectNotNegotiated => $"an indirect table at 0x{value:x} without VIRTIO_F_INDIRECT_DESC",
        QueueFault.IndirectNested => $"an indirect table at 0x{value:x} inside another, or with a next",
        QueueFault.IndirectLength => $"an indirect table of {value} bytes: allowed are multiples of {RingLayout.DescriptorBytes}, not 0, with no more descriptors than the queue",
        QueueFault.IndirectAddress => $"an indirect table at 0x{value:x} isn't whole in RAM",
        _ => "no fault",
    };
}
