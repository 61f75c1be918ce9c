using System;
using System.Collections.Generic;
using System.IO;
using Strato.Engine.Block;
using Strato.Engine.Virtio;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Block;

/// <summary>Every way to the kernel moves the same bytes.</summary>
public sealed class DiskEngineTests : IDisposable
{
    private const int Sectors = 4096;

    private readonly TemporaryFile _file = new(Sectors * 512);
    private MmioDriver? _driver;

    public static TheoryData<DriveAio, bool> Ways => new()
    {
        { DriveAio.Off, false },
        { DriveAio.Off, true },
        { DriveAio.Threads, false },
        { DriveAio.Threads, true },
        { DriveAio.Native, true },
        { DriveAio.IoUring, false },
        { DriveAio.IoUring, true },
    };

    public void Dispose()
    {
        _driver?.Dispose();
        _file.Dispose();
    }

    /// <summary>A few hundred requests of all sizes, many under way at once, on sectors of their own, against a plain array.</summary>
    [Theory]
    [MemberData(nameof(Ways))]
    public void ManyRequestsAtOnceMoveTheRightBytes(DriveAio aio, bool direct)
    {
        Open(aio, direct, queues: 2);
        Random random = new(7);
        byte[] model = new byte[Sectors * 512];
        for (int round = 0; round < 20; round++)
        {
            bool write = round % 2 == 0;
            List<(DriverQueue Queue, ushort Head, int Sector, ulong Data, int Length, ulong Status)> requests = [];
            int sector = random.Next(64);
            ulong pages = _driver!.Allocate(0, 4096);
            while (requests.Count < 30 && sector < Sectors - 64)
            {
                int count = 1 + random.Next(48);
                ulong header = _driver.Allocate(16);
                ulong status = _driver.Allocate(1);
                ulong data = _driver.Allocate(count * 512, 512);
                BlockClient.WriteHeader(_driver.Ram(header, 16), write ? BlockLayout.TypeOut : BlockLayout.TypeIn, (ulong)sector);
                if (write)
                {
                    random.NextBytes(_driver.Ram(data, count * 512));
                    _driver.Ram(data, count * 512).CopyTo(model.AsSpan(sector * 512));
                }

                _driver.Ram(status, 1)[0] = BlockClient.Unanswered;
                DriverQueue queue = _driver.Queues[requests.Count % 2];

                // Two pieces, where there are two sectors.
                uint half = (uint)(count / 2 * 512);
                ushort head = half == 0
                    ? queue.Add(new DriverBuffer(header, 16, false), new DriverBuffer(data, (uint)count * 512, !write), new DriverBuffer(status, 1, true))
                    : queue.Add(
                        new DriverBuffer(header, 16, false),
                        new DriverBuffer(data, half, !write),
                        new DriverBuffer(data + half, (uint)(count * 512) - half, !write),
                        new DriverBuffer(status, 1, true));
                requests.Add((queue, head, sector, data, count * 512, status));
                sector += count + random.Next(8);
            }

            _driver.Queues[0].Kick();
            _driver.Queues[1].Kick();
            _driver.Run();
            foreach (var request in requests)
            {
                Assert.Equal(BlockLayout.StatusOk, _driver.Ram(request.Status, 1)[0]);
                Assert.True(_driver.Ram(request.Data, request.Length).SequenceEqual(model.AsSpan(request.Sector * 512, request.Length)), $"round {round}, sector {request.Sector}");
            }

            for (int i = 0; i < requests.Count; i++)
            {
                Assert.True(_driver.Queues[0].TryTake(out _, out _) || _driver.Queues[1].TryTake(out _, out _));
            }

            _driver.ReleaseFrom(pages);
        }

        Assert.Equal(BlockLayout.StatusOk, new BlockClient(_driver!).Flush());
        Assert.Equal(model, File.ReadAllBytes(_file.Path));
    }

    /// <summary>O_DIRECT takes aligned memory alone; what isn't goes through a buffer that is.</summary>
    [Theory]
    [InlineData(DriveAio.Off)]
    [InlineData(DriveAio.Threads)]
    [InlineData(DriveAio.Native)]
    [InlineData(DriveAio.IoUring)]
    public void MemoryThatIsNotAlignedIsBouncedWithDirect(DriveAio aio)
    {
        BlockClient client = Open(aio, direct: true);
        ulong at = client.Data;
        byte[] data = new byte[600 * 512];
        new Random(3).NextBytes(data);
        data.CopyTo(_driver!.Ram(at + 17, data.Length));
        ulong header = _driver.Allocate(16);
        ulong status = _driver.Allocate(1);
        BlockClient.WriteHeader(_driver.Ram(header, 16), BlockLayout.TypeOut, 9);
        DriverBuffer last = new(status, 1, true);
        Assert.Equal(
            BlockLayout.StatusOk,
            client.Request(status, new DriverBuffer(header, 16, false), new DriverBuffer(at + 17, 1001, false), new DriverBuffer(at + 17 + 1001, (uint)data.Length - 1001, false), last));
        _driver.Ram(at, 1 << 20).Clear();
        BlockClient.WriteHeader(_driver.Ram(header, 16), BlockLayout.TypeIn, 9);
        Assert.Equal(
            BlockLayout.StatusOk,
            client.Request(status, new DriverBuffer(header, 16, false), new DriverBuffer(at + 3, 700, true), new DriverBuffer(at + 3 + 700, (uint)data.Length - 700, true), last));
        Assert.True(_driver.Ram(at + 3, data.Length).SequenceEqual(data));
        Assert.Equal(data, File.ReadAllBytes(_file.Path).AsSpan(9 * 512, data.Length).ToArray());
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void AFileThatWasMadeShorterIsAnError(DriveAio aio, bool direct)
    {
        BlockClient client = Open(aio, direct);
        using (FileStream file = File.OpenWrite(_file.Path))
        {
            file.SetLength(4096);
        }

        Assert.Equal(BlockLayout.StatusOk, client.Read(0, new byte[4096]));
        Assert.Equal(BlockLayout.StatusIoError, client.Request(BlockLayout.TypeIn, 0, 8192, deviceWrites: true));
        Assert.Equal(4096u, client.Written);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void WithoutFlushEachWriteIsStableAndAllIsServed(DriveAio aio, bool direct)
    {
        BlockClient client = Open(aio, direct, options: new BlockOptions { WriteThrough = true });
        Assert.False(_driver!.Has(BlockLayout.FeatureFlush));
        byte[] data = new byte[4096];
        data.AsSpan().Fill(5);
        Assert.Equal(BlockLayout.StatusOk, client.Write(8, data));
        Assert.Equal(BlockLayout.StatusOk, client.Flush());
        Assert.Equal(data, File.ReadAllBytes(_file.Path).AsSpan(4096, 4096).ToArray());
    }

    /// <summary>Machine and transport both own a device.</summary>
    [Theory]
    [MemberData(nameof(Ways))]
    public void ADeviceMayBeDisposedOfTwice(DriveAio aio, bool direct)
    {
        BlockClient client = Open(aio, direct);
        Assert.Equal(BlockLayout.StatusOk, client.Read(0, new byte[4096]));
        MmioDriver driver = _driver!;
        _driver = null;
        driver.Dispose();
        driver.Device.Dispose();
    }

    /// <summary>More queues and entries than requests that may be under way: none is lost.</summary>
    [Theory]
    [InlineData(DriveAio.Threads)]
    [InlineData(DriveAio.IoUring)]
    public void MoreRequestsThanMayBeUnderWayAreAllServed(DriveAio aio)
    {
        Open(aio, direct: false, queues: 4, options: new BlockOptions { QueueCount = 4, QueueSize = 512 });
        ulong header = _driver!.Allocate(16);
        BlockClient.WriteHeader(_driver.Ram(header, 16), BlockLayout.TypeFlush, 0);
        ulong status = _driver.Allocate(4 * 200);
        _driver.Ram(status, 800).Fill(BlockClient.Unanswered);
        for (int i = 0; i < 800; i++)
        {
            _driver.Queues[i % 4].Add(new DriverBuffer(header, 16, false), new DriverBuffer(status + (ulong)i, 1, true));
        }

        foreach (DriverQueue queue in _driver.Queues)
        {
            queue.Kick();
        }

        _driver.Run();
        Assert.True(_driver.Ram(status, 800).IndexOfAnyExcept(BlockLayout.StatusOk) < 0);
    }

    [Fact]
    public void AnImageWithoutODirectIsRefusedWithWhatIsAllowed()
    {
        string path = $"/dev/shm/strato-direct-{Environment.ProcessId}";
        File.WriteAllBytes(path, new byte[4096]);
        try
        {
            UserErrorException? error = Record.Exception(() => DiskOpener.Open(new DriveOptions("d", path) { Direct = true }).Dispose()) as UserErrorException;
            Assert.SkipWhen(error is null, "this host's tmpfs has O_DIRECT");
            Assert.Equal("DriveDirect", error.Id);
            Assert.Contains("its file system has no O_DIRECT; allowed there: direct=off", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private BlockClient Open(DriveAio aio, bool direct, int queues = 1, BlockOptions? options = null)
    {
        try
        {
            DiskImage disk = DiskOpener.Open(new DriveOptions("d", _file.Path) { Aio = aio, Direct = direct });
            Assert.SkipWhen(disk.Geometry.LogicalBlock > 512, "O_DIRECT needs larger blocks here");
            _driver = new MmioDriver(new BlockDevice("d", disk, options ?? new BlockOptions { QueueCount = queues }));
        }
        catch (UserErrorException error) when (error.Id is "DriveDirect" or "DriveAio")
        {
            Assert.Skip(error.Message);
        }

        _driver.Start(512);
        return new BlockClient(_driver);
    }
}
