using System;
using System.Buffers.Binary;
using System.Numerics;
using Strato.Engine.Block;
using Strato.Engine.Linux;
using Strato.Engine.Virtio;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Machine;

/// <summary>A place for a disk.</summary>
internal sealed class DiskSlot(MmioTransport transport, int index) : DeviceSlot(transport, index)
{
    private const uint MostBlock = 1 << 20;
    private const int MostExponent = 11;

    public override string GuestName => $"vd{(char)('a' + Index)}";

    /// <summary>The disk in it, when there is one.</summary>
    public DriveStatus Drive { get; private set; }

    /// <summary>As it was given; null when the slot is empty.</summary>
    public DriveConfiguration? Wish { get; private set; }

    /// <summary>Its image; null when the slot is empty.</summary>
    public DiskImage? Image { get; private set; }

    /// <summary>What there is to tell of a drive.</summary>
    public static DriveStatus StatusOf(DriveConfiguration drive, DiskImage image) =>
        new(drive.Id, FileSets.IsSet(drive.File) ? image.Path : drive.File, drive.ReadOnly, drive.Serial, (long)image.Length, drive.Iops);

    public bool IsReadOnly => (Device.OfferedFeatures & BlockLayout.FeatureReadOnly) != 0;

    /// <summary>What the driver talks to, which does nothing where the slot is empty.</summary>
    public BlockDevice Disk => (BlockDevice)Device;

    private bool HasDiscard => (Device.OfferedFeatures & BlockLayout.FeatureDiscard) != 0;

    /// <summary>A device for a slot that is empty from the start: what most disks fit into.</summary>
    public static BlockDevice CreateSpare(int index) =>
        new($"slot vd{(char)('a' + index)}", new EmptyImage(EmptyImage.Usual, readOnly: false), new BlockOptions { OfferDiscard = true });

    /// <summary>A device for a slot that was empty in a snapshot: what fitted there fits again.</summary>
    /// <remarks>What a damaged one says can't be is left to its restore to refuse.</remarks>
    public static BlockDevice CreateSpare(int index, DeviceShape saved)
    {
        if (saved.Configuration.Length != BlockLayout.ConfigurationBytes || saved.Queues is < 1 or > DriveConfiguration.MaxQueues
            || saved.QueueSize is < DriveConfiguration.MinQueueSize or > DriveConfiguration.MaxQueueSize || !BitOperations.IsPow2(saved.QueueSize))
        {
            return CreateSpare(index);
        }

        ReadOnlySpan<byte> told = saved.Configuration;
        uint block = BinaryPrimitives.ReadUInt32LittleEndian(told[BlockLayout.BlockSizeOffset..]);
        int exponent = told[BlockLayout.PhysicalBlockExponentOffset];
        bool canBe = BitOperations.IsPow2(block) && block is >= DiskGeometry.SectorBytes and <= MostBlock && exponent <= MostExponent;
        DiskGeometry geometry = canBe ? new DiskGeometry(0, block, block << exponent) : EmptyImage.Usual;
        bool readOnly = BinaryPrimitives.ReadUInt32LittleEndian(told[BlockLayout.ZeroesSectorsOffset..]) == 0;
        bool discards = BinaryPrimitives.ReadUInt32LittleEndian(told[BlockLayout.DiscardSectorsOffset..]) != 0;
        return new BlockDevice(
            $"slot vd{(char)('a' + index)}",
            new EmptyImage(geometry, readOnly),
            new BlockOptions { QueueCount = saved.Queues, QueueSize = saved.QueueSize, OfferDiscard = discards });
    }

    /// <summary>Id of the device that a drive becomes.</summary>
    public static string DeviceIdOf(DriveConfiguration drive) => drive.DeviceId.Length > 0 ? drive.DeviceId : drive.Id;

    /// <summary>Tells of the disk that is in the slot from the start.</summary>
    public void Describe(DriveConfiguration drive, DiskImage image)
    {
        DeviceId = DeviceIdOf(drive);
        Set(drive, image);
    }

    /// <summary>Why a disk doesn't fit: what the driver asked for once, when it found the slot, and can't be told anew; null when it fits.</summary>
    public string? Misfit(DriveConfiguration drive, DiskImage image)
    {
        if (drive.ReadOnly != IsReadOnly)
        {
            return $"it is {(IsReadOnly ? "read-only" : "writable")} and the disk is {(drive.ReadOnly ? "read-only" : "writable")}";
        }

        if (drive.QueueCount != Disk.Options.QueueCount)
        {
            return $"it has num-queues={Disk.Options.QueueCount} and the disk {drive.QueueCount}";
        }

        if (drive.QueueSize != Disk.Options.QueueSize)
        {
            return $"it has queue-size={Disk.Options.QueueSize} and the disk {drive.QueueSize}";
        }

        if (image.Geometry.LogicalBlock != Disk.Geometry.LogicalBlock)
        {
            return $"it has sectors of {Disk.Geometry.LogicalBlock} bytes and the disk of {image.Geometry.LogicalBlock}";
        }

        return drive.Discard == DriveDiscard.Unmap && !HasDiscard ? "it has no discards and the disk has discard=unmap" : null;
    }

    /// <summary>Makes a device of an image, which fits.</summary>
    /// <exception cref="Strato.Protocol.UserErrorException">DriveSerial, DriveAio; the image stays the caller's.</exception>
    public BlockDevice CreateDevice(string id, DriveConfiguration drive, DiskImage image) =>
        new(id, image, DriveSetup.OptionsOf(drive) with { OfferDiscard = HasDiscard });

    /// <inheritdoc cref="DeviceSlot.Fill"/>
    public void Fill(string id, BlockDevice device, DriveConfiguration drive, DiskImage image, EventLoop loop)
    {
        Fill(id, device, loop);
        Set(drive, image);
    }

    /// <inheritdoc/>
    public override VirtioDevice Clear()
    {
        VirtioDevice old = base.Clear();
        Image = null;
        Wish = null;
        Drive = default;
        return old;
    }

    public void SetIops(int iops)
    {
        Disk.SetIops(iops);
        Drive = Drive with { Iops = iops };
    }

    protected override VirtioDevice CreateEmpty() => new BlockDevice(
        $"slot {GuestName}",
        new EmptyImage(Disk.Geometry, IsReadOnly),
        new BlockOptions { QueueCount = Disk.Options.QueueCount, QueueSize = Disk.Options.QueueSize, OfferDiscard = HasDiscard });

    private void Set(DriveConfiguration drive, DiskImage image)
    {
        Image = image;
        Wish = drive;
        Drive = StatusOf(drive, image);
    }
}
