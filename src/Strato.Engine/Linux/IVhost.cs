using System;

namespace Strato.Engine.Linux;

/// <summary>One queue as it is to be served.</summary>
/// <param name="Index">Its number.</param>
/// <param name="Size">Its entries.</param>
/// <param name="Descriptors">Address of the descriptor table in this process.</param>
/// <param name="Available">Address of the available ring in this process.</param>
/// <param name="Used">Address of the used ring in this process.</param>
/// <param name="Base">The available index from which it is served.</param>
/// <param name="Kick">Eventfd that the driver's doorbell signals.</param>
/// <param name="Call">Eventfd that interrupts the driver.</param>
/// <param name="Error">Eventfd that is signalled when the queue can't be served.</param>
internal readonly record struct VhostRing(
    int Index, int Size, nint Descriptors, nint Available, nint Used, ushort Base, int Kick, int Call, int Error);

/// <summary>A part of guest memory, all of which queues and their buffers may lie in.</summary>
/// <param name="GuestAddress">First guest-physical address.</param>
/// <param name="Length">Bytes.</param>
/// <param name="HostAddress">Where it is mapped in this process.</param>
/// <param name="File">Descriptor of the file by which another process can map it; -1 where there is none.</param>
/// <param name="FileOffset">Where in the file it begins.</param>
internal readonly record struct VhostRegion(ulong GuestAddress, ulong Length, nint HostAddress, int File, ulong FileOffset);

/// <summary>What serves virtqueues in the engine's place. Its calls fail as <see cref="LinuxException"/>.</summary>
internal interface IVhost : IDisposable
{
    /// <summary>Feature bits that it can work with, those of the ring among them.</summary>
    ulong Features { get; }

    /// <summary>Takes of what the driver negotiated what concerns it, and all memory. With the queues stopped.</summary>
    void SetUp(ulong features, ReadOnlySpan<VhostRegion> memory);

    void SetRing(in VhostRing ring);

    /// <summary>The available index to go on from, when the queue is stopped.</summary>
    ushort GetRingBase(int index);
}

/// <summary>The kernel's end of a network interface's queue pair.</summary>
internal interface IVhostNet : IVhost
{
    /// <summary>Starts both queues with a tap's descriptor, or stops them with -1. When it returns from stopping, no memory of the guest is touched any more.</summary>
    void SetBackend(int tap);
}

/// <summary>The kernel's end of a vsock device.</summary>
internal interface IVhostVsock : IVhost
{
    /// <summary>Starts or stops the queues. When it returns from stopping, no memory of the guest is touched any more.</summary>
    void SetRunning(bool running);
}

/// <summary>The end of a vhost-user connection: another process serves the queues, all from when they are set until their base is asked for.</summary>
internal interface IVhostUser : IVhost
{
    /// <summary>The connection, whose hang-up is the end of it all.</summary>
    int Descriptor { get; }

    /// <summary>Ends the connection, and the process where it is ours: for queues that don't come back. When it returns, our process touches no memory of the guest any more.</summary>
    void Abandon();
}
