using System;
using Strato.Engine.Linux;
using Strato.Engine.Virtio;
using Strato.Engine.Virtio.Queue;
using Xunit;

namespace Strato.Tests.Unit.Abi;

public class VirtioAbiTests
{
    [Fact]
    public void TheRingsLieWhereTheHeadersSay()
    {
        AbiProof proof = new AbiProof("linux/virtio_ring.h")
            .Equal("sizeof(struct vring_desc)", RingLayout.DescriptorBytes)
            .Offset("struct vring_desc", "addr", 0)
            .Offset("struct vring_desc", "len", 8)
            .Offset("struct vring_desc", "flags", 12)
            .Offset("struct vring_desc", "next", 14)
            .Offset("struct vring_avail", "flags", RingLayout.FlagsOffset)
            .Offset("struct vring_avail", "idx", RingLayout.IndexOffset)
            .Offset("struct vring_avail", "ring", RingLayout.EntriesOffset)
            .Offset("struct vring_used", "flags", RingLayout.FlagsOffset)
            .Offset("struct vring_used", "idx", RingLayout.IndexOffset)
            .Offset("struct vring_used", "ring", RingLayout.EntriesOffset)
            .Equal("sizeof(((struct vring_avail *)0)->ring[0])", RingLayout.AvailableEntryBytes)
            .Equal("sizeof(struct vring_used_elem)", RingLayout.UsedEntryBytes)
            .Offset("struct vring_used_elem", "id", 0)
            .Offset("struct vring_used_elem", "len", 4)
            .Equal("VRING_DESC_ALIGN_SIZE", RingLayout.DescriptorAlignment)
            .Equal("VRING_AVAIL_ALIGN_SIZE", RingLayout.AvailableAlignment)
            .Equal("VRING_USED_ALIGN_SIZE", RingLayout.UsedAlignment)
            .Equal("VRING_DESC_F_NEXT", RingLayout.DescriptorNext)
            .Equal("VRING_DESC_F_WRITE", RingLayout.DescriptorWrite)
            .Equal("VRING_DESC_F_INDIRECT", RingLayout.DescriptorIndirect)
            .Equal("VRING_AVAIL_F_NO_INTERRUPT", RingLayout.AvailableNoInterrupt)
            .Equal("VRING_USED_F_NO_NOTIFY", RingLayout.UsedNoNotify)
            .Equal("1ULL << VIRTIO_RING_F_INDIRECT_DESC", VirtioFeature.IndirectDescriptors)
            .Equal("1ULL << VIRTIO_RING_F_EVENT_IDX", VirtioFeature.EventIndex);
        foreach (int size in new[] { 2, 256, 32768 })
        {
            proof
                .Equal($"offsetof(struct vring_avail, ring[{size}])", RingLayout.UsedEventOffset(size))
                .Equal($"offsetof(struct vring_used, ring[{size}])", RingLayout.AvailableEventOffset(size))
                .Equal($"{size} * sizeof(struct vring_desc)", RingLayout.DescriptorTableBytes(size));
        }

        proof.Check();
    }

    [Fact]
    public void TransportAndStatusAreThoseOfTheHeaders() =>
        new AbiProof("linux/virtio_config.h", "linux/virtio_mmio.h", "linux/virtio_ids.h")
            .Equal("1ULL << VIRTIO_F_VERSION_1", VirtioFeature.Version1)
            .Equal("VIRTIO_CONFIG_S_ACKNOWLEDGE", (long)VirtioStatus.Acknowledge)
            .Equal("VIRTIO_CONFIG_S_DRIVER", (long)VirtioStatus.Driver)
            .Equal("VIRTIO_CONFIG_S_DRIVER_OK", (long)VirtioStatus.DriverOk)
            .Equal("VIRTIO_CONFIG_S_FEATURES_OK", (long)VirtioStatus.FeaturesOk)
            .Equal("VIRTIO_CONFIG_S_NEEDS_RESET", (long)VirtioStatus.NeedsReset)
            .Equal("VIRTIO_CONFIG_S_FAILED", (long)VirtioStatus.Failed)
            .Equal("VIRTIO_MMIO_MAGIC_VALUE", MmioRegister.MagicValue)
            .Equal("VIRTIO_MMIO_VERSION", MmioRegister.Version)
            .Equal("VIRTIO_MMIO_DEVICE_ID", MmioRegister.DeviceId)
            .Equal("VIRTIO_MMIO_VENDOR_ID", MmioRegister.VendorId)
            .Equal("VIRTIO_MMIO_DEVICE_FEATURES", MmioRegister.DeviceFeatures)
            .Equal("VIRTIO_MMIO_DEVICE_FEATURES_SEL", MmioRegister.DeviceFeaturesSelect)
            .Equal("VIRTIO_MMIO_DRIVER_FEATURES", MmioRegister.DriverFeatures)
            .Equal("VIRTIO_MMIO_DRIVER_FEATURES_SEL", MmioRegister.DriverFeaturesSelect)
            .Equal("VIRTIO_MMIO_QUEUE_SEL", MmioRegister.QueueSelect)
            .Equal("VIRTIO_MMIO_QUEUE_NUM_MAX", MmioRegister.QueueSizeMaximum)
            .Equal("VIRTIO_MMIO_QUEUE_NUM", MmioRegister.QueueSize)
            .Equal("VIRTIO_MMIO_QUEUE_READY", MmioRegister.QueueReady)
            .Equal("VIRTIO_MMIO_QUEUE_NOTIFY", MmioRegister.QueueNotify)
            .Equal("VIRTIO_MMIO_INTERRUPT_STATUS", MmioRegister.InterruptStatus)
            .Equal("VIRTIO_MMIO_INTERRUPT_ACK", MmioRegister.InterruptAcknowledge)
            .Equal("VIRTIO_MMIO_STATUS", MmioRegister.Status)
            .Equal("VIRTIO_MMIO_QUEUE_DESC_LOW", MmioRegister.DescriptorLow)
            .Equal("VIRTIO_MMIO_QUEUE_DESC_HIGH", MmioRegister.DescriptorHigh)
            .Equal("VIRTIO_MMIO_QUEUE_AVAIL_LOW", MmioRegister.AvailableLow)
            .Equal("VIRTIO_MMIO_QUEUE_AVAIL_HIGH", MmioRegister.AvailableHigh)
            .Equal("VIRTIO_MMIO_QUEUE_USED_LOW", MmioRegister.UsedLow)
            .Equal("VIRTIO_MMIO_QUEUE_USED_HIGH", MmioRegister.UsedHigh)
            .Equal("VIRTIO_MMIO_SHM_SEL", MmioRegister.SharedMemorySelect)
            .Equal("VIRTIO_MMIO_SHM_LEN_LOW", MmioRegister.SharedMemoryLengthLow)
            .Equal("VIRTIO_MMIO_SHM_LEN_HIGH", MmioRegister.SharedMemoryLengthHigh)
            .Equal("VIRTIO_MMIO_SHM_BASE_LOW", MmioRegister.SharedMemoryBaseLow)
            .Equal("VIRTIO_MMIO_SHM_BASE_HIGH", MmioRegister.SharedMemoryBaseHigh)
            .Equal("VIRTIO_MMIO_CONFIG_GENERATION", MmioRegister.ConfigurationGeneration)
            .Equal("VIRTIO_MMIO_CONFIG", MmioRegister.Configuration)
            .Equal("VIRTIO_MMIO_INT_VRING", MmioRegister.InterruptQueue)
            .Equal("VIRTIO_MMIO_INT_CONFIG", MmioRegister.InterruptConfiguration)
            .Equal("VIRTIO_ID_NET", VirtioType.Network)
            .Equal("VIRTIO_ID_BLOCK", VirtioType.Block)
            .Equal("VIRTIO_ID_CONSOLE", VirtioType.Console)
            .Equal("VIRTIO_ID_RNG", VirtioType.Entropy)
            .Equal("VIRTIO_ID_BALLOON", VirtioType.Balloon)
            .Equal("VIRTIO_ID_VSOCK", VirtioType.Socket)
            .Equal("VIRTIO_ID_FS", VirtioType.FileSystem)
            .Check();

    [Fact]
    public void BlkIsThatOfTheHeader() =>
        new AbiProof("linux/virtio_blk.h")
            .Equal("1ULL << VIRTIO_BLK_F_SEG_MAX", BlockDevice.FeatureSegmentMaximum)
            .Equal("1ULL << VIRTIO_BLK_F_RO", BlockDevice.FeatureReadOnly)
            .Equal("1ULL << VIRTIO_BLK_F_BLK_SIZE", BlockDevice.FeatureBlockSize)
            .Equal("1ULL << VIRTIO_BLK_F_FLUSH", BlockDevice.FeatureFlush)
            .Equal("1ULL << VIRTIO_BLK_F_TOPOLOGY", BlockDevice.FeatureTopology)
            .Equal("VIRTIO_BLK_T_IN", BlockDevice.TypeIn)
            .Equal("VIRTIO_BLK_T_OUT", BlockDevice.TypeOut)
            .Equal("VIRTIO_BLK_T_FLUSH", BlockDevice.TypeFlush)
            .Equal("VIRTIO_BLK_T_GET_ID", BlockDevice.TypeGetId)
            .Equal("VIRTIO_BLK_S_OK", BlockDevice.StatusOk)
            .Equal("VIRTIO_BLK_S_IOERR", BlockDevice.StatusIoError)
            .Equal("VIRTIO_BLK_S_UNSUPP", BlockDevice.StatusUnsupported)
            .Equal("VIRTIO_BLK_ID_BYTES", BlockDevice.SerialBytes)
            .Offset("struct virtio_blk_config", "capacity", BlockDevice.CapacityOffset)
            .Offset("struct virtio_blk_config", "seg_max", BlockDevice.SegmentMaximumOffset)
            .Offset("struct virtio_blk_config", "blk_size", BlockDevice.BlockSizeOffset)
            .Offset("struct virtio_blk_config", "physical_block_exp", BlockDevice.PhysicalBlockExponentOffset)
            .Offset("struct virtio_blk_config", "min_io_size", BlockDevice.MinimumIoOffset)
            .Equal("offsetof(struct virtio_blk_config, unused1) + 3", BlockDevice.ConfigurationBytes)
            .Size<BlockDevice.RequestHeader>("struct virtio_blk_outhdr")
            .Offset("struct virtio_blk_outhdr", "type", 0)
            .Offset("struct virtio_blk_outhdr", "sector", 8)
            .Check();

    [Fact]
    public void TheSystemCallsOfDisksAreThoseOfTheHeaders() =>
        new AbiProof("sys/uio.h", "fcntl.h", "linux/fs.h", "limits.h")
            .Before("#define _GNU_SOURCE")
            .Size<Libc.iovec>("struct iovec")
            .Field("struct iovec", "iov_base", (ref Libc.iovec v) => ref v.iov_base)
            .Field("struct iovec", "iov_len", (ref Libc.iovec v) => ref v.iov_len)
            .Equal("IOV_MAX", Libc.UIO_MAXIOV)
            .Size<Libc.flock>("struct flock")
            .Field("struct flock", "l_type", (ref Libc.flock v) => ref v.l_type)
            .Field("struct flock", "l_whence", (ref Libc.flock v) => ref v.l_whence)
            .Field("struct flock", "l_start", (ref Libc.flock v) => ref v.l_start)
            .Field("struct flock", "l_len", (ref Libc.flock v) => ref v.l_len)
            .Field("struct flock", "l_pid", (ref Libc.flock v) => ref v.l_pid)
            .Equal("F_OFD_SETLK", Libc.F_OFD_SETLK)
            .Equal("F_OFD_GETLK", Libc.F_OFD_GETLK)
            .Equal("F_DUPFD_CLOEXEC", Libc.F_DUPFD_CLOEXEC)
            .Equal("F_RDLCK", Libc.F_RDLCK)
            .Equal("F_WRLCK", Libc.F_WRLCK)
            .Equal("F_UNLCK", Libc.F_UNLCK)
            .Equal("O_ACCMODE", Libc.O_ACCMODE)
            .Equal("O_NONBLOCK", Libc.O_NONBLOCK)
            .Equal("O_NOCTTY", Libc.O_NOCTTY)
            .Equal("O_CLOEXEC", Libc.O_CLOEXEC)
            .Equal("BLKROGET", Libc.BLKROGET)
            .Equal("BLKSSZGET", Libc.BLKSSZGET)
            .Equal("BLKPBSZGET", Libc.BLKPBSZGET)
            .Equal("BLKGETSIZE64", Libc.BLKGETSIZE64)
            .Check();

    /// <summary>A proof that proves everything would be none.</summary>
    [Fact]
    public void AWrongClaimIsFound()
    {
        var wrong = new AbiProof("linux/virtio_ring.h")
            .Equal("VRING_DESC_F_NEXT", 1)
            .Equal("VRING_DESC_F_WRITE", 3)
            .Equal("NO_SUCH_THING", 3)
            .FindWrong();
        Assert.Equal(2, wrong.Count);
        Assert.StartsWith("VRING_DESC_F_WRITE isn't 3LL: static assertion failed", wrong[0], StringComparison.Ordinal);
        Assert.StartsWith("NO_SUCH_THING isn't 3LL: ", wrong[1], StringComparison.Ordinal);
    }
}
