using System;
using System.IO;
using System.Runtime.InteropServices;
using Strato.Engine.Chardev;
using Strato.Engine.Linux;
using Strato.Engine.Virtio;
using Strato.Protocol;
using Xunit;

namespace Strato.Tests.Unit.Chardev;

/// <summary>The front-end's side of vhost-user against a peer that speaks it, and against peers that don't.</summary>
public sealed class VhostUserTests
{
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(50);

    [Fact]
    public void RequestsComeInTheirOrderWithWhatTheyCarry()
    {
        using FileDescriptor file = Libc.CreateMemoryFile("test\0"u8);
        using FileDescriptor kick = Libc.CreateEventFd();
        using FileDescriptor call = Libc.CreateEventFd();
        using VhostUserPeer peer = new VhostUserPeer(out FileDescriptor near) { Base = 7UL << 32 }.Start();
        using (VhostUserSocket vhost = Connect(near, Long))
        {
            Assert.Equal(VirtioFeature.Common, vhost.Features);
            vhost.SetUp(VirtioFeature.Version1 | (1UL << 40), [new VhostRegion(0, 4096, 0x7000, file.Value, 0), new VhostRegion(1UL << 32, 8192, 0x9000, file.Value, 4096)]);
            vhost.SetRing(new VhostRing(1, 64, 0x7100, 0x7200, 0x7300, 5, kick.Value, call.Value, call.Value));
            Assert.Equal(7, vhost.GetRingBase(1));
        }

        Assert.True(peer.WaitForEnd());
        Assert.Equal(
            [
                "GetFeatures", "GetProtocolFeatures", "SetProtocolFeatures", "SetOwner", "SetFeatures", "SetMemoryTable",
                "SetRingSize 1", "SetRingBase 1", "SetRingAddress 1", "SetRingError 1", "SetRingCall 1", "SetRingKick 1", "SetRingEnable 1", "GetRingBase 1",
            ],
            peer.Requests);
        Assert.Equal([VhostUserSocket.ProtocolReplyAck], Words(peer, VhostUserRequest.SetProtocolFeatures));
        Assert.Equal([VirtioFeature.Version1 | VhostUserSocket.FeatureProtocol], Words(peer, VhostUserRequest.SetFeatures));
        Assert.Equal([2, 0, 0, 4096, 0x7000, 0, 1UL << 32, 8192, 0x9000, 4096], Words(peer, VhostUserRequest.SetMemoryTable));
        Assert.Equal(2, peer.Files[VhostUserRequest.SetMemoryTable].Length);
        Assert.Equal([1 | (64UL << 32)], Words(peer, VhostUserRequest.SetRingSize));
        Assert.Equal([1 | (5UL << 32)], Words(peer, VhostUserRequest.SetRingBase));
        Assert.Equal([1, 0x7100, 0x7300, 0x7200, 0], Words(peer, VhostUserRequest.SetRingAddress));
        Assert.Equal([1], Words(peer, VhostUserRequest.SetRingKick));
        Assert.Equal([1 | (1UL << 32)], Words(peer, VhostUserRequest.SetRingEnable));

        // What was passed is the same eventfd under another number.
        Libc.SignalEventFd(Assert.Single(peer.Files[VhostUserRequest.SetRingCall]));
        Assert.True(Libc.DrainEventFd(call.Value));
        Assert.False(Libc.DrainEventFd(kick.Value));
    }

    [Fact]
    public void APeerWithoutProtocolFeaturesIsAskedForNone()
    {
        using VhostUserPeer peer = new VhostUserPeer(out FileDescriptor near) { Features = VirtioFeature.Common }.Start();
        using (VhostUserSocket vhost = Connect(near, Long))
        {
            using FileDescriptor kick = Libc.CreateEventFd();
            vhost.SetRing(new VhostRing(0, 64, 1, 2, 3, 0, kick.Value, kick.Value, kick.Value));
        }

        Assert.True(peer.WaitForEnd());
        Assert.Equal(["GetFeatures", "SetOwner", "SetRingSize 0", "SetRingBase 0", "SetRingAddress 0", "SetRingError 0", "SetRingCall 0", "SetRingKick 0"], peer.Requests);
    }

    /// <summary>Whatever is wrong with an answer ends the connection, and the engine's later requests fail.</summary>
    [Theory]
    [InlineData("HangUp", Errno.ECONNRESET)]
    [InlineData("Silence", Errno.ETIMEDOUT)]
    [InlineData("OtherRequest", Errno.EPROTO)]
    [InlineData("NoReplyFlag", Errno.EPROTO)]
    [InlineData("OtherVersion", Errno.EPROTO)]
    [InlineData("OtherSize", Errno.EPROTO)]
    [InlineData("CutShort", Errno.ECONNRESET)]
    [InlineData("Refusal", Errno.EIO)]
    public void AWrongAnswerEndsTheConnection(string name, int errno)
    {
        PeerFault fault = Enum.Parse<PeerFault>(name);
        TimeSpan patience = fault == PeerFault.Silence ? Short : Long;
        foreach (VhostUserRequest request in Enum.GetValues<VhostUserRequest>())
        {
            bool asks = request is VhostUserRequest.GetFeatures or VhostUserRequest.GetProtocolFeatures or VhostUserRequest.GetRingBase;
            if (request == VhostUserRequest.SetProtocolFeatures || (asks && fault == PeerFault.Refusal))
            {
                // It has no answer yet; a question can't be refused.
                continue;
            }

            using VhostUserPeer peer = new VhostUserPeer(out FileDescriptor near) { FaultAt = request, Fault = fault }.Start();
            LinuxException e = Assert.Throws<LinuxException>(() => UseAll(near, patience));
            Assert.Equal((errno, $"vhost-user {request}"), (e.Errno, e.Message.Split(':')[0]));
            Assert.True(peer.WaitForEnd());
        }
    }

    [Theory]
    [InlineData(1UL)]
    [InlineData(0x10000UL << 32)]
    public void AWrongRingBaseEndsTheConnection(ulong answer)
    {
        using VhostUserPeer peer = new VhostUserPeer(out FileDescriptor near) { Base = answer }.Start();
        using VhostUserSocket vhost = Connect(near, Long);
        Assert.Equal(Errno.EPROTO, Assert.Throws<LinuxException>(() => vhost.GetRingBase(0)).Errno);
        Assert.True(peer.WaitForEnd());
        Assert.Throws<LinuxException>(() => vhost.GetRingBase(0));
    }

    [Fact]
    public void AMissingFeatureIsTold()
    {
        using VhostUserPeer peer = new VhostUserPeer(out FileDescriptor near) { Features = VirtioFeature.Version1 }.Start();
        LinuxException e = Assert.Throws<LinuxException>(() => Connect(near, Long));
        Assert.Equal((Errno.EOPNOTSUPP, "features 0x30000000"), (e.Errno, e.Message.Split(':')[0]));
    }

    [Fact]
    public void ASocketThatCantServeIsRefusedClearly()
    {
        string folder = Directory.CreateTempSubdirectory("strato-fs-").FullName;
        string path = Path.Combine(folder, "s");
        try
        {
            CheckRefused(path, $"fs 'x': there is no socket '{path}'; the program that serves it has to run first");
            using (FileDescriptor bound = Libc.CreateUnixSocket())
            {
                Assert.Equal(0, Libc.Bind(bound.Value, path));
                CheckRefused(path, $"fs 'x': nobody listens on '{path}'");
                Assert.Equal(0, Libc.listen(bound.Value, 8));
                CheckRefused(path, $"fs 'x': the program that listens on '{path}' doesn't answer; it may serve another machine");
            }

            File.Delete(path);
            File.WriteAllText(path, "");
            CheckRefused(path, $"fs 'x': nobody listens on '{path}'");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void AChildsConnectionCantBeTakenByAnother()
    {
        Libc.CreateListenedPair(out FileDescriptor near, out FileDescriptor listener);
        using (near)
        using (listener)
        {
            using FileDescriptor served = new(Libc.Accept(listener.Value));
            Assert.Equal(1, Libc.Send(near.Value, [7]));
            byte[] got = new byte[2];
            Assert.Equal(1, Libc.Receive(served.Value, got));
            Assert.Equal(7, got[0]);
        }
    }

    private static VhostUserSocket Connect(FileDescriptor near, TimeSpan patience) => new(near, VirtioFeature.Common, patience);

    /// <summary>Makes every kind of request.</summary>
    private static void UseAll(FileDescriptor near, TimeSpan patience)
    {
        using FileDescriptor file = Libc.CreateEventFd();
        using VhostUserSocket vhost = Connect(near, patience);
        vhost.SetUp(VirtioFeature.Common, [new VhostRegion(0, 4096, 0x7000, file.Value, 0)]);
        vhost.SetRing(new VhostRing(0, 64, 1, 2, 3, 0, file.Value, file.Value, file.Value));
        _ = vhost.GetRingBase(0);
    }

    private static ulong[] Words(VhostUserPeer peer, VhostUserRequest request) => MemoryMarshal.Cast<byte, ulong>(peer.Payloads[request]).ToArray() is { Length: > 0 } words
        ? request == VhostUserRequest.SetMemoryTable ? [(uint)words[0], words[0] >> 32, .. words[1..]] : words
        : [];

    private static void CheckRefused(string path, string message)
    {
        UserErrorException e = Assert.Throws<UserErrorException>(() => VhostUserOpener.Open(path, VirtioFeature.Common, Short, "x", "-device chardev"));
        Assert.Equal(("VhostUserFailed", "-device chardev", message), (e.Id, e.Where, e.Message));
    }
}
