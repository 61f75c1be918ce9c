using System;
using System.Globalization;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Debian;

/// <summary>One guest with Debian's own fio, ext4 and util-linux: what they write is verified, and what they free is the host's again.</summary>
public sealed class FioTests(FioTests.Shared shared) : IClassFixture<FioTests.Shared>
{
    private const int Bytes = 64 << 20;

    /// <summary>For each of two jobs.</summary>
    private static int Verified => TestHost.Long ? 32 : 4;

    public sealed class Shared : SharedGuest, IDisposable
    {
        private GuestOptions? _options;
        private LoopDevice? _device;

        internal string BlockDeviceFile { get; } = TestHost.NewDisk("under-loop.img", Bytes);

        internal override GuestOptions Options => _options ??= new()
        {
            Memory = "512M",
            Cpus = 2,
            More = ["-iothread", "id=fio"],
            Disks =
            [
                .. DebianTools.Disks,
                New("threads.img", "aio=threads,iothread=fio,num-queues=2,discard=unmap"),
                New("native.img", "aio=native,cache=none,iothread=fio,num-queues=2"),
                New("uring.img", "aio=io_uring,iothread=fio,num-queues=2"),
                New("off.img", "aio=off,discard=unmap,detect-zeroes=unmap"),
                new(_device!.Path, More: "aio=io_uring,cache=none,discard=unmap"),
            ],
        };

        /// <summary>The guest, whose Debian is mounted at /debian.</summary>
        internal DebianGuest Debian
        {
            get
            {
                DebianTools.Require();
                _device ??= LoopDevice.Require(BlockDeviceFile);
                DebianTools.Mount(Guest, "vda");
                return Guest;
            }
        }

        void IDisposable.Dispose()
        {
            Dispose();
            _device?.Dispose();
        }

        private static Disk New(string name, string more) => new(TestHost.NewDisk(name, Bytes), More: more);
    }

    /// <summary>Two jobs at depth 8 write blocks of 512 bytes to 64 KiB in random order, read them again, and compare their sums.</summary>
    [Theory]
    [InlineData("vdb")]
    [InlineData("vdc")]
    [InlineData("vdd")]
    [InlineData("vde")]
    [InlineData("vdf")]
    public void What_fio_writes_it_reads_again(string disk)
    {
        DebianGuest guest = shared.Debian;
        string output = guest.Check(
            $"chroot /debian fio --name=verify --filename=/dev/{disk} --rw=randwrite --bsrange=512-64k --size={Verified}M --numjobs=2 --offset_increment={Verified}M " +
            "--thread --group_reporting --direct=1 --ioengine=libaio --iodepth=8 --verify=crc32c --verify_fatal=1 --end_fsync=1 --eta=never");
        Assert.Contains("err= 0", output, StringComparison.Ordinal);
        Assert.Matches(@"READ: .*io=[1-9]", output);
        KernelLog.AssertClean(guest);
    }

    [Fact]
    public void A_file_system_gives_space_back()
    {
        DebianGuest guest = shared.Debian;
        guest.Check("chroot /debian mkfs.ext4 -q -F -E nodiscard,lazy_itable_init=0 /dev/vdb && mkdir -p /mnt/ext4 && mount -t ext4 /dev/vdb /mnt/ext4");
        guest.Check("dd if=/dev/urandom of=/mnt/ext4/file bs=1M count=24 conv=fsync 2>/dev/null");
        string image = shared.Options.Disks[1].Path;
        long full = Allocated(image);
        guest.Check("rm /mnt/ext4/file; sync; fstrim /mnt/ext4");
        Assert.InRange(full - Allocated(image), 23 << 20, Bytes);
        guest.Check("umount /mnt/ext4; chroot /debian e2fsck -fn /dev/vdb");
    }

    [Fact]
    public void Zeros_that_are_written_take_no_space()
    {
        DebianGuest guest = shared.Debian;
        string image = shared.Options.Disks[4].Path;
        guest.Check("dd if=/dev/urandom of=/dev/vde bs=1M seek=32 count=8 oflag=direct conv=notrunc 2>/dev/null");
        long full = Allocated(image);
        guest.Check("dd if=/dev/zero of=/dev/vde bs=1M seek=32 count=8 oflag=direct conv=notrunc 2>/dev/null");
        Assert.InRange(full - Allocated(image), 8 << 20, 9 << 20);
        guest.Check("dd if=/dev/vde bs=1M skip=32 count=8 iflag=direct 2>/dev/null | cmp -n 8388608 - /dev/zero");
    }

    /// <summary>BLKDISCARD and BLKZEROOUT, which loop devices turn into holes.</summary>
    [Fact]
    public void A_block_device_is_discarded_and_zeroed()
    {
        DebianGuest guest = shared.Debian;
        guest.Check("dd if=/dev/urandom of=/dev/vdf bs=1M seek=32 count=16 oflag=direct conv=notrunc,fsync 2>/dev/null");
        long full = Allocated(shared.BlockDeviceFile);
        guest.Check($"chroot /debian blkdiscard -o {32 << 20} -l {8 << 20} /dev/vdf");
        Assert.InRange(full - Allocated(shared.BlockDeviceFile), 8 << 20, 9 << 20);
        guest.Check($"chroot /debian /usr/sbin/blkdiscard -z -o {40 << 20} -l {4 << 20} /dev/vdf");
        guest.Check("dd if=/dev/vdf bs=1M skip=40 count=4 iflag=direct 2>/dev/null | cmp -n 4194304 - /dev/zero");
        Assert.NotEqual("0", guest.Check("dd if=/dev/vdf bs=1M skip=44 count=4 iflag=direct 2>/dev/null | tr -d '\\0' | wc -c"));
    }

    /// <summary>Bytes that a file takes on the host.</summary>
    private static long Allocated(string path) => 512 * long.Parse(Command.Check("stat", "-c", "%b", path), CultureInfo.InvariantCulture);
}
