using System;
using System.IO;
using Strato.Engine.Linux;
using Strato.Engine.Virtio;
using Strato.Protocol.Configuration;
using Strato.Tests.Unit.Driver;
using Strato.Tests.Unit.Net;
using Xunit;

namespace Strato.Tests.Unit.Machine;

/// <summary>200 rounds of a disk and of an interface: descriptors, threads and memory are counted while no other test runs.</summary>
[Collection(TapCollection.Name)]
public sealed class HotPlugLeakTests
{
    private const int Rounds = 200;

    // The runtime's own, which come and go.
    private const int Slack = 4;

    [Theory]
    [InlineData(DriveAio.Threads, false)]
    [InlineData(DriveAio.Native, true)]
    [InlineData(DriveAio.IoUring, false)]
    public void ADiskLeavesNothingBehind(DriveAio aio, bool direct)
    {
        using SlotBoard board = new();
        using TemporaryFile file = new(1 << 20);
        MmioDriver driver = board.Disks[1];
        driver.Start();
        BlockClient client = new(driver);
        CountOver(() =>
        {
            board.HotPlug.AddNode(new() { Id = "d", File = file.Path, Aio = aio, Direct = direct });
            board.HotPlug.AddDisk(new("d", null, 1));
            Assert.Equal(BlockLayout.StatusOk, client.Write(0, new byte[512]));
            Assert.Equal(BlockLayout.StatusOk, client.Flush());
            board.HotPlug.Remove("d");
        });
    }

    [Fact]
    public void AnInterfaceLeavesNothingBehind()
    {
        using SlotBoard board = new();
        board.HotPlug.Remove("net0");
        board.Nets[0].Start();
        CountOver(() =>
        {
            Libc.CreateSocketPair(out FileDescriptor near, out FileDescriptor far);
            using (far)
            {
                board.HotPlug.AddNetdev(new() { Id = "n", Kind = NetdevKind.Stream, Descriptors = [near.Detach()] });
                board.HotPlug.AddNic(new("n", null, 0));
                board.Nets[0].Run();
                board.HotPlug.Remove("n");
            }
        });
    }

    private static void CountOver(Action round)
    {
        for (int i = 0; i < 20; i++)
        {
            round();
        }

        (int files, int threads, long bytes) = Count();
        for (int i = 0; i < Rounds; i++)
        {
            round();
        }

        (int filesAfter, int threadsAfter, long bytesAfter) = Count();
        Assert.InRange(filesAfter, 0, files + Slack);
        Assert.InRange(threadsAfter, 0, threads + Slack);
        Assert.InRange(bytesAfter, 0, bytes + (Rounds * 512));
    }

    private static (int Files, int Threads, long Bytes) Count() =>
        (Directory.GetFileSystemEntries("/proc/self/fd").Length, Directory.GetDirectories("/proc/self/task").Length, GC.GetTotalMemory(forceFullCollection: true));
}
