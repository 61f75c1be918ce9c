using System;
using Strato.Engine.Linux;
using Strato.Engine.Net;
using Xunit;

namespace Strato.Tests.Unit.Net;

/// <summary>A wire without a tap: a pair of sockets that keep frames whole. The device holds one end, the test the other.</summary>
internal sealed class FakeNet : INetBackend
{
    private const int SOCK_SEQPACKET = 5;

    private readonly FileDescriptor _near;
    private readonly FileDescriptor _far;
    private readonly bool _loop;

    /// <param name="offloads">What the device may offer.</param>
    /// <param name="loop">Whether all that the device sends comes back to it.</param>
    public unsafe FakeNet(bool offloads = true, bool loop = false)
    {
        int* pair = stackalloc int[2];
        Assert.Equal(0, Libc.socketpair(Libc.AF_UNIX, SOCK_SEQPACKET | Libc.SOCK_NONBLOCK | Libc.SOCK_CLOEXEC, 0, pair));
        (_near, _far) = (new FileDescriptor(pair[0]), new FileDescriptor(pair[1]));
        (Offloads, _loop) = (offloads, loop);
    }

    public string Name => "fake0";

    public int Descriptor => _near.Value;

    public bool Offloads { get; }

    public bool HasLongFrames => false;

    public bool HasFrames => false;

    /// <summary>What the device set last.</summary>
    public uint Offload { get; private set; } = uint.MaxValue;

    /// <summary>Whether the device uses it; the first it uses without saying so.</summary>
    public bool Used { get; private set; }

    /// <summary>How often the device asked for a frame.</summary>
    public int Reads { get; private set; }

    public void SetOffload(uint offload) => Offload = offload;

    public bool TryUse(bool used)
    {
        Used = used;
        return true;
    }

    public nint Receive(ReadOnlySpan<Libc.iovec> room)
    {
        Reads++;
        return Libc.ReadVector(_near.Value, room);
    }

    public nint Send(ReadOnlySpan<Libc.iovec> frame) => Libc.WriteVector((_loop ? _far : _near).Value, frame);

    public bool TryFlush() => true;

    /// <summary>Sends a frame to the device; false when the wire is full.</summary>
    public bool Put(ReadOnlySpan<byte> frame) => Libc.Write(_far.Value, frame) == frame.Length;

    /// <summary>Takes a frame that the device sent; -1 when there is none.</summary>
    public int Take(Span<byte> frame) => (int)Libc.Read(_far.Value, frame);

    /// <summary>The other side goes away.</summary>
    public void HangUp() => _far.Dispose();

    public void Dispose()
    {
        _near.Dispose();
        _far.Dispose();
    }
}
