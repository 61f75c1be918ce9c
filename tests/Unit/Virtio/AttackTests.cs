using System;
using System.Collections.Generic;
using Strato.Engine.Virtio;
using Strato.Engine.Virtio.Queue;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Virtio;

/// <summary>The table attack × device: what a hostile driver can do, and what comes of it. After each the device works again.</summary>
public sealed class AttackTests
{
    /// <summary>What has to come of an attack.</summary>
    private enum Outcome
    {
        /// <summary>The device goes still, says NEEDS_RESET, and announces it.</summary>
        NeedsReset,

        /// <summary>As NeedsReset, before DRIVER_OK: nothing is announced, and DRIVER_OK starts nothing.</summary>
        NeedsResetSilently,

        /// <summary>FEATURES_OK isn't granted.</summary>
        FeaturesRefused,

        /// <summary>Nothing at all.</summary>
        Nothing,
    }

    private static readonly Dictionary<string, (Outcome Outcome, Action<MmioDriver> Attack)> Attacks = new(StringComparer.Ordinal)
    {
        // Chains, with the device running.
        ["chain that loops"] = (Outcome.NeedsReset, Running((driver, queue) =>
        {
            queue.WriteDescriptor(queue.DescriptorTable, 0, Page(driver), 16, RingLayout.DescriptorNext, 1);
            queue.WriteDescriptor(queue.DescriptorTable, 1, Page(driver), 16, RingLayout.DescriptorNext, 0);
            queue.Publish(0);
        })),
        ["chain that points to itself"] = (Outcome.NeedsReset, Running((driver, queue) =>
        {
            queue.WriteDescriptor(queue.DescriptorTable, 5, Page(driver), 0, RingLayout.DescriptorNext, 5);
            queue.Publish(5);
        })),
        ["next = size"] = (Outcome.NeedsReset, Running((driver, queue) =>
        {
            queue.WriteDescriptor(queue.DescriptorTable, 0, Page(driver), 16, RingLayout.DescriptorNext, (ushort)queue.Size);
            queue.Publish(0);
        })),
        ["next = 65535"] = (Outcome.NeedsReset, Running((driver, queue) =>
        {
            queue.WriteDescriptor(queue.DescriptorTable, 0, Page(driver), 16, RingLayout.DescriptorNext, ushort.MaxValue);
            queue.Publish(0);
        })),
        ["head = size"] = (Outcome.NeedsReset, Running((_, queue) => queue.Publish((ushort)queue.Size))),
        ["head = 65535"] = (Outcome.NeedsReset, Running((_, queue) => queue.Publish(ushort.MaxValue))),
        ["available index jumps by size + 1"] = (Outcome.NeedsReset, Running((_, queue) =>
            queue.WriteAvailableIndex((ushort)(queue.AvailableIndex + queue.Size + 1)))),
        ["available index goes back"] = (Outcome.NeedsReset, Running((_, queue) =>
            queue.WriteAvailableIndex((ushort)(queue.AvailableIndex - 1)))),
        ["available index jumps by 32768"] = (Outcome.NeedsReset, Running((_, queue) =>
            queue.WriteAvailableIndex((ushort)(queue.AvailableIndex + 32768)))),
        ["buffer in the hole"] = Buffer(MmioDriver.Hole, 16),
        ["buffer that runs into the hole"] = Buffer(MmioDriver.Hole - 8, 16),
        ["buffer that ends beyond all RAM"] = Buffer(MmioDriver.HighRam + MmioDriver.RegionBytes - 1, 2),
        ["buffer of 4 GiB"] = Buffer(0, uint.MaxValue),
        ["buffer whose address wraps"] = Buffer(ulong.MaxValue - 7, 16),
        ["buffer at the last address"] = Buffer(ulong.MaxValue, 1),
        ["buffer to read after one to write"] = (Outcome.NeedsReset, Running((driver, queue) => queue.Add(
            new DriverBuffer(Page(driver), 16, false), new DriverBuffer(Page(driver), 16, true), new DriverBuffer(Page(driver), 16, false)))),

        // Indirect tables.
        ["indirect table inside an indirect table"] = (Outcome.NeedsReset, Running((driver, queue) =>
        {
            ulong table = Page(driver);
            queue.WriteDescriptor(table, 0, Page(driver), 16, RingLayout.DescriptorIndirect, 0);
            Indirect(queue, table, 16, 0);
        })),
        ["indirect table that is its own first entry"] = (Outcome.NeedsReset, Running((driver, queue) =>
        {
            ulong table = Page(driver);
            queue.WriteDescriptor(table, 0, table, 16, RingLayout.DescriptorIndirect, 0);
            Indirect(queue, table, 16, 0);
        })),
        ["indirect table with a next"] = (Outcome.NeedsReset, Running((driver, queue) =>
            Indirect(queue, Page(driver), 16, RingLayout.DescriptorNext))),
        ["indirect table of 0 bytes"] = (Outcome.NeedsReset, Running((driver, queue) => Indirect(queue, Page(driver), 0, 0))),
        ["indirect table of 24 bytes"] = (Outcome.NeedsReset, Running((driver, queue) => Indirect(queue, Page(driver), 24, 0))),
        ["indirect table longer than the queue"] = (Outcome.NeedsReset, Running((driver, queue) =>
            Indirect(queue, Page(driver), (uint)((queue.Size + 1) * 16), 0))),
        ["indirect table of 4 GiB"] = (Outcome.NeedsReset, Running((driver, queue) => Indirect(queue, Page(driver), 0xffff_fff0, 0))),
        ["indirect table in the hole"] = (Outcome.NeedsReset, Running((_, queue) => Indirect(queue, MmioDriver.Hole, 16, 0))),
        ["indirect table at the end of RAM"] = (Outcome.NeedsReset, Running((_, queue) => Indirect(queue, MmioDriver.Hole - 16, 32, 0))),
        ["indirect next outside its table"] = (Outcome.NeedsReset, Running((driver, queue) =>
        {
            ulong table = Page(driver);
            queue.WriteDescriptor(table, 0, Page(driver), 16, RingLayout.DescriptorNext, 1);
            Indirect(queue, table, 16, 0);
        })),
        ["indirect chain that loops"] = (Outcome.NeedsReset, Running((driver, queue) =>
        {
            ulong table = Page(driver);
            queue.WriteDescriptor(table, 0, Page(driver), 16, RingLayout.DescriptorNext, 0);
            Indirect(queue, table, 16, 0);
        })),
        ["indirect table without the feature"] = (Outcome.NeedsReset, driver =>
        {
            driver.Start(wanted: ~VirtioFeature.IndirectDescriptors);
            ulong table = Page(driver);
            driver.TargetQueue.WriteDescriptor(table, 0, Page(driver), 16, 0, 0);
            Indirect(driver.TargetQueue, table, 16, 0);
            driver.TargetQueue.KickAlways();
        }
        ),

        // Rings that can't be.
        ["queue size 0"] = Ring(size: 0),
        ["queue size 1"] = Ring(size: 1),
        ["queue size 3"] = Ring(size: 3),
        ["queue size above the maximum"] = Ring(size: 65536),
        ["queue size 2^31"] = Ring(size: 1u << 31),
        ["queue size 2^32 - 1"] = Ring(size: uint.MaxValue),
        ["descriptor table not aligned"] = Ring(table: 0x8),
        ["available ring not aligned"] = Ring(available: 0x1),
        ["used ring not aligned"] = Ring(used: 0x2),
        ["descriptor table in the hole"] = Ring(table: MmioDriver.Hole),
        ["descriptor table over the end of RAM"] = Ring(table: MmioDriver.Hole - 16),
        ["available ring in the hole"] = Ring(available: MmioDriver.Hole),
        ["available ring over the end of RAM"] = Ring(available: MmioDriver.Hole - 4),
        ["used ring in the hole"] = Ring(used: MmioDriver.Hole),
        ["used ring over the end of RAM"] = Ring(used: MmioDriver.Hole - 4),
        ["rings at the last addresses"] = Ring(table: ulong.MaxValue - 15, available: ulong.MaxValue - 1, used: ulong.MaxValue - 3),

        // The handshake.
        ["feature that wasn't offered"] = (Outcome.FeaturesRefused, driver => Handshake(driver, driver.ReadOffer() | (1UL << 60))),
        ["ACCESS_PLATFORM"] = (Outcome.FeaturesRefused, driver => Handshake(driver, driver.ReadOffer() | (1UL << 33))),
        ["without VERSION_1"] = (Outcome.FeaturesRefused, driver => Handshake(driver, driver.ReadOffer() & ~VirtioFeature.Version1)),
        ["features 64 and up"] = (Outcome.FeaturesRefused, driver =>
        {
            driver.Write(MmioRegister.DriverFeaturesSelect, 2);
            driver.Write(MmioRegister.DriverFeatures, 1);
            Handshake(driver, driver.ReadOffer());
        }
        ),
        ["DRIVER_OK without FEATURES_OK"] = (Outcome.Nothing, driver =>
        {
            driver.Write(MmioRegister.Status, 1);
            driver.Write(MmioRegister.Status, 3);
            driver.Write(MmioRegister.Status, 7);
            Assert.Equal((VirtioStatus)3, driver.Status);
        }
        ),
        ["DRIVER without ACKNOWLEDGE"] = (Outcome.Nothing, driver =>
        {
            driver.Write(MmioRegister.Status, 2);
            Assert.Equal(VirtioStatus.None, driver.Status);
        }
        ),
        ["status that goes back"] = (Outcome.Nothing, driver =>
        {
            driver.Start();
            driver.Write(MmioRegister.Status, 3);
            Assert.Equal((VirtioStatus)15, driver.Status);
        }
        ),
        ["unknown status bits"] = (Outcome.Nothing, driver =>
        {
            driver.Write(MmioRegister.Status, 0x11);
            driver.Write(MmioRegister.Status, 0x101);
            driver.Write(MmioRegister.Status, 0xffff_ff00);
            Assert.Equal(VirtioStatus.None, driver.Status);
        }
        ),
        ["NEEDS_RESET written by the driver"] = (Outcome.Nothing, driver =>
        {
            driver.Write(MmioRegister.Status, 0x41);
            Assert.Equal(VirtioStatus.Acknowledge, driver.Status);
        }
        ),
        ["progress after FAILED"] = (Outcome.Nothing, driver =>
        {
            driver.Write(MmioRegister.Status, 1);
            driver.Write(MmioRegister.Status, 0x81);
            driver.Write(MmioRegister.Status, 0x83);
            Assert.Equal(VirtioStatus.Acknowledge | VirtioStatus.Failed, driver.Status);
        }
        ),
        ["features after FEATURES_OK"] = (Outcome.Nothing, driver =>
        {
            driver.Start();
            ulong before = driver.Device.Features;
            driver.WriteFeatures(0);
            Assert.Equal(before, driver.Device.Features);
        }
        ),
        ["requests after FAILED"] = (Outcome.Nothing, driver =>
        {
            driver.Start();
            driver.Write(MmioRegister.Status, 0x8f);
            driver.TargetQueue.Add(new DriverBuffer(Page(driver), 16, true));
            driver.TargetQueue.KickAlways();
            driver.Run();
            Assert.Equal(0, driver.TargetQueue.UsedIndex);
        }
        ),

        // Registers out of turn.
        ["queue registers after DRIVER_OK"] = (Outcome.Nothing, driver =>
        {
            driver.Start();
            driver.WriteQueueAddresses(MmioDriver.Hole, 1, 3);
            driver.Write(MmioRegister.QueueSize, 0);
            driver.Write(MmioRegister.QueueReady, 1);
            Assert.Equal(1u, driver.Read(MmioRegister.QueueReady));
        }
        ),
        ["queue registers after the queue is ready"] = (Outcome.Nothing, driver =>
        {
            driver.Negotiate();
            DriverQueue queue = driver.AddQueue(16);
            driver.WriteQueueAddresses(MmioDriver.Hole, 1, 3);
            Assert.Equal(queue.UsedRing, driver.Device.Queues[0].UsedRing);
        }
        ),
        ["queue registers before FEATURES_OK"] = (Outcome.Nothing, driver =>
        {
            driver.Write(MmioRegister.Status, 3);
            driver.WriteQueueAddresses(0x1000, 0x2000, 0x3000);
            driver.Write(MmioRegister.QueueReady, 1);
            Assert.Equal(0u, driver.Read(MmioRegister.QueueReady));
            Assert.Equal(0ul, driver.Device.Queues[0].UsedRing);
        }
        ),
        ["a queue made ready again after DRIVER_OK"] = (Outcome.Nothing, driver =>
        {
            driver.Start();
            driver.Write(MmioRegister.QueueReady, 0);
            driver.Write(MmioRegister.QueueReady, 1);
            Assert.Equal(0u, driver.Read(MmioRegister.QueueReady));
        }
        ),
        ["queue_select out of range"] = (Outcome.Nothing, driver =>
        {
            driver.Negotiate();
            foreach (uint select in new uint[] { (uint)driver.Device.Queues.Length, 65536, uint.MaxValue, 1u << 31 })
            {
                driver.Write(MmioRegister.QueueSelect, select);
                Assert.Equal(0u, driver.Read(MmioRegister.QueueSizeMaximum));
                driver.Write(MmioRegister.QueueSize, 16);
                driver.WriteQueueAddresses(0x1000, 0x2000, 0x3000);
                driver.Write(MmioRegister.QueueReady, 1);
                Assert.Equal(0u, driver.Read(MmioRegister.QueueReady));
            }
        }
        ),
        ["notification of a queue that isn't there"] = (Outcome.Nothing, driver =>
        {
            driver.Start();
            driver.Notify((uint)driver.Device.Queues.Length);
            driver.Notify(uint.MaxValue);
            driver.Run();
        }
        ),
        ["notification before DRIVER_OK"] = (Outcome.Nothing, driver =>
        {
            driver.Negotiate();
            driver.AddQueue(16).Publish(ushort.MaxValue);
            driver.Notify(0);
            driver.Run();
        }
        ),
        ["notification of a queue that isn't ready"] = (Outcome.Nothing, driver =>
        {
            driver.Negotiate();
            driver.DriverOk();
            driver.Notify(0);
            driver.Run();
        }
        ),
        ["accesses of every width and offset"] = (Outcome.Nothing, driver =>
        {
            driver.Start();
            byte[] data = new byte[8];
            foreach (int length in new[] { 1, 2, 4, 8 })
            {
                for (ulong offset = 0; offset + (ulong)length <= MmioTransport.Length; offset++)
                {
                    driver.Transport.Read(offset, data.AsSpan(0, length));
                    if (offset is > MmioRegister.Status + 3 or < MmioRegister.Status - 8)
                    {
                        driver.Transport.Write(offset, data.AsSpan(0, length));
                    }
                }
            }
        }
        ),
        ["short and misaligned accesses"] = (Outcome.Nothing, driver =>
        {
            driver.Start();
            byte[] data = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
            driver.Transport.Read(MmioRegister.MagicValue, data.AsSpan(0, 2));
            Assert.Equal([0, 0], data[..2]);
            driver.Transport.Read(MmioRegister.MagicValue + 1, data.AsSpan(0, 4));
            Assert.Equal([0, 0, 0, 0], data[..4]);
            driver.Transport.Read(MmioRegister.ConfigurationGeneration, data);
            Assert.Equal(new byte[8], data);

            // A reset by one byte, or by eight, is none.
            driver.Transport.Write(MmioRegister.Status, new byte[1]);
            driver.Transport.Write(MmioRegister.Status, new byte[8]);
            driver.Transport.Write(MmioRegister.Status - 2, new byte[4]);
            Assert.Equal((VirtioStatus)15, driver.Status);
        }
        ),
        ["configuration beyond its end"] = (Outcome.Nothing, driver =>
        {
            driver.Start();
            byte[] data = [1, 2, 3, 4, 5, 6, 7, 8];
            driver.Transport.Read(MmioTransport.Length - 8, data);
            Assert.Equal(new byte[8], data);
            driver.Transport.Write(MmioTransport.Length - 4, data.AsSpan(0, 4));
            byte[] before = driver.ReadConfiguration(64);
            driver.Transport.Write(MmioRegister.Configuration, data);
            Assert.Equal(before, driver.ReadConfiguration(64));
        }
        ),
    };

    public static TheoryData<string, string> Table
    {
        get
        {
            TheoryData<string, string> table = [];
            foreach (string device in DeviceCatalogue.Names)
            {
                foreach (string attack in Attacks.Keys)
                {
                    table.Add(device, attack);
                }
            }

            return table;
        }
    }

    [Theory]
    [MemberData(nameof(Table))]
    public void ADeviceSurvives(string device, string attack)
    {
        using TemporaryFile file = new(64 << 10);
        using MmioDriver driver = DeviceCatalogue.Open(device, file);
        (Outcome outcome, Action<MmioDriver> run) = Attacks[attack];
        run(driver);
        driver.Run();

        uint announced = driver.Read(MmioRegister.InterruptStatus) & MmioRegister.InterruptConfiguration;
        switch (outcome)
        {
            case Outcome.NeedsReset:
                Assert.True(driver.NeedsReset, "NEEDS_RESET is missing");
                Assert.Equal(MmioRegister.InterruptConfiguration, announced);
                Assert.NotEqual(0, driver.Interrupt.Count);
                CheckStill(driver);
                break;
            case Outcome.NeedsResetSilently:
                Assert.True(driver.NeedsReset, "NEEDS_RESET is missing");
                Assert.Equal(0u, announced);
                Assert.Equal(0u, driver.Read(MmioRegister.QueueReady));
                driver.DriverOk();
                driver.Notify(0);
                driver.Run();

                // 2.1.2: DRIVER_OK is set now, so the driver is told.
                Assert.NotEqual(0u, driver.Read(MmioRegister.InterruptStatus) & MmioRegister.InterruptConfiguration);
                break;
            case Outcome.FeaturesRefused:
                Assert.Equal(VirtioStatus.Acknowledge | VirtioStatus.Driver, driver.Status);
                Assert.Equal(0ul, driver.Device.Features);
                break;
            default:
                Assert.False(driver.NeedsReset, "the device gave up");
                break;
        }

        DeviceCatalogue.CheckWorks(device, driver);
    }

    /// <summary>A device that waits for its reset serves nothing and writes nothing.</summary>
    private static void CheckStill(MmioDriver driver)
    {
        DriverQueue queue = driver.TargetQueue;
        ushort used = queue.UsedIndex;
        byte[] before = driver.Ram(0, (int)MmioDriver.RegionBytes).ToArray();
        queue.KickAlways();
        driver.Run();
        Assert.Equal(used, queue.UsedIndex);
        Assert.True(driver.Ram(0, (int)MmioDriver.RegionBytes).SequenceEqual(before), "a device that waits for its reset wrote to memory");
    }

    private static Action<MmioDriver> Running(Action<MmioDriver, DriverQueue> attack) => driver =>
    {
        driver.Start();
        attack(driver, driver.TargetQueue);
        driver.TargetQueue.KickAlways();
    };

    private static (Outcome, Action<MmioDriver>) Buffer(ulong address, uint length) => (Outcome.NeedsReset, Running((driver, queue) =>
        queue.Add(new DriverBuffer(Page(driver), 16, false), new DriverBuffer(address, length, true), new DriverBuffer(Page(driver), 1, true))));

    private static (Outcome, Action<MmioDriver>) Ring(uint size = 16, ulong? table = null, ulong? available = null, ulong? used = null) =>
        (Outcome.NeedsResetSilently, driver =>
        {
            driver.Negotiate();
            DriverQueue queue = driver.PlaceQueue(16);
            driver.Write(MmioRegister.QueueSize, size);
            driver.WriteQueueAddresses(table ?? queue.DescriptorTable, available ?? queue.AvailableRing, used ?? queue.UsedRing);
            driver.Write(MmioRegister.QueueReady, 1);
        }
    );

    private static void Indirect(DriverQueue queue, ulong table, uint length, ushort flags)
    {
        queue.WriteDescriptor(queue.DescriptorTable, 0, table, length, (ushort)(RingLayout.DescriptorIndirect | flags), 1);
        queue.Publish(0);
    }

    private static void Handshake(MmioDriver driver, ulong features)
    {
        driver.Write(MmioRegister.Status, 1);
        driver.Write(MmioRegister.Status, 3);
        driver.WriteFeatures(features);
        driver.Write(MmioRegister.Status, 11);
    }

    private static ulong Page(MmioDriver driver) => driver.Allocate(4096, 4096);
}
