using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using Strato.Engine.Block;
using Strato.Engine.Linux;
using Strato.Engine.Virtio;
using Strato.Engine.Virtio.Queue;
using Strato.Protocol.Configuration;
using Strato.Tests.Unit.Driver;

namespace Strato.Bench.Devices;

/// <summary>Devices without KVM, through the driver simulator: nanoseconds a descriptor chain, and what a 4 KiB request of a disk adds to a bare pread.</summary>
/// <remarks>Driver and device run in turn on one thread; the driver's own work is in the figures.</remarks>
internal static class Program
{
    private const int Rounds = 9;
    private const int Requests = 100_000;
    private const int Batch = 32;
    private const int Block = 4096;

    private static void Main()
    {
        Queue();
        Wake();
        using TemporaryFile file = new();
        File.WriteAllBytes(file.Path, new byte[16 << 20]);
        double bare = Pread(file.Path);
        foreach (DriveAio aio in new[] { DriveAio.Off, DriveAio.Threads, DriveAio.IoUring })
        {
            foreach (int depth in new[] { 1, Batch })
            {
                Disk(file.Path, aio, depth, bare);
            }
        }
    }

    private static void Queue()
    {
        using MmioDriver driver = new(new EchoDevice(1));
        driver.Start(256);
        ulong at = driver.Allocate(64);
        ulong table = driver.Allocate(3 * RingLayout.DescriptorBytes);
        Print("queue alone, a chain of 3 in an indirect table", Median(() => Serve(driver, Batch, () =>
            driver.Queues[0].AddIndirect(table, new DriverBuffer(at, 16, false), new DriverBuffer(at + 16, 8, true), new DriverBuffer(at + 24, 1, true)))));
        Print("queue alone, a chain of 3 in the table", Median(() => Serve(driver, Batch, () =>
            driver.Queues[0].Add(new DriverBuffer(at, 16, false), new DriverBuffer(at + 16, 8, true), new DriverBuffer(at + 24, 1, true)))));
    }

    /// <summary>What a system call costs here: at depth 1 the device makes three for a request with <c>aio=off</c> (wait, pread, interrupt), the simulated driver two more.</summary>
    private static void Wake()
    {
        using FileDescriptor wake = Libc.CreateEventFd();
        Print("a system call that does little (write to an eventfd)", Median(() =>
        {
            for (int i = 0; i < Requests; i++)
            {
                Libc.SignalEventFd(wake.Value);
            }
        }));
    }

    private static double Pread(string path)
    {
        using FileDescriptor file = new(Libc.Open(path, Libc.O_RDONLY));
        byte[] buffer = GC.AllocateArray<byte>(Block, pinned: true);
        double bare = Median(() =>
        {
            for (int i = 0; i < Requests; i++)
            {
                _ = Libc.PRead(file.Value, buffer, (long)(i % 4096) * Block);
            }
        });
        Print("bare pread of 4 KiB from the page cache", bare);
        return bare;
    }

    private static void Disk(string path, DriveAio aio, int depth, double bare)
    {
        using MmioDriver driver = new(new BlockDevice("disk", DiskOpener.Open(new DriveOptions("disk", path) { Aio = aio })));
        driver.Start(256);
        ulong header = driver.Allocate(16);
        ulong status = driver.Allocate(1);
        ulong data = driver.Allocate(Block, Block);
        ulong table = driver.Allocate(3 * RingLayout.DescriptorBytes);
        int next = 0;
        double time = Median(() => Serve(driver, depth, () =>
        {
            BlockClient.WriteHeader(driver.Ram(header, 16), BlockLayout.TypeIn, (ulong)(next++ % 4096) * 8);
            driver.Queues[0].AddIndirect(table, new DriverBuffer(header, 16, false), new DriverBuffer(data, Block, true), new DriverBuffer(status, 1, true));
        }));
        Print($"blk, read of 4 KiB, aio={DriveNames.Of(aio)}, depth {depth}", time, $", {time - bare:f0} ns added");
    }

    private static void Serve(MmioDriver driver, int depth, Action add)
    {
        for (int served = 0; served < Requests;)
        {
            for (int i = 0; i < depth; i++)
            {
                add();
            }

            driver.Queues[0].EnableInterrupt();
            driver.Queues[0].Kick();
            driver.Run();
            while (driver.Queues[0].TryTake(out _, out _))
            {
                served++;
            }
        }
    }

    /// <summary>Nanoseconds a request: the middle of several rounds, after one that warms up.</summary>
    private static double Median(Action round)
    {
        round();
        double[] times = new double[Rounds];
        for (int i = 0; i < Rounds; i++)
        {
            long start = Stopwatch.GetTimestamp();
            round();
            times[i] = Stopwatch.GetElapsedTime(start).TotalNanoseconds / Requests;
        }

        Array.Sort(times);
        return times[Rounds / 2];
    }

    private static void Print(string what, double nanoseconds, string more = "") =>
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what}: {nanoseconds:f0} ns{more}"));
}
