using System;
using Strato.Engine.Linux;
using Strato.Engine.Virtio;
using Strato.Engine.Virtio.Queue;
using Strato.Protocol.Configuration;
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
            .Equal("1ULL << VIRTIO_BLK_F_SEG_MAX", BlockLayout.FeatureSegmentMaximum)
            .Equal("1ULL << VIRTIO_BLK_F_RO", BlockLayout.FeatureReadOnly)
            .Equal("1ULL << VIRTIO_BLK_F_BLK_SIZE", BlockLayout.FeatureBlockSize)
            .Equal("1ULL << VIRTIO_BLK_F_FLUSH", BlockLayout.FeatureFlush)
            .Equal("1ULL << VIRTIO_BLK_F_TOPOLOGY", BlockLayout.FeatureTopology)
            .Equal("1ULL << VIRTIO_BLK_F_MQ", BlockLayout.FeatureManyQueues)
            .Equal("1ULL << VIRTIO_BLK_F_DISCARD", BlockLayout.FeatureDiscard)
            .Equal("1ULL << VIRTIO_BLK_F_WRITE_ZEROES", BlockLayout.FeatureWriteZeroes)
            .Equal("VIRTIO_BLK_T_DISCARD", BlockLayout.TypeDiscard)
            .Equal("VIRTIO_BLK_T_WRITE_ZEROES", BlockLayout.TypeWriteZeroes)
            .Equal("VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP", BlockLayout.FlagUnmap)
            .Equal("sizeof(struct virtio_blk_discard_write_zeroes)", BlockLayout.RangeBytes)
            .Size<BlockRange>("struct virtio_blk_discard_write_zeroes")
            .Offset("struct virtio_blk_config", "num_queues", BlockLayout.QueueCountOffset)
            .Offset("struct virtio_blk_config", "max_discard_sectors", BlockLayout.DiscardSectorsOffset)
            .Offset("struct virtio_blk_config", "max_discard_seg", BlockLayout.DiscardRangesOffset)
            .Offset("struct virtio_blk_config", "discard_sector_alignment", BlockLayout.DiscardAlignmentOffset)
            .Offset("struct virtio_blk_config", "max_write_zeroes_sectors", BlockLayout.ZeroesSectorsOffset)
            .Offset("struct virtio_blk_config", "max_write_zeroes_seg", BlockLayout.ZeroesRangesOffset)
            .Offset("struct virtio_blk_config", "write_zeroes_may_unmap", BlockLayout.ZeroesUnmapOffset)
            .Equal("VIRTIO_BLK_T_IN", BlockLayout.TypeIn)
            .Equal("VIRTIO_BLK_T_OUT", BlockLayout.TypeOut)
            .Equal("VIRTIO_BLK_T_FLUSH", BlockLayout.TypeFlush)
            .Equal("VIRTIO_BLK_T_GET_ID", BlockLayout.TypeGetId)
            .Equal("VIRTIO_BLK_S_OK", BlockLayout.StatusOk)
            .Equal("VIRTIO_BLK_S_IOERR", BlockLayout.StatusIoError)
            .Equal("VIRTIO_BLK_S_UNSUPP", BlockLayout.StatusUnsupported)
            .Equal("VIRTIO_BLK_ID_BYTES", BlockLayout.SerialBytes)
            .Offset("struct virtio_blk_config", "capacity", BlockLayout.CapacityOffset)
            .Offset("struct virtio_blk_config", "seg_max", BlockLayout.SegmentMaximumOffset)
            .Offset("struct virtio_blk_config", "blk_size", BlockLayout.BlockSizeOffset)
            .Offset("struct virtio_blk_config", "physical_block_exp", BlockLayout.PhysicalBlockExponentOffset)
            .Offset("struct virtio_blk_config", "min_io_size", BlockLayout.MinimumIoOffset)
            .Equal("offsetof(struct virtio_blk_config, unused1) + 3", BlockLayout.ConfigurationBytes)
            .Size<BlockHeader>("struct virtio_blk_outhdr")
            .Offset("struct virtio_blk_outhdr", "type", 0)
            .Offset("struct virtio_blk_outhdr", "sector", 8)
            .Check();

    [Fact]
    public void VhostIsThatOfTheHeader() =>
        new AbiProof("linux/vhost.h", "linux/virtio_vsock.h", "linux/vm_sockets.h")
            .Equal("VHOST_GET_FEATURES", Libc.VHOST_GET_FEATURES)
            .Equal("VHOST_SET_FEATURES", Libc.VHOST_SET_FEATURES)
            .Equal("VHOST_SET_OWNER", Libc.VHOST_SET_OWNER)
            .Equal("VHOST_SET_MEM_TABLE", Libc.VHOST_SET_MEM_TABLE)
            .Equal("VHOST_SET_VRING_NUM", Libc.VHOST_SET_VRING_NUM)
            .Equal("VHOST_SET_VRING_ADDR", Libc.VHOST_SET_VRING_ADDR)
            .Equal("VHOST_SET_VRING_BASE", Libc.VHOST_SET_VRING_BASE)
            .Equal("VHOST_GET_VRING_BASE", Libc.VHOST_GET_VRING_BASE)
            .Equal("VHOST_SET_VRING_KICK", Libc.VHOST_SET_VRING_KICK)
            .Equal("VHOST_SET_VRING_CALL", Libc.VHOST_SET_VRING_CALL)
            .Equal("VHOST_SET_VRING_ERR", Libc.VHOST_SET_VRING_ERR)
            .Equal("VHOST_VSOCK_SET_GUEST_CID", Libc.VHOST_VSOCK_SET_GUEST_CID)
            .Equal("VHOST_VSOCK_SET_RUNNING", Libc.VHOST_VSOCK_SET_RUNNING)
            .Size<Libc.vhost_vring_state>("struct vhost_vring_state")
            .Field("struct vhost_vring_state", "index", (ref Libc.vhost_vring_state v) => ref v.index)
            .Field("struct vhost_vring_state", "num", (ref Libc.vhost_vring_state v) => ref v.num)
            .Size<Libc.vhost_vring_file>("struct vhost_vring_file")
            .Field("struct vhost_vring_file", "index", (ref Libc.vhost_vring_file v) => ref v.index)
            .Field("struct vhost_vring_file", "fd", (ref Libc.vhost_vring_file v) => ref v.fd)
            .Size<Libc.vhost_vring_addr>("struct vhost_vring_addr")
            .Field("struct vhost_vring_addr", "index", (ref Libc.vhost_vring_addr v) => ref v.index)
            .Field("struct vhost_vring_addr", "flags", (ref Libc.vhost_vring_addr v) => ref v.flags)
            .Field("struct vhost_vring_addr", "desc_user_addr", (ref Libc.vhost_vring_addr v) => ref v.desc_user_addr)
            .Field("struct vhost_vring_addr", "used_user_addr", (ref Libc.vhost_vring_addr v) => ref v.used_user_addr)
            .Field("struct vhost_vring_addr", "avail_user_addr", (ref Libc.vhost_vring_addr v) => ref v.avail_user_addr)
            .Field("struct vhost_vring_addr", "log_guest_addr", (ref Libc.vhost_vring_addr v) => ref v.log_guest_addr)
            .Size<Libc.vhost_memory>("struct vhost_memory")
            .Field("struct vhost_memory", "nregions", (ref Libc.vhost_memory v) => ref v.nregions)
            .Offset("struct vhost_memory", "regions", 8)
            .Size<Libc.vhost_memory_region>("struct vhost_memory_region")
            .Field("struct vhost_memory_region", "guest_phys_addr", (ref Libc.vhost_memory_region v) => ref v.guest_phys_addr)
            .Field("struct vhost_memory_region", "memory_size", (ref Libc.vhost_memory_region v) => ref v.memory_size)
            .Field("struct vhost_memory_region", "userspace_addr", (ref Libc.vhost_memory_region v) => ref v.userspace_addr)
            .Equal("sizeof(struct virtio_vsock_config)", VsockDevice.ConfigurationBytes)
            .Equal("1ULL << VIRTIO_VSOCK_F_SEQPACKET", VsockDevice.FeatureSequencedPackets)
            .Check();

    [Fact]
    public void ConsoleIsThatOfTheHeader() =>
        new AbiProof("linux/virtio_console.h")
            .Equal("1ULL << VIRTIO_CONSOLE_F_MULTIPORT", ConsoleDevice.FeatureManyPorts)
            .Equal("sizeof(struct virtio_console_config)", ConsoleDevice.ConfigurationBytes)
            .Offset("struct virtio_console_config", "max_nr_ports", ConsoleDevice.MostPortsOffset)
            .Size<ConsoleControl>("struct virtio_console_control")
            .Offset("struct virtio_console_control", "id", 0)
            .Offset("struct virtio_console_control", "event", 4)
            .Offset("struct virtio_console_control", "value", 6)
            .Equal("VIRTIO_CONSOLE_DEVICE_READY", ConsoleEvent.DeviceReady)
            .Equal("VIRTIO_CONSOLE_PORT_ADD", ConsoleEvent.PortAdd)
            .Equal("VIRTIO_CONSOLE_PORT_READY", ConsoleEvent.PortReady)
            .Equal("VIRTIO_CONSOLE_CONSOLE_PORT", ConsoleEvent.VirtioPort)
            .Equal("VIRTIO_CONSOLE_PORT_OPEN", ConsoleEvent.PortOpen)
            .Equal("VIRTIO_CONSOLE_PORT_NAME", ConsoleEvent.PortName)
            .Check();

    [Fact]
    public void BalloonIsThatOfTheHeader() =>
        new AbiProof("linux/virtio_balloon.h")
            .Equal("1ULL << VIRTIO_BALLOON_F_STATS_VQ", BalloonDevice.FeatureStatistics)
            .Equal("1ULL << VIRTIO_BALLOON_F_DEFLATE_ON_OOM", BalloonDevice.FeatureDeflateOnOom)
            .Equal("1ULL << VIRTIO_BALLOON_F_REPORTING", BalloonDevice.FeatureReporting)
            .Equal("1 << VIRTIO_BALLOON_PFN_SHIFT", BalloonDevice.PageBytes)
            .Offset("struct virtio_balloon_config", "num_pages", BalloonDevice.TargetOffset)
            .Offset("struct virtio_balloon_config", "actual", BalloonDevice.ActualOffset)
            .Equal("sizeof(struct virtio_balloon_stat)", BalloonStatistics.EntryBytes)
            .Equal("VIRTIO_BALLOON_S_SWAP_IN", Array.IndexOf(BalloonStatistics.Names, "stat-swap-in"))
            .Equal("VIRTIO_BALLOON_S_SWAP_OUT", Array.IndexOf(BalloonStatistics.Names, "stat-swap-out"))
            .Equal("VIRTIO_BALLOON_S_MAJFLT", Array.IndexOf(BalloonStatistics.Names, "stat-major-faults"))
            .Equal("VIRTIO_BALLOON_S_MINFLT", Array.IndexOf(BalloonStatistics.Names, "stat-minor-faults"))
            .Equal("VIRTIO_BALLOON_S_MEMFREE", Array.IndexOf(BalloonStatistics.Names, "stat-free-memory"))
            .Equal("VIRTIO_BALLOON_S_MEMTOT", Array.IndexOf(BalloonStatistics.Names, "stat-total-memory"))
            .Equal("VIRTIO_BALLOON_S_AVAIL", Array.IndexOf(BalloonStatistics.Names, "stat-available-memory"))
            .Equal("VIRTIO_BALLOON_S_CACHES", Array.IndexOf(BalloonStatistics.Names, "stat-disk-caches"))
            .Equal("VIRTIO_BALLOON_S_HTLB_PGALLOC", Array.IndexOf(BalloonStatistics.Names, "stat-htlb-pgalloc"))
            .Equal("VIRTIO_BALLOON_S_HTLB_PGFAIL", Array.IndexOf(BalloonStatistics.Names, "stat-htlb-pgfail"))
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
            .Equal("BLKDISCARD", Libc.BLKDISCARD)
            .Equal("BLKZEROOUT", Libc.BLKZEROOUT)
            .Equal("RWF_DSYNC", Libc.RWF_DSYNC)
            .Equal("RWF_NOWAIT", Libc.RWF_NOWAIT)
            .Equal("O_TMPFILE", Libc.O_TMPFILE)
            .Equal("FALLOC_FL_KEEP_SIZE", Libc.FALLOC_FL_KEEP_SIZE)
            .Equal("FALLOC_FL_PUNCH_HOLE", Libc.FALLOC_FL_PUNCH_HOLE)
            .Equal("FALLOC_FL_ZERO_RANGE", Libc.FALLOC_FL_ZERO_RANGE)
            .Check();

    [Fact]
    public void IoUringIsThatOfTheHeader() =>
        new AbiProof("linux/io_uring.h", "sys/syscall.h", "stddef.h")
            .Equal("SYS_io_uring_setup", Libc.SYS_io_uring_setup)
            .Equal("SYS_io_uring_enter", Libc.SYS_io_uring_enter)
            .Equal("SYS_io_uring_register", Libc.SYS_io_uring_register)
            .Size<Libc.io_uring_params>("struct io_uring_params")
            .Size<Libc.io_sqring_offsets>("struct io_sqring_offsets")
            .Size<Libc.io_cqring_offsets>("struct io_cqring_offsets")
            .Size<Libc.io_uring_sqe>("struct io_uring_sqe")
            .Size<Libc.io_uring_cqe>("struct io_uring_cqe")
            .Field("struct io_uring_params", "features", (ref Libc.io_uring_params v) => ref v.features)
            .Field("struct io_uring_params", "sq_off", (ref Libc.io_uring_params v) => ref v.sq_off)
            .Field("struct io_uring_params", "cq_off", (ref Libc.io_uring_params v) => ref v.cq_off)
            .Field("struct io_sqring_offsets", "array", (ref Libc.io_sqring_offsets v) => ref v.array)
            .Field("struct io_cqring_offsets", "cqes", (ref Libc.io_cqring_offsets v) => ref v.cqes)
            .Field("struct io_cqring_offsets", "flags", (ref Libc.io_cqring_offsets v) => ref v.flags)
            .Field("struct io_uring_sqe", "fd", (ref Libc.io_uring_sqe v) => ref v.fd)
            .Field("struct io_uring_sqe", "off", (ref Libc.io_uring_sqe v) => ref v.off)
            .Field("struct io_uring_sqe", "addr", (ref Libc.io_uring_sqe v) => ref v.addr)
            .Field("struct io_uring_sqe", "len", (ref Libc.io_uring_sqe v) => ref v.len)
            .Field("struct io_uring_sqe", "rw_flags", (ref Libc.io_uring_sqe v) => ref v.rw_flags)
            .Field("struct io_uring_sqe", "user_data", (ref Libc.io_uring_sqe v) => ref v.user_data)
            .Field("struct io_uring_cqe", "res", (ref Libc.io_uring_cqe v) => ref v.res)
            .Equal("IORING_SETUP_CLAMP", Libc.IORING_SETUP_CLAMP)
            .Equal("IORING_SETUP_COOP_TASKRUN", Libc.IORING_SETUP_COOP_TASKRUN)
            .Equal("IORING_FEAT_SINGLE_MMAP", Libc.IORING_FEAT_SINGLE_MMAP)
            .Equal("IORING_FEAT_NODROP", Libc.IORING_FEAT_NODROP)
            .Equal("IORING_ENTER_GETEVENTS", Libc.IORING_ENTER_GETEVENTS)
            .Equal("IORING_REGISTER_EVENTFD", Libc.IORING_REGISTER_EVENTFD)
            .Equal("IORING_CQ_EVENTFD_DISABLED", Libc.IORING_CQ_EVENTFD_DISABLED)
            .Equal("IORING_FSYNC_DATASYNC", Libc.IORING_FSYNC_DATASYNC)
            .Equal("IORING_OFF_SQ_RING", Libc.IORING_OFF_SQ_RING)
            .Equal("IORING_OFF_SQES", Libc.IORING_OFF_SQES)
            .Equal("IORING_OP_READV", Libc.IORING_OP_READV)
            .Equal("IORING_OP_WRITEV", Libc.IORING_OP_WRITEV)
            .Equal("IORING_OP_FSYNC", Libc.IORING_OP_FSYNC)
            .Check();

    [Fact]
    public void NativeAioIsThatOfTheHeader() =>
        new AbiProof("linux/aio_abi.h", "sys/syscall.h", "stddef.h")
            .Equal("SYS_io_setup", Libc.SYS_io_setup)
            .Equal("SYS_io_destroy", Libc.SYS_io_destroy)
            .Equal("SYS_io_submit", Libc.SYS_io_submit)
            .Equal("SYS_io_getevents", Libc.SYS_io_getevents)
            .Size<Libc.iocb>("struct iocb")
            .Size<Libc.io_event>("struct io_event")
            .Field("struct iocb", "aio_data", (ref Libc.iocb v) => ref v.aio_data)
            .Field("struct iocb", "aio_rw_flags", (ref Libc.iocb v) => ref v.aio_rw_flags)
            .Field("struct iocb", "aio_lio_opcode", (ref Libc.iocb v) => ref v.aio_lio_opcode)
            .Field("struct iocb", "aio_fildes", (ref Libc.iocb v) => ref v.aio_fildes)
            .Field("struct iocb", "aio_buf", (ref Libc.iocb v) => ref v.aio_buf)
            .Field("struct iocb", "aio_nbytes", (ref Libc.iocb v) => ref v.aio_nbytes)
            .Field("struct iocb", "aio_offset", (ref Libc.iocb v) => ref v.aio_offset)
            .Field("struct iocb", "aio_flags", (ref Libc.iocb v) => ref v.aio_flags)
            .Field("struct iocb", "aio_resfd", (ref Libc.iocb v) => ref v.aio_resfd)
            .Field("struct io_event", "data", (ref Libc.io_event v) => ref v.data)
            .Field("struct io_event", "res", (ref Libc.io_event v) => ref v.res)
            .Equal("IOCB_CMD_PREADV", Libc.IOCB_CMD_PREADV)
            .Equal("IOCB_CMD_PWRITEV", Libc.IOCB_CMD_PWRITEV)
            .Equal("IOCB_FLAG_RESFD", Libc.IOCB_FLAG_RESFD)
            .Check();

    [Fact]
    public void FileSystemIsThatOfTheHeader() =>
        new AbiProof("linux/virtio_fs.h", "stddef.h")
            .Equal("sizeof(struct virtio_fs_config)", FsDevice.ConfigurationBytes)
            .Equal("offsetof(struct virtio_fs_config, num_request_queues)", FsConfiguration.MaxTag)
            .Check();

    [Fact]
    public void SealsAndChildrenAreThoseOfTheHeaders() =>
        new AbiProof("linux/fcntl.h", "linux/memfd.h", "sys/syscall.h", "linux/mman.h", "asm-generic/mman-common.h")
            .Equal("F_ADD_SEALS", Libc.F_ADD_SEALS)
            .Equal("F_SEAL_SEAL", Libc.F_SEAL_SEAL)
            .Equal("F_SEAL_SHRINK", Libc.F_SEAL_SHRINK)
            .Equal("F_SEAL_GROW", Libc.F_SEAL_GROW)
            .Equal("MFD_ALLOW_SEALING", Libc.MFD_ALLOW_SEALING)
            .Equal("MADV_REMOVE", Libc.MADV_REMOVE)
            .Equal("SYS_pidfd_open", Libc.SYS_pidfd_open)
            .Equal("SYS_pidfd_send_signal", Libc.SYS_pidfd_send_signal)
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
