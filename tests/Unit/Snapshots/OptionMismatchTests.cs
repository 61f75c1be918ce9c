using System;
using System.Collections.Generic;
using System.Linq;
using Strato.Engine.Block;
using Strato.Engine.Boot;
using Strato.Engine.Kvm;
using Strato.Engine.Machine;
using Strato.Engine.Net;
using Strato.Engine.Virtio;
using Strato.Protocol;
using Strato.Protocol.Snapshots;
using Strato.Tests.Unit.Driver;
using Strato.Tests.Unit.Virtio;
using Xunit;

namespace Strato.Tests.Unit.Snapshots;

/// <summary>A device with other options than the snapshot's is refused by its name and the option; a host without what the guest stands on by what that is.</summary>
public sealed class OptionMismatchTests : IDisposable
{
    private static readonly byte[] Mac = [2, 0, 0, 0, 0, 1];

    private readonly TemporaryFile _file = new(64 << 10);
    private readonly TemporaryFile _larger = new(128 << 10);
    private MmioDriver? _driver;

    public void Dispose()
    {
        _driver?.Dispose();
        _file.Dispose();
        _larger.Dispose();
    }

    /// <summary>Whether a driver drives it or not: what it was told it may have kept.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ADisksOptionsAreNamed(bool started)
    {
        Refused(Disk, () => Disk(new BlockOptions { QueueCount = 2 }), "it has 2 queues, and had 1");
        Refused(() => Disk(new BlockOptions { QueueCount = 4 }), () => Disk(new BlockOptions { QueueCount = 2 }), "it has 2 queues, and had 4");
        Refused(Disk, () => Disk(new BlockOptions { QueueSize = 128 }), "it has queues of 128, and had one of 256");
        Refused(Disk, () => ReadOnly(), "it is read-only, and was writable");
        Refused(() => ReadOnly(), Disk, "it is writable, and was read-only");
        Refused(Disk, () => new BlockDevice("d", DeviceCatalogue.Open(new DriveOptions("d", _larger.Path))), "it has 131072 bytes, and had 65536");
        Refused(Disk, () => new BlockDevice("d", new EmptyImage(new DiskGeometry(0, 4096, 4096), readOnly: false)), "it has 0 bytes, and had 65536");

        void Refused(Func<BlockDevice> was, Func<BlockDevice> now, string what)
        {
            _driver?.Dispose();
            _driver = new MmioDriver(was());
            if (started)
            {
                _driver.Start(64);
            }

            UserErrorException error = Assert.Throws<UserErrorException>(() => _driver.Restore(now, _driver.Save()));
            Assert.Equal(("SnapshotMismatch", $"The device 'd' doesn't fit the snapshot: {what}."), (error.Id, error.Message));
        }
    }

    [Fact]
    public void FeaturesAreNamed()
    {
        _driver = new MmioDriver(new BalloonDevice("b", deflateOnOom: true, reporting: true));
        _driver.Start(64);
        SnapshotSection saved = _driver.Save();
        Assert.Contains("(DEFLATE_ON_OOM)", Assert.Throws<UserErrorException>(() => _driver.Restore(() => new BalloonDevice("b", deflateOnOom: false, reporting: true), saved)).Message, StringComparison.Ordinal);
        Assert.Equal("RO, MQ, VERSION_1, bit 60", FeatureNames.Of(VirtioType.Block, (1UL << 5) | (1UL << 12) | (1UL << 32) | (1UL << 60)));
        Assert.Equal("bit 5, EVENT_IDX", FeatureNames.Of(VirtioType.Entropy, (1UL << 5) | (1UL << 29)));
        Assert.Equal("MAC", FeatureNames.Of(VirtioType.Network, NetInterface.FeatureMac));
        Assert.Equal("MULTIPORT", FeatureNames.Of(VirtioType.Console, 2));
    }

    /// <summary>A place whose disk went is one for such disks still, whatever those of the configuration are like.</summary>
    [Theory]
    [InlineData(1, 256, false, 512)]
    [InlineData(3, 256, false, 512)]
    [InlineData(1, 32, false, 512)]
    [InlineData(1, 256, true, 512)]
    [InlineData(4, 1024, true, 4096)]
    public void AnEmptyPlaceForADiskIsRestoredAsItWas(int queues, int size, bool readOnly, int block)
    {
        BlockOptions options = new() { QueueCount = queues, QueueSize = size, OfferDiscard = !readOnly };
        DiskGeometry geometry = new(0, (uint)block, 4096);
        _driver = new MmioDriver(new BlockDevice("slot vdc", new EmptyImage(geometry, readOnly), options));
        _driver.Start(32);
        SnapshotSection saved = _driver.Save();
        BlockDevice? made = null;
        _driver.Restore(() => made = DiskSlot.CreateSpare(2, DeviceShape.Read(saved.Read())), saved);
        Assert.Equal(saved.Data.ToArray(), _driver.WriteState().Data.ToArray());
        Assert.Equal(("slot vdc", queues, size, (uint)block), (made!.Id, made.Options.QueueCount, made.Options.QueueSize, made.Geometry.LogicalBlock));
        Assert.Equal(readOnly, (made.OfferedFeatures & BlockLayout.FeatureReadOnly) != 0);
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(1, false)]
    [InlineData(4, true)]
    public void AnEmptyPlaceForAnInterfaceIsRestoredAsItWas(int pairs, bool offloads)
    {
        INetBackend[] nothing = [.. Enumerable.Range(0, pairs).Select(_ => new NoBackend(offloads))];
        _driver = new MmioDriver(new NetDevice("slot eth1", nothing, Mac));
        _driver.Start(32);
        SnapshotSection saved = _driver.Save();
        NetDevice? made = null;
        _driver.Restore(() => made = NetSlot.CreateSpare(1, Mac, DeviceShape.Read(saved.Read())), saved);
        Assert.Equal(saved.Data.ToArray(), _driver.WriteState().Data.ToArray());
        Assert.Equal((pairs, offloads), (made!.Pairs, (made.OfferedFeatures & NetInterface.FeatureChecksum) != 0));
    }

    /// <summary>What can't be is a usual place, which the restore then refuses.</summary>
    [Fact]
    public void AnEmptyPlaceThatCantBeIsAUsualOne()
    {
        byte[] told = new byte[BlockLayout.ConfigurationBytes];
        told[BlockLayout.ZeroesSectorsOffset] = 1;
        foreach (DeviceShape shape in (DeviceShape[])[new(0, [], 1, 256), new(0, told, 0, 0), new(0, told, 33, 256), new(0, told, 1, 255), new(0, told, 1, int.MaxValue), new(0, told, 1, 256)])
        {
            using BlockDevice made = DiskSlot.CreateSpare(0, shape);
            Assert.Equal((1, 256, 512u), (made.Options.QueueCount, made.Options.QueueSize, made.Geometry.LogicalBlock));
        }

        foreach (int queues in (int[])[0, 1, 1000])
        {
            using NetDevice made = NetSlot.CreateSpare(0, Mac, new DeviceShape(0, [], queues, 1));
            Assert.InRange(made.Pairs, 1, NetInterface.MaximumPairs);
        }
    }

    [Fact]
    public void ACapabilityThatIsMissingIsNamed()
    {
        List<KvmCapability> saved = KvmCapability.Read(_ => 1, hasNested: false);
        StateFile state = new(Guid.Empty, [KvmCapability.ToSection(saved)]);
        Assert.Equal(saved, KvmCapability.Parse(state));
        KvmCapability.CheckThere(saved, _ => 1);
        UserErrorException error = Assert.Throws<UserErrorException>(() => KvmCapability.CheckThere(saved, number => number is KvmAbi.KVM_CAP_XCRS or KvmAbi.KVM_CAP_DEBUGREGS ? 0 : 1));
        Assert.Equal(("SnapshotMismatch", "The snapshot's guest stands on KVM_CAP_DEBUGREGS, KVM_CAP_XCRS, which this host's KVM doesn't have."), (error.Id, error.Message));

        // A counter that can't be scaled, and guests of its own that it hasn't got, are no reason.
        KvmCapability.CheckThere(saved, number => number is KvmAbi.KVM_CAP_TSC_CONTROL or KvmAbi.KVM_CAP_NESTED_STATE ? 0 : 1);
        Assert.Contains("KVM_CAP_NESTED_STATE", Assert.Throws<UserErrorException>(() => KvmCapability.CheckThere(KvmCapability.Read(_ => 1, hasNested: true), number => number == KvmAbi.KVM_CAP_NESTED_STATE ? 0 : 1)).Message, StringComparison.Ordinal);

        // What the snapshot's host hadn't either isn't needed; nor is anything of one that doesn't tell.
        KvmCapability.CheckThere(KvmCapability.Read(_ => 0, hasNested: true), _ => 0);
        KvmCapability.CheckThere(KvmCapability.Parse(new StateFile(Guid.Empty, [])), _ => 0);
    }

    /// <summary>A newer engine's, which this one doesn't know by its name.</summary>
    [Fact]
    public void ACapabilityOfANewerEngineIsCheckedByItsNumber()
    {
        List<KvmCapability> saved = KvmCapability.Parse(new StateFile(Guid.Empty, [KvmCapability.ToSection([new("KVM_CAP_NEW", 999, 1, true)])]));
        KvmCapability.CheckThere(saved, number => number == 999 ? 1 : 0);
        Assert.Contains("KVM_CAP_NEW", Assert.Throws<UserErrorException>(() => KvmCapability.CheckThere(saved, _ => 0)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatKvmOfferedAndDoesntAnyMoreIsNamed()
    {
        KvmCpuidEntry[] saved = [new() { Function = 0x4000_0001, Eax = (1 << 3) | (1 << 5) | (1 << 30) }];
        KvmCpuidEntry[] here = [new() { Function = 0x4000_0001, Eax = 1 << 3 }];
        UserErrorException error = Assert.Throws<UserErrorException>(() => CpuFilter.CheckSame(saved, here));
        Assert.Equal("SnapshotMismatch", error.Id);
        Assert.Contains("a processor with kvm-steal-time, kvm-feature-30, which", error.Message, StringComparison.Ordinal);
        CpuFilter.CheckSame(here, saved);
        Assert.Equal(["kvmclock2"], KvmFeatures.Of(here));
        Assert.Empty(KvmFeatures.Of([]));
    }

    [Fact]
    public void AProcessorHasItsName()
    {
        Assert.Equal("", CpuFilter.BrandOf([]));
        KvmCpuidEntry[] entries = [new() { Function = 0x8000_0003, Eax = 0x6f744120 }, new() { Function = 0x8000_0002, Eax = 0x206c6149, Edx = 0x20202020, Ebx = 0x20202020, Ecx = 0x20202020 }];
        Assert.Equal("Ial              Ato", CpuFilter.BrandOf(entries));
        Assert.False(CpuFilter.HasNested([new() { Function = 1 }]));
        Assert.True(CpuFilter.HasNested([new() { Function = 1, Ecx = 1 << 5 }]));
        Assert.True(CpuFilter.HasNested([new() { Function = 0x8000_0001, Ecx = 1 << 2 }]));
    }

    private BlockDevice Disk() => Disk(BlockOptions.Default);

    private BlockDevice Disk(BlockOptions options) => new("d", DeviceCatalogue.Open(new DriveOptions("d", _file.Path)), options);

    private BlockDevice ReadOnly() => new("d", DeviceCatalogue.Open(new DriveOptions("d", _file.Path, true)));
}
