using System;

namespace Strato.Engine.Block;

/// <summary>A way to hand transfers to the kernel and to hear of them later. Used by one thread at a time.</summary>
internal interface IDiskEngine : IDisposable
{
    /// <summary>Signalled when results come, unless <see cref="Signals"/> is off.</summary>
    int EventFd { get; }

    /// <summary>Whether results signal <see cref="EventFd"/>; after it is turned on, look for results once more.</summary>
    bool Signals { set; }

    /// <summary>Whether it does this kind of request.</summary>
    bool Does(DiskOperation operation);

    /// <summary>Takes a request for the next <see cref="Commit"/>. At most as many as it was made for are under way.</summary>
    void Queue(DiskRequest request);

    /// <summary>Hands what was taken to the kernel, in one call.</summary>
    void Commit();

    /// <summary>Takes the next result: bytes, or a negative errno.</summary>
    bool TryTake(out int number, out long result);

    /// <summary>Waits until <see cref="TryTake"/> has something. Only while a request is under way.</summary>
    void Wait();
}
