using System;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Virtio;

/// <summary>What a virtio disk is made with, beside its image.</summary>
internal sealed record BlockOptions
{
    public static readonly BlockOptions Default = new();

    /// <summary>Serial number that the guest reads, at most 20 bytes of UTF-8; null for none.</summary>
    public string? Serial { get; init; }

    /// <summary>Request queues.</summary>
    public int QueueCount { get; init; } = 1;

    /// <summary>Entries of each queue, a power of two from 4.</summary>
    public int QueueSize { get; init; } = DriveConfiguration.DefaultQueueSize;

    /// <summary>The size of each queue.</summary>
    public int[] QueueSizes
    {
        get
        {
            int[] sizes = new int[QueueCount];
            Array.Fill(sizes, QueueSize);
            return sizes;
        }
    }

    /// <summary>Whether each write is stable before it is answered; else the driver is offered FLUSH.</summary>
    public bool WriteThrough { get; init; }

    /// <summary>Whether flushes are answered and not done.</summary>
    public bool IgnoreFlush { get; init; }

    /// <summary>Whether the driver is offered DISCARD, and zeros may take blocks away from the file.</summary>
    public bool Discard { get; init; }

    /// <summary>Whether the driver is offered DISCARD all the same: where a disk comes that gives space back, and the driver asks but once. What isn't to be done is answered.</summary>
    public bool OfferDiscard { get; init; }

    public DriveDetectZeroes DetectZeroes { get; init; }

    /// <summary>Most requests a second on average; 0 for no limit.</summary>
    public int Iops { get; init; }

    public DriveErrorAction WriteError { get; init; }

    public DriveErrorAction ReadError { get; init; }
}
