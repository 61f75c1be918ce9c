using System;
using Strato.Engine.Linux;

namespace Strato.Engine.Net;

/// <summary>One queue of a tap: an open /dev/net/tun that is bound to an interface of the host. Made by <see cref="TapOpener"/>.</summary>
/// <param name="file">Non-blocking; a read or write is one frame.</param>
/// <param name="name">The interface's name.</param>
/// <param name="offloads">Whether the kernel takes TUNSETOFFLOAD.</param>
internal sealed class TapDevice(FileDescriptor file, string name, bool offloads) : INetBackend
{
    public string Name => name;

    public int Descriptor => file.Value;

    public bool Offloads => offloads;

    public bool HasLongFrames => false;

    public bool HasFrames => false;

    /// <summary>What is run at the end; null for nothing.</summary>
    public DownScript? DownScript { get; set; }

    public void SetOffload(uint offload) => _ = Libc.SetTapOffload(file.Value, offload);

    /// <summary>Limits the bytes that are under way to the host.</summary>
    public void SetSendBuffer(int bytes) => _ = Libc.SetTapSendBuffer(file.Value, bytes);

    public bool TryUse(bool used) => Libc.SetTapQueue(file.Value, used ? Libc.IFF_ATTACH_QUEUE : Libc.IFF_DETACH_QUEUE) == 0;

    public nint Receive(ReadOnlySpan<Libc.iovec> room) => Libc.ReadVector(file.Value, room);

    public nint Send(ReadOnlySpan<Libc.iovec> frame) => Libc.WriteVector(file.Value, frame);

    public bool TryFlush() => true;

    public void Dispose()
    {
        // While the tap is still there: one that the engine made goes with its descriptor.
        DownScript?.Dispose();
        file.Dispose();
    }
}
