using System;
using System.IO;
using System.Runtime.InteropServices;
using System.Threading;
using Strato.Engine.Linux;
using Strato.Engine.Net;
using Strato.Engine.Virtio;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Net;

/// <summary>Taps of the host's kernel, and what can be wrong with them.</summary>
[Collection(TapCollection.Name)]
public sealed partial class TapTests
{
    private static readonly byte[] Mac = [0x52, 0x54, 0, 1, 2, 3];

    [Fact]
    public void AMissingTapIsNamedWithWhatMakesIt() => CheckRefused(
        "nosuchtap0", "the host has no interface 'nosuchtap0'; 'ip tuntap add nosuchtap0 mode tap' and 'ip link set nosuchtap0 up' make one");

    [Theory]
    [InlineData("")]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("sixteen-bytes-xx")]
    [InlineData("a b")]
    public void ANameThatIsNoneIsRefused(string name) =>
        CheckRefused(name, $"'{name}' can't be an interface's name; one has 1 to 15 bytes without '/', ':' and blanks");

    [Fact]
    public void AnInterfaceThatIsNoTapIsRefused()
    {
        using TemporaryTap needsTun = new();
        CheckRefused("lo", "the interface 'lo' isn't a tap with one queue ('ip tuntap add lo mode tap' makes one)");
    }

    [Fact]
    public void ABusyTapIsRefused()
    {
        using TemporaryTap tap = new();
        using FileDescriptor user = tap.Attach();
        CheckRefused(tap.Name, $"the tap '{tap.Name}' is in use by another process");
    }

    [Fact]
    public void PermissionIsNamedWhenItIsMissing()
    {
        using TemporaryTap tap = new();
        UserErrorException? error = null;
        Exception? other = null;
        Thread thread = new(() =>
        {
            // Of this thread alone: the C library's function would change all.
            const nint setresuid = 117;
            Assert.Equal(0, syscall(setresuid, -1, 65534, -1));
            try
            {
                using TapDevice device = Open(tap.Name)[0];
            }
            catch (UserErrorException e)
            {
                error = e;
            }
            catch (Exception e)
            {
                other = e;
            }
        });
        thread.Start();
        thread.Join();
        Assert.Null(other);
        Assert.NotNull(error);
        Assert.Contains(
            error.Message,
            new[]
            {
                "net 'n': /dev/net/tun can't be opened: Permission denied; it needs the right to read and write it",
                $"net 'n': no permission for the tap '{tap.Name}'; it is its owner's ('ip tuntap add {tap.Name} mode tap user USER'), or needs CAP_NET_ADMIN",
            });
    }

    [Fact]
    public void ADescriptorIsTakenWhenItIsATaps()
    {
        using TemporaryTap tap = new();
        using FileDescriptor file = tap.Attach();
        using (TapDevice device = Take(Libc.dup(file.Value))[0])
        {
            Assert.Equal((tap.Name, true), (device.Name, device.Offloads));
        }

        using FileDescriptor loose = TemporaryTap.Open();
        UserErrorException e = Assert.Throws<UserErrorException>(() => Take(Libc.dup(loose.Value)));
        Assert.EndsWith("isn't a tap's", e.Message, StringComparison.Ordinal);
        e = Assert.Throws<UserErrorException>(() => Take(9999));
        Assert.Equal("net 'n': descriptor 9999 isn't open: Bad file descriptor", e.Message);
    }

    [Fact]
    public void ADescriptorWithoutHeadersIsRefused()
    {
        using TemporaryTap tap = new();
        using FileDescriptor file = tap.Attach(Libc.IFF_TAP | Libc.IFF_NO_PI);
        UserErrorException e = Assert.Throws<UserErrorException>(() => Take(Libc.dup(file.Value)));
        Assert.Contains("IFF_TAP, IFF_NO_PI and IFF_VNET_HDR (0x5002) have to be among them", e.Message, StringComparison.Ordinal);
    }

    /// <summary>The simulated guest asks who has the host's address, and the host's kernel answers.</summary>
    [Fact]
    public void TheHostAnswersAGuestsQuestion()
    {
        using TemporaryTap tap = new();
        using MmioDriver driver = new(new NetDevice("net", Open(tap.Name), Mac));
        TemporaryTap.Ip("addr", "add", "198.18.77.1/30", "dev", tap.Name);
        TemporaryTap.Ip("link", "set", tap.Name, "up");
        ulong room = StartReceiving(driver);
        byte[] question =
        [
            .. new byte[VirtioNetHeader.Bytes],
            255, 255, 255, 255, 255, 255, .. Mac, 8, 6, // who has …
            0, 1, 8, 0, 6, 4, 0, 1, .. Mac, 198, 18, 77, 2, 0, 0, 0, 0, 0, 0, 198, 18, 77, 1,
        ];
        ulong at = driver.Allocate(question.Length);
        question.CopyTo(driver.Ram(at, question.Length));
        driver.Queues[1].Add(new DriverBuffer(at, (uint)question.Length, false));
        driver.Queues[1].Kick();
        byte[] answer = [];
        for (int frame = 0; answer.Length == 0; frame++)
        {
            // The host speaks of its own too (IPv6).
            uint written;
            while (!driver.Queues[0].TryTake(out _, out written))
            {
                Assert.True(driver.Loop.RunOnce(10_000), "the host doesn't answer");
            }

            Span<byte> received = driver.Ram(room + (2048 * (ulong)frame), (int)written)[VirtioNetHeader.Bytes..];
            answer = received[12] == 8 && received[13] == 6 && received[21] == 2 ? received.ToArray() : [];
        }

        Assert.Equal(Mac, answer[..6]);
        Assert.Equal([198, 18, 77, 1], answer[28..32]);
    }

    [Fact]
    public void ATapThatVanishesTakesTheLinkDown()
    {
        using TemporaryTap tap = new();
        using MmioDriver driver = new(new NetDevice("net", Open(tap.Name), Mac));
        StartReceiving(driver);
        tap.Delete();
        Assert.True(driver.Loop.RunOnce(10_000), "nobody tells");
        driver.Run();
        Assert.Equal(0, driver.ReadConfiguration(8)[NetInterface.StatusOffset]);
        Assert.False(driver.Loop.RunOnce(0), "the loop spins");
    }

    /// <summary>Starts the device and gives it buffers of 2 KiB side by side; where the first is.</summary>
    private static ulong StartReceiving(MmioDriver driver)
    {
        driver.Start();
        ulong room = driver.Allocate(2048 * 60);
        for (uint i = 0; i < 60; i++)
        {
            driver.Queues[0].Add(new DriverBuffer(room + (2048 * i), 2048, true));
        }

        driver.Queues[0].Kick();
        driver.Run();
        return room;
    }

    [Fact]
    public void ATapOfSeveralQueuesCarriesFramesByThoseInUse()
    {
        using TemporaryTap tap = new(Libc.IFF_MULTI_QUEUE);
        TapDevice[] queues = Open(tap.Name, 4);
        Assert.Equal(4, queues.Length);
        Assert.False(queues[1].TryUse(false), "it was used");
        Assert.True(queues[1].TryUse(true) && queues[2].TryUse(true) && queues[1].TryUse(false));
        Array.ForEach(queues, queue => queue.Dispose());
        CheckRefused(tap.Name, $"the interface '{tap.Name}' isn't a tap with one queue ('ip tuntap add {tap.Name} mode tap' makes one)");
    }

    [Fact]
    public void ATapOfOneQueueHasNoMore()
    {
        using TemporaryTap tap = new();
        CheckRefused(tap.Name, $"the interface '{tap.Name}' isn't a tap with several queues ('ip tuntap add {tap.Name} mode tap multi_queue' makes one)", 2);
        using FileDescriptor file = tap.Attach();
        UserErrorException e = Assert.Throws<UserErrorException>(() => Take(Libc.dup(file.Value), Libc.dup(file.Value)));
        Assert.Contains("IFF_TAP, IFF_NO_PI, IFF_VNET_HDR and IFF_MULTI_QUEUE (0x5102) have to be among them", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, int.MaxValue)]
    [InlineData(100_000, 100_000)]
    public void WhatIsUnderWayIsLimited(long wish, int set)
    {
        using TemporaryTap tap = new();
        using TapDevice device = TapOpener.Open(new NetdevConfiguration { Interface = tap.Name, SendBuffer = wish }, "n")[0];
        Assert.Equal(set, TemporaryTap.SendBuffer(device.Descriptor));
    }

    [Fact]
    public void AScriptSetsUpATapOfTheEnginesOwnAndAnotherTakesItDown()
    {
        using TemporaryTap needsTun = new();
        using TemporaryFile log = new(0);
        using TemporaryFile up = new();
        using TemporaryFile down = new();
        Write(up.Path, $"ip link set \"$1\" up && echo up \"$1\" >>{log.Path}");
        Write(down.Path, $"ip link set \"$1\" down && echo down \"$1\" >>{log.Path}");
        string name = $"sts{Guid.NewGuid():n}"[..12];
        TapOpener.Open(new NetdevConfiguration { Interface = name, Script = up.Path, DownScript = down.Path }, "n")[0].Dispose();
        Assert.Equal($"up {name}\ndown {name}\n", File.ReadAllText(log.Path));
        Assert.False(Libc.HasInterface(name));
    }

    [Fact]
    public void AScriptThatFailsIsAnError()
    {
        using TemporaryTap tap = new();
        using TemporaryFile script = new();
        NetdevConfiguration netdev = new() { Interface = tap.Name, Script = script.Path };
        UserErrorException e = Assert.Throws<UserErrorException>(() => TapOpener.Open(netdev, "n"));
        Assert.Equal(("TapScriptFailed", "-netdev script", $"net 'n': '{script.Path} {tap.Name}' failed: No such file or directory"), (e.Id, e.Where, e.Message));
        Write(script.Path, "echo no bridge >&2; exit 2");
        e = Assert.Throws<UserErrorException>(() => TapOpener.Open(netdev, "n"));
        Assert.Equal($"net 'n': '{script.Path} {tap.Name}' failed: exit code 2: no bridge", e.Message);

        // Nothing of it is left.
        using FileDescriptor free = tap.Attach();
    }

    private static void Write(string path, string script) => TestProgram.Write(path, $"#!/bin/sh\n{script}\n");

    private static TapDevice[] Open(string name, int queues = 1) =>
        TapOpener.Open(new NetdevConfiguration { Interface = name, Queues = queues, Where = "-netdev ifname" }, "n");

    private static TapDevice[] Take(params long[] descriptors) =>
        TapOpener.Open(new NetdevConfiguration { Descriptors = descriptors, Queues = descriptors.Length, Where = "-netdev fd" }, "n");

    private static void CheckRefused(string name, string problem, int queues = 1)
    {
        UserErrorException e = Assert.Throws<UserErrorException>(() => Open(name, queues));
        Assert.Equal(("TapFailed", "-netdev ifname", $"net 'n': {problem}"), (e.Id, e.Where, e.Message));
    }

    [LibraryImport("libc")]
    private static partial nint syscall(nint number, nint first, nint second, nint third);
}
