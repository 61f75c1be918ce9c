using System;
using System.Collections.Generic;
using System.Linq;
using FsCheck;
using FsCheck.Fluent;
using Strato.Engine.Virtio;
using Strato.Protocol.Snapshots;
using Strato.Tests.Unit.Driver;
using Strato.Tests.Unit.Virtio;
using Xunit;

namespace Strato.Tests.Unit.Snapshots;

/// <summary>Each device under a driver that does what it likes, saved and restored again and again: nothing changes, and no request is lost or answered twice.</summary>
public sealed class DeviceLivesProperties
{
    private const ulong Optional = VirtioFeature.EventIndex | VirtioFeature.IndirectDescriptors | NetInterface.FeatureMergeableBuffers;

    /// <summary>What a driver does next, to which queue; <see cref="Seed"/> decides all else.</summary>
    public sealed record Step(string What, int Queue, int Seed);

    public sealed record Plan(ulong Without, int QueueSize, Step[] Steps);

    public static TheoryData<string> Kinds => [.. DeviceCatalogue.Names.Where(name => name != "fs")];

    private static Gen<Step> Steps =>
        from what in Gen.Frequency(
            (8, Gen.Constant("add")),
            (4, Gen.Constant("kick")),
            (3, Gen.Constant("run")),
            (3, Gen.Constant("take")),
            (2, Gen.Constant("renew")),
            (2, Gen.Constant("want interrupt")),
            (1, Gen.Constant("want none")),
            (1, Gen.Constant("pause")),
            (1, Gen.Constant("acknowledge")),
            (1, Gen.Constant("look")))
        from queue in Gen.Choose(0, 4)
        from seed in Gen.Choose(0, int.MaxValue - 1)
        select new Step(what, queue, seed);

    private static Gen<Plan> Plans =>
        from without in Gen.Elements(0ul, VirtioFeature.EventIndex, VirtioFeature.IndirectDescriptors, NetInterface.FeatureMergeableBuffers, Optional)
        from size in Gen.Elements(4, 16, 64)
        from steps in Steps.ListOf()
        select new Plan(without, size, steps.ToArray());

    [Theory]
    [MemberData(nameof(Kinds))]
    public void NothingIsLostAndNothingDoneTwice(string kind) =>
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(60).WithEndSize(120),
            Prop.ForAll(Plans.ToArbitrary(), (Plan plan) => new Life(kind, plan).Run()));

    /// <summary>A driver that is in the middle of its handshake when the machine is saved goes on where it was.</summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public void AHandshakeGoesOn(string kind)
    {
        const VirtioStatus Known = VirtioStatus.Acknowledge | VirtioStatus.Driver;
        using TemporaryFile file = new(64 << 10);
        using MmioDriver driver = DeviceCatalogue.Open(kind, file);
        driver.Start();
        byte[] configuration = driver.ReadConfiguration(64);
        driver.Write(MmioRegister.Status, 0);
        Renew();
        driver.Write(MmioRegister.Status, (uint)VirtioStatus.Acknowledge);
        Renew();
        driver.Write(MmioRegister.Status, (uint)Known);
        driver.Write(MmioRegister.DeviceFeaturesSelect, 1);
        Renew();
        Assert.Equal((uint)(driver.Device.OfferedFeatures >> 32), driver.Read(MmioRegister.DeviceFeatures));
        ulong features = driver.ReadOffer();
        driver.Write(MmioRegister.DriverFeaturesSelect, 0);
        driver.Write(MmioRegister.DriverFeatures, (uint)features);
        driver.Write(MmioRegister.DriverFeaturesSelect, 1);
        Renew();
        driver.Write(MmioRegister.DriverFeatures, (uint)(features >> 32));
        Renew();
        driver.Write(MmioRegister.Status, (uint)(Known | VirtioStatus.FeaturesOk));
        Renew();
        Assert.Equal(Known | VirtioStatus.FeaturesOk, driver.Status);
        Assert.Equal(features, driver.Device.Features);
        Assert.Equal(configuration, driver.ReadConfiguration(64));
        driver.Write(MmioRegister.QueueSelect, 0);
        driver.Write(MmioRegister.QueueSize, 4);
        driver.WriteQueueAddresses(0x10000, 0x11000, 0x12000);
        Renew();
        Assert.Equal(0u, driver.Read(MmioRegister.QueueReady));
        driver.Write(MmioRegister.QueueReady, 1);
        Renew();
        Assert.Equal(1u, driver.Read(MmioRegister.QueueReady));
        driver.Write(MmioRegister.Status, (uint)(Known | VirtioStatus.FeaturesOk | VirtioStatus.Failed));
        Renew();
        DeviceCatalogue.CheckWorks(kind, driver);
        driver.Queues[0].Publish(ushort.MaxValue);
        driver.Queues[0].WriteAvailableIndex(30_000);
        driver.Queues[0].KickAlways();
        driver.Run();
        Renew();
        DeviceCatalogue.CheckWorks(kind, driver);

        void Renew()
        {
            VirtioStatus status = driver.Status;
            SnapshotSection saved = DeviceCatalogue.Renew(kind, file, driver);
            Assert.Equal(Convert.ToHexString(saved.Data.Span), Convert.ToHexString(driver.WriteState().Data.Span));
            Assert.Equal(status, driver.Status);
            driver.Device.Resume();
            driver.Run();
        }
    }

    private sealed class Life(string kind, Plan plan)
    {
        private readonly Dictionary<(int Queue, ushort Head), int> _out = [];
        private readonly Dictionary<int, int> _wishes = [];
        private MmioDriver _driver = null!;
        private TemporaryFile _file = null!;
        private Random _random = new(0);

        public void Run()
        {
            using TemporaryFile file = new(64 << 10);
            using MmioDriver driver = DeviceCatalogue.Open(kind, file);
            (_file, _driver) = (file, driver);
            driver.Start(plan.QueueSize, ~plan.Without);
            foreach (Step step in plan.Steps)
            {
                _random = new Random(step.Seed);
                Do(step, driver.Queues[step.Queue % driver.Queues.Count]);
                Assert.False(driver.NeedsReset);
            }

            Renew();
            foreach (DriverQueue queue in driver.Queues)
            {
                queue.Kick();
            }

            Serve();
            foreach (DriverQueue queue in driver.Queues)
            {
                Take(queue);
            }

            Assert.DoesNotContain(_out.Keys, request => DriverActions.IsAlwaysAnswered(kind, driver, request.Queue));
        }

        private void Do(Step step, DriverQueue queue)
        {
            switch (step.What)
            {
                case "add":
                    Add(queue);
                    break;
                case "kick":
                    queue.Kick();
                    break;
                case "run":
                    Serve();
                    break;
                case "take":
                    Take(queue);
                    break;
                case "renew":
                    Renew();
                    break;
                case "want interrupt":
                    int before = Interrupts();
                    _wishes.Remove(queue.Index);
                    if (!queue.EnableInterrupt())
                    {
                        _wishes[queue.Index] = before;
                    }

                    break;
                case "want none":
                    queue.DisableInterrupt();
                    _wishes.Remove(queue.Index);
                    break;
                case "pause":
                    _driver.Device.Quiesce();
                    _driver.Run();
                    _driver.Device.Resume();
                    break;
                case "acknowledge":
                    _driver.Write(MmioRegister.InterruptAcknowledge, _driver.Read(MmioRegister.InterruptStatus));
                    break;
                default:
                    _driver.ReadConfiguration(_random.Next(1, 64));
                    break;
            }
        }

        private void Add(DriverQueue queue)
        {
            if (DriverActions.Request(kind, _driver, queue.Index, _random) is not { } buffers)
            {
                return;
            }

            bool indirect = _driver.Has(VirtioFeature.IndirectDescriptors) && _random.Next(2) == 0;
            if (queue.FreeDescriptors >= (indirect ? 1 : buffers.Length))
            {
                ushort head = indirect ? queue.AddIndirect(_driver.Allocate(16 * buffers.Length), buffers) : queue.Add(buffers);
                Assert.True(_out.TryAdd((queue.Index, head), 0));
            }
        }

        private void Take(DriverQueue queue)
        {
            while (queue.TryTake(out ushort head, out _))
            {
                Assert.True(_out.Remove((queue.Index, head)), $"request {head} of queue {queue.Index} was answered and isn't under way");
            }
        }

        private void Serve()
        {
            Dictionary<int, ushort> before = _driver.Queues.ToDictionary(queue => queue.Index, queue => queue.UsedIndex);
            _driver.Run();
            foreach (DriverQueue queue in _driver.Queues)
            {
                if (_wishes.TryGetValue(queue.Index, out int count) && queue.UsedIndex != before[queue.Index])
                {
                    Assert.True(Interrupts() > count, $"queue {queue.Index} was answered, and the driver isn't told");
                    _wishes.Remove(queue.Index);
                }
            }
        }

        private void Renew()
        {
            VirtioStatus status = _driver.Status;
            byte[] configuration = _driver.ReadConfiguration(64);
            SnapshotSection saved = DeviceCatalogue.Renew(kind, _file, _driver);
            Assert.Equal(Convert.ToHexString(saved.Data.Span), Convert.ToHexString(_driver.WriteState().Data.Span));
            Assert.Equal(status, _driver.Status);
            Assert.Equal(configuration, _driver.ReadConfiguration(64));
            _driver.Device.Resume();
        }

        private int Interrupts() => _driver.Interrupt.Count + (_driver.Interrupt.TakeKernelEdge() ? ++_kernelEdges : _kernelEdges);

        private int _kernelEdges;
    }
}
