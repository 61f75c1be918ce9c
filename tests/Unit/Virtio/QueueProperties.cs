using System;
using System.Collections.Generic;
using System.Linq;
using FsCheck;
using FsCheck.Fluent;
using Strato.Engine.Virtio;
using Strato.Engine.Virtio.Queue;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Virtio;

/// <summary>The queue against a plain model of it: a list of requests that come back in order, and two wishes to be woken.</summary>
public class QueueProperties
{
    private const int QueueSize = 16;

    /// <summary>What a driver does next. <see cref="Lengths"/> are of buffers; the first <see cref="Readable"/> of them are read.</summary>
    public sealed record Step(string What, int[] Lengths, int Readable, int Layout);

    public sealed record Plan(bool EventIndex, bool Indirect, Step[] Steps);

    private static Gen<Step> Steps =>
        from what in Gen.Frequency(
            (6, Gen.Constant("add")),
            (3, Gen.Constant("kick and run")),
            (1, Gen.Constant("run")),
            (2, Gen.Constant("take")),
            (1, Gen.Constant("want interrupt")),
            (1, Gen.Constant("want none")))
        from lengths in Gen.Choose(0, 90).NonEmptyListOf()
        from readable in Gen.Choose(0, 6)
        from layout in Gen.Choose(0, 2)
        select new Step(what, lengths.Take(6).ToArray(), readable, layout);

    private static Gen<Plan> Plans =>
        from eventIndex in Gen.Elements(true, false)
        from indirect in Gen.Elements(true, false)
        from steps in Steps.ListOf()
        select new Plan(eventIndex, indirect, steps.ToArray());

    [Fact]
    public void EveryRequestIsAnsweredInOrderAndEveryWishIsHeard() =>
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(400).WithEndSize(120),
            Prop.ForAll(Plans.ToArbitrary(), (Plan plan) => new Model(plan).Run()));

    /// <summary>Runs a plan; throws where device and model part ways.</summary>
    private sealed class Model(Plan plan)
    {
        private readonly Queue<(ushort Head, uint Written, ulong Answer, byte[] Text)> _out = new();
        private readonly Random _random = new(plan.Steps.Length);
        private MmioDriver _driver = null!;
        private DriverQueue _queue = null!;
        private ulong _memory;
        private int _slot;
        private ushort _available;
        private ushort _taken;
        private bool _wantsInterrupts = true;
        private ushort? _interruptAt;

        public void Run()
        {
            using MmioDriver driver = new(new EchoDevice(1));
            _driver = driver;
            driver.Start(
                QueueSize,
                ~((plan.EventIndex ? 0 : VirtioFeature.EventIndex) | (plan.Indirect ? 0 : VirtioFeature.IndirectDescriptors)));
            _queue = driver.Queues[0];
            _memory = driver.Allocate(QueueSize * 2048);
            _interruptAt = 0;
            foreach (Step step in plan.Steps)
            {
                Take(step);
            }

            _queue.Kick();
            Serve();
            Assert.Equal(_available, _queue.UsedIndex);
            while (_out.Count > 0)
            {
                TakeOne();
            }

            Assert.Equal(QueueSize, _queue.FreeDescriptors);
            Assert.False(driver.NeedsReset);
        }

        private void Take(Step step)
        {
            switch (step.What)
            {
                case "add":
                    Add(step);
                    break;
                case "kick and run":
                    // The heart of it: the driver rings only when asked to, and all is served.
                    _queue.Kick();
                    Serve();
                    Assert.Equal(_available, _queue.UsedIndex);
                    break;
                case "run":
                    Serve();
                    break;
                case "take" when _queue.UsedIndex != _taken:
                    TakeOne();
                    break;
                case "want interrupt":
                    Assert.Equal(_queue.UsedIndex != _taken, _queue.EnableInterrupt());
                    _wantsInterrupts = true;
                    _interruptAt = _taken;
                    break;
                case "want none":
                    _queue.DisableInterrupt();
                    _wantsInterrupts = false;
                    _interruptAt = null;
                    break;
            }
        }

        private void Add(Step step)
        {
            bool indirect = plan.Indirect && step.Layout > 0;
            if (_queue.FreeDescriptors < (indirect ? 1 : step.Lengths.Length))
            {
                return;
            }

            ulong slot = _memory + (ulong)(2048 * (_slot++ % QueueSize));
            ulong at = slot;
            List<DriverBuffer> buffers = [];
            List<byte> text = [];
            uint room = 0;
            ulong? answer = null;
            for (int i = 0; i < step.Lengths.Length; i++)
            {
                int length = step.Lengths[i];
                bool deviceWrites = i >= step.Readable;
                buffers.Add(new DriverBuffer(at, (uint)length, deviceWrites));
                Span<byte> ram = _driver.Ram(at, length);
                if (deviceWrites)
                {
                    ram.Clear();
                    answer ??= at;
                    room += (uint)length;
                }
                else
                {
                    _random.NextBytes(ram);
                    text.AddRange(ram);
                }

                at += (ulong)length;
            }

            Span<DriverBuffer> all = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(buffers);
            ushort head = indirect ? _queue.AddIndirect(slot + 1024, all) : _queue.Add(all);
            uint written = Math.Min(room, (uint)text.Count);
            _out.Enqueue((head, written, answer ?? at, text.Take((int)written).ToArray()));
            _available++;
        }

        private void Serve()
        {
            int before = _driver.Interrupt.Count;
            ushort old = _queue.UsedIndex;
            _driver.Run();
            ushort now = _queue.UsedIndex;
            int interrupts = _driver.Interrupt.Count - before;
            if (plan.EventIndex)
            {
                // Exactly one, at the entry that the driver named, and none else.
                bool passed = false;
                for (ushort index = old; index != now; index++)
                {
                    passed |= index == _interruptAt;
                }

                Assert.Equal(passed ? 1 : 0, interrupts);
            }
            else
            {
                Assert.Equal(_wantsInterrupts && old != now, interrupts > 0);
            }
        }

        private void TakeOne()
        {
            (ushort head, uint written, ulong answer, byte[] text) = _out.Dequeue();
            Assert.True(_queue.TryTake(out ushort gotHead, out uint gotWritten));
            Assert.Equal((head, written), (gotHead, gotWritten));
            Assert.Equal(text, _driver.Ram(answer, text.Length).ToArray());
            _taken++;
        }
    }

    /// <summary>A descriptor as a hostile driver writes it.</summary>
    public sealed record Garbage(ulong Address, uint Length, ushort Flags, ushort Next);

    public sealed record Mess(Garbage[] Table, Garbage[] Indirect, int[] Heads, int Index);

    private const ulong DataWindow = 0x20_0000;
    private const int DataBytes = 0x1_0000;
    private const ulong TableWindow = 0x30_0000;

    private static Gen<ulong> Addresses => Gen.Frequency(
        (8, from offset in Gen.Choose(0, DataBytes - 64) select DataWindow + (ulong)offset),
        (2, from offset in Gen.Choose(0, 8) select TableWindow + ((ulong)offset * 16)),
        (1, Gen.Elements(MmioDriver.Seam - 8, MmioDriver.Hole - 8, MmioDriver.Hole, MmioDriver.HighRam + MmioDriver.RegionBytes - 1)),
        (1, Gen.Elements(0ul, ulong.MaxValue, ulong.MaxValue - 15, 1ul << 63, 1ul << 32)));

    private static Gen<Garbage> Descriptors =>
        from address in Addresses
        from length in Gen.Frequency(
            (6, from n in Gen.Choose(0, 64) select (uint)n),
            (3, Gen.Elements(16u, 32u, 48u, 256u, 272u)),
            (1, Gen.Elements(uint.MaxValue, 0x8000_0000u, 0xffff_fff0u)))
        from flags in Gen.Frequency((5, Gen.Choose(0, 3)), (2, Gen.Choose(4, 7)), (1, Gen.Choose(0, ushort.MaxValue)))
        from next in Gen.Frequency((9, Gen.Choose(0, QueueSize - 1)), (1, Gen.Choose(0, ushort.MaxValue)))
        select new Garbage(address, length, (ushort)flags, (ushort)next);

    private static Gen<Mess> Messes =>
        from table in Descriptors.ArrayOf(QueueSize)
        from indirect in Descriptors.ArrayOf(QueueSize)
        from heads in Gen.Frequency((15, Gen.Choose(0, QueueSize - 1)), (1, Gen.Choose(0, ushort.MaxValue))).ArrayOf(QueueSize)
        from index in Gen.Frequency((9, Gen.Choose(0, QueueSize)), (1, Gen.Choose(0, ushort.MaxValue)))
        select new Mess(table, indirect, heads, index);

    /// <summary>Whatever stands in the rings: no exception, and no byte changes that the driver didn't give to be written.</summary>
    [Fact]
    public void GarbageInTheRingsHarmsNobody()
    {
        using MmioDriver driver = new(new EchoDevice(1));
        int refused = 0;
        int served = 0;
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(1000),
            Prop.ForAll(Messes.ToArbitrary(), (Mess mess) =>
            {
                if (ServeMess(driver, mess))
                {
                    refused++;
                }
                else
                {
                    served++;
                }
            }));
        Assert.True(refused > 50 && served > 50, $"{refused} refused, {served} served: the generator is lopsided");
    }

    private static bool ServeMess(MmioDriver driver, Mess mess)
    {
        driver.Start(QueueSize);
        DriverQueue queue = driver.Queues[0];
        List<(ulong Start, ulong End)> allowed = [(queue.UsedRing, queue.UsedRing + (ulong)RingLayout.UsedBytes(QueueSize))];
        Place(queue.DescriptorTable, mess.Table);
        Place(TableWindow, mess.Indirect);
        for (int i = 0; i < QueueSize; i++)
        {
            queue.WriteAvailableIndex((ushort)i);
            queue.Publish((ushort)mess.Heads[i]);
        }

        queue.WriteAvailableIndex((ushort)mess.Index);
        byte[] before = Ram();
        queue.KickAlways();
        driver.Run();
        byte[] after = Ram();
        int at = 0;
        while (at < before.Length)
        {
            int same = before.AsSpan(at).CommonPrefixLength(after.AsSpan(at));
            at += same;
            if (at < before.Length)
            {
                ulong address = (ulong)at;
                Assert.True(allowed.Exists(range => address >= range.Start && address < range.End), $"0x{address:x} was written");
                at++;
            }
        }

        bool inFlight = driver.Device.Queues[0].InFlight is >= 0 and <= QueueSize;
        Assert.True(inFlight);
        Assert.True(driver.NeedsReset || queue.UsedIndex == (ushort)mess.Index);
        return driver.NeedsReset;

        // Rings and tables aren't given to be written: a device that wrote into them would rightly change its own orders.
        void Place(ulong table, Garbage[] descriptors)
        {
            for (int i = 0; i < descriptors.Length; i++)
            {
                Garbage d = descriptors[i];
                bool safe = (d.Address >= DataWindow && d.Address < DataWindow + DataBytes) || d.Address >= MmioDriver.Seam - 8;
                ushort flags = (ushort)(safe || (d.Flags & RingLayout.DescriptorIndirect) != 0 ? d.Flags : d.Flags & ~RingLayout.DescriptorWrite);
                queue.WriteDescriptor(table, i, d.Address, d.Length, flags, d.Next);
                if ((flags & RingLayout.DescriptorWrite) != 0)
                {
                    allowed.Add((d.Address, d.Length > ulong.MaxValue - d.Address ? ulong.MaxValue : d.Address + d.Length));
                }
            }
        }

        byte[] Ram() => driver.Ram(0, (int)MmioDriver.RegionBytes).ToArray();
    }
}
