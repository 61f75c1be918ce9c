using System;
using System.Buffers.Binary;
using Strato.Engine.Net;
using Strato.Engine.Virtio;
using Strato.Tests.Unit.Driver;

namespace Strato.Tests.Unit.Snapshots;

/// <summary>Requests as a driver of each kind makes them, to each of its queues.</summary>
internal static class DriverActions
{
    private const int Sectors = 128;

    /// <summary>A valid request; null where the driver has none for the queue.</summary>
    public static DriverBuffer[]? Request(string kind, MmioDriver driver, int queue, Random random) => kind switch
    {
        "echo" => [Readable(driver, random.Next(1, 100), random), Writable(driver, random.Next(1, 100))],
        "blk" or "blk-io_uring-queues" => Disk(driver, random, readOnly: false),
        "blk-off-readonly" => Disk(driver, random, readOnly: true),
        "rng" => [Writable(driver, random.Next(1, 100))],
        "net" => Net(driver, queue, control: -1, random),
        "net-control" => Net(driver, queue, control: 4, random),
        "net-vhost" => queue == 4 ? Pairs(driver, random) : [Writable(driver, 64)],
        "vsock" => [Writable(driver, queue == VsockDevice.EventQueue ? 4 : 64)],
        "console" => Console(driver, queue, random),
        "balloon" => Balloon(driver, queue, random),
        _ => null,
    };

    /// <summary>Whether a request to the queue is answered when the device has had its time, whatever the host's side does.</summary>
    public static bool IsAlwaysAnswered(string kind, MmioDriver driver, int queue) => kind switch
    {
        "net" or "net-control" => queue % 2 == 1 || queue == 4,
        "net-vhost" => queue is 0 or 1 or 4,
        "vsock" => queue < VsockDevice.KernelQueues,
        "console" => queue is 1 or ConsoleDevice.ControlFromDriver,
        "balloon" => queue != BalloonDevice.StatisticsQueue || !driver.Has(BalloonDevice.FeatureStatistics),
        _ => true,
    };

    private static DriverBuffer[] Disk(MmioDriver driver, Random random, bool readOnly)
    {
        uint[] types = readOnly
            ? [BlockLayout.TypeIn, BlockLayout.TypeGetId, BlockLayout.TypeFlush]
            : [BlockLayout.TypeIn, BlockLayout.TypeOut, BlockLayout.TypeOut, BlockLayout.TypeFlush, BlockLayout.TypeGetId, 77];
        uint type = types[random.Next(types.Length)];
        DriverBuffer header = Readable(driver, BlockClient.HeaderBytes, random);
        int sector = random.Next(Sectors);
        BlockClient.WriteHeader(driver.Ram(header.Address, BlockClient.HeaderBytes), type, (ulong)sector);
        int length = 512 * Math.Min(Sectors - sector, random.Next(1, 5));
        DriverBuffer status = Writable(driver, 1);
        return type switch
        {
            BlockLayout.TypeOut => [header, Readable(driver, length, random), status],
            BlockLayout.TypeFlush => [header, status],
            BlockLayout.TypeGetId => [header, Writable(driver, BlockLayout.SerialBytes), status],
            _ => [header, Writable(driver, length), status],
        };
    }

    private static DriverBuffer[] Net(MmioDriver driver, int queue, int control, Random random)
    {
        if (queue == control)
        {
            return Pairs(driver, random);
        }

        if (queue % 2 == 0)
        {
            return [Writable(driver, 2048)];
        }

        DriverBuffer packet = Readable(driver, random.Next(60, 400), random);
        driver.Ram(packet.Address, VirtioNetHeader.Bytes).Clear();
        return [packet];
    }

    private static DriverBuffer[] Pairs(MmioDriver driver, Random random)
    {
        DriverBuffer command = Readable(driver, 4, random);
        new byte[] { NetInterface.ControlMultiqueue, NetInterface.ControlSetPairs, (byte)random.Next(1, 3), 0 }.CopyTo(driver.Ram(command.Address, 4));
        return [command, Writable(driver, 1)];
    }

    private static DriverBuffer[]? Console(MmioDriver driver, int queue, Random random)
    {
        switch (queue)
        {
            case 1:
                return [Readable(driver, random.Next(1, 200), random)];
            case ConsoleDevice.ControlFromDriver:
                // struct virtio_console_control: port 32, event 16, value 16.
                DriverBuffer message = Readable(driver, 8, random);
                Span<byte> text = driver.Ram(message.Address, 8);
                text.Clear();
                ushort[] events = [(ushort)ConsoleEvent.DeviceReady, (ushort)ConsoleEvent.PortReady, (ushort)ConsoleEvent.PortOpen];
                BinaryPrimitives.WriteUInt16LittleEndian(text[4..], events[random.Next(events.Length)]);
                text[6] = (byte)random.Next(2);
                return [message];
            default:
                return [Writable(driver, 64)];
        }
    }

    private static DriverBuffer[] Balloon(MmioDriver driver, int queue, Random random)
    {
        bool statistics = driver.Has(BalloonDevice.FeatureStatistics);
        if (queue == BalloonDevice.StatisticsQueue && statistics)
        {
            return [Readable(driver, BalloonStatistics.EntryBytes * random.Next(1, 12), random)];
        }

        if (queue > BalloonDevice.DeflateQueue)
        {
            return [new DriverBuffer(MmioDriver.HighRam + ((ulong)random.Next(1000) * 4096), 4096, true)];
        }

        // Numbers of pages, whose memory nobody else uses.
        int count = random.Next(1, 100);
        DriverBuffer numbers = Readable(driver, count * sizeof(uint), random);
        for (int i = 0; i < count; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(
                driver.Ram(numbers.Address + (ulong)(i * sizeof(uint)), sizeof(uint)), (uint)(MmioDriver.HighRam / 4096) + (uint)random.Next(1000));
        }

        return [numbers];
    }

    private static DriverBuffer Readable(MmioDriver driver, int length, Random random)
    {
        DriverBuffer buffer = new(driver.Allocate(length), (uint)length, false);
        random.NextBytes(driver.Ram(buffer.Address, length));
        return buffer;
    }

    private static DriverBuffer Writable(MmioDriver driver, int length) => new(driver.Allocate(length), (uint)length, true);
}
