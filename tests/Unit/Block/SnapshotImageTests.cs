using System;
using System.IO;
using FsCheck;
using FsCheck.Fluent;
using Strato.Engine.Block;
using Strato.Engine.Virtio;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Block;

/// <summary><c>snapshot=on</c>: the guest sees its changes, the image stays as it is, and nothing is left behind.</summary>
public class SnapshotImageTests
{
    // Not a multiple of a cluster: the last one is short.
    private const int Sectors = (5 * 128) + 33;

    private enum Kind
    {
        Read,
        Write,
        Zeroes,
    }

    [Theory]
    [InlineData(DriveAio.Off)]
    [InlineData(DriveAio.Threads)]
    [InlineData(DriveAio.IoUring)]
    public void AnySequenceOfRequestsReadsWhatWasWritten(DriveAio aio)
    {
        Gen<(Kind Kind, int Sector, int Count)> request =
            from kind in Gen.Elements(Kind.Read, Kind.Write, Kind.Write, Kind.Zeroes)
            from sector in Gen.Choose(0, Sectors - 1)
            from count in Gen.Frequency((3, Gen.Choose(1, 8)), (1, Gen.Choose(1, 300)))
            select (kind, sector, Math.Min(count, Sectors - sector));
        Prop.ForAll(request.ArrayOf().ToArbitrary(), requests => Run(aio, requests))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(40).WithQuietOnSuccess(true));
    }

    [Fact]
    public void ManyMachinesShareAnImageThatNobodyWritesTo()
    {
        using TemporaryFile file = new(1 << 20);
        using DiskImage first = DiskOpener.Open(new DriveOptions("a", file.Path) { Snapshot = true });
        using DiskImage second = DiskOpener.Open(new DriveOptions("b", file.Path) { Snapshot = true });
        Assert.False(first.ReadOnly);
        Assert.Equal("DriveLocked", Assert.Throws<UserErrorException>(() => DiskOpener.Open(new DriveOptions("c", file.Path))).Id);
    }

    [Fact]
    public void TheChangesHaveNoName()
    {
        using TemporaryFile file = new(1 << 20);
        using DiskImage image = DiskOpener.Open(new DriveOptions("a", file.Path) { Snapshot = true });
        Assert.Contains("(deleted)", new FileInfo($"/proc/self/fd/{image.Descriptor}").LinkTarget, StringComparison.Ordinal);
    }

    private static void Run(DriveAio aio, (Kind Kind, int Sector, int Count)[] requests)
    {
        using TemporaryFile file = new(Sectors * 512);
        byte[] image = new byte[Sectors * 512];
        Random random = new(1);
        random.NextBytes(image);
        File.WriteAllBytes(file.Path, image);
        byte[] model = (byte[])image.Clone();
        DiskImage disk = DiskOpener.Open(new DriveOptions("d", file.Path) { Aio = aio, Snapshot = true });
        using (MmioDriver driver = new(new BlockDevice("d", disk)))
        {
            driver.Start(256);
            BlockClient client = new(driver);
            foreach ((Kind kind, int sector, int count) in requests)
            {
                Span<byte> range = model.AsSpan(sector * 512, count * 512);
                switch (kind)
                {
                    case Kind.Read:
                        byte[] read = new byte[range.Length];
                        Assert.Equal(BlockLayout.StatusOk, client.Read((ulong)sector, read));
                        Assert.True(range.SequenceEqual(read), $"sectors {sector}+{count}");
                        break;
                    case Kind.Write:
                        random.NextBytes(range);
                        Assert.Equal(BlockLayout.StatusOk, client.Write((ulong)sector, range));
                        break;
                    default:
                        range.Clear();
                        Assert.Equal(BlockLayout.StatusOk, client.WriteZeroes((ulong)sector, (uint)count));
                        break;
                }
            }

            byte[] whole = new byte[model.Length];
            Assert.Equal(BlockLayout.StatusOk, client.Read(0, whole));
            Assert.Equal(model, whole);
            Assert.Equal(BlockLayout.StatusOk, client.Flush());
        }

        Assert.Equal(image, File.ReadAllBytes(file.Path));
    }
}
