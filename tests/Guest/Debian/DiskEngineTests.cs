using System.Globalization;
using System.IO;
using System.Text.Json.Nodes;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Debian;

/// <summary>One guest with a disk for each way to the host's kernel, on two iothreads.</summary>
public sealed class DiskEngineTests(DiskEngineTests.Shared shared) : IClassFixture<DiskEngineTests.Shared>
{
    private const int Bytes = 32 << 20;

    public sealed class Shared : SharedGuest
    {
        private GuestOptions? _options;

        internal override GuestOptions Options => _options ??= new()
        {
            Cpus = 2,
            More = ["-iothread", "id=disks-one", "-object", "iothread,id=disks-two"],
            Disks =
            [
                New("threads.img", "aio=threads,iothread=disks-one,num-queues=2"),
                New("uring.img", "aio=io_uring,iothread=disks-two,num-queues=2"),
                New("native.img", "aio=native,cache=none,discard=unmap,iothread=disks-two"),
                New("direct.img", "aio=io_uring,cache=directsync,iothread=disks-one"),
                New("limited.img", "aio=off,iops=50,cache=writethrough"),
                New("snapshot.img", "snapshot=on"),
            ],
        };

        private static Disk New(string name, string more) => new(TestHost.NewDisk(name, Bytes), More: more);
    }

    [Theory]
    [InlineData("vda", 2)]
    [InlineData("vdb", 2)]
    [InlineData("vdc", 1)]
    [InlineData("vdd", 1)]
    [InlineData("vde", 1)]
    [InlineData("vdf", 1)]
    public void What_is_written_side_by_side_is_read_again_around_the_caches(string disk, int queues)
    {
        DebianGuest guest = shared.Guest;
        Assert.Equal($"{queues}", guest.Check($"ls /sys/block/{disk}/mq | wc -l"));
        guest.Check("test -f /tmp/pattern || dd if=/dev/urandom of=/tmp/pattern bs=1M count=4 2>/dev/null");
        guest.Check(
            $"for i in 0 1 2 3; do dd if=/tmp/pattern of=/dev/{disk} bs=64k skip=$((i*16)) seek=$((i*16)) count=16 oflag=direct conv=notrunc 2>/dev/null & done; wait");
        guest.Check($"dd if=/tmp/pattern of=/dev/{disk} bs=1M seek=8 conv=notrunc,fsync 2>/dev/null");
        guest.Check("echo 3 >/proc/sys/vm/drop_caches");
        guest.Check($"dd if=/dev/{disk} bs=256k count=16 iflag=direct 2>/dev/null | cmp - /tmp/pattern");
        guest.Check($"dd if=/dev/{disk} bs=1M skip=8 count=4 2>/dev/null | cmp - /tmp/pattern");
        KernelLog.AssertClean(guest);
    }

    [Fact]
    public void A_cache_that_writes_through_is_seen_as_one()
    {
        Assert.Equal(
            "write back write back write back write through write through write back",
            shared.Guest.Check("echo $(cat /sys/block/vd[abcdef]/queue/write_cache)"));
    }

    [Fact]
    public void A_discard_gives_space_back_to_the_host()
    {
        DebianGuest guest = shared.Guest;
        guest.Check("dd if=/dev/urandom of=/dev/vdc bs=1M seek=16 count=8 oflag=direct conv=notrunc 2>/dev/null");
        string image = shared.Options.Disks[2].Path;
        long before = long.Parse(Command.Check("stat", "-c", "%b", image), CultureInfo.InvariantCulture);
        guest.Check($"blkdiscard -o {16 << 20} -l {8 << 20} /dev/vdc");
        long after = long.Parse(Command.Check("stat", "-c", "%b", image), CultureInfo.InvariantCulture);
        Assert.InRange(before - after, (8 << 20) / 512, (9 << 20) / 512);
        Assert.NotEqual(0, guest.Run("blkdiscard /dev/vda").ExitCode);
    }

    [Fact]
    public void The_limit_holds_within_a_twentieth_over_ten_seconds_and_can_be_changed()
    {
        DebianGuest guest = shared.Guest;

        // A tenth of a second's worth at once, the others at 50 a second: few enough that the slowest host isn't what limits them.
        AssertTakes(guest, 10, 126);
        guest.Qmp.Call("block_set_io_throttle", new JsonObject { ["id"] = "disk4", ["iops"] = 100 });
        AssertTakes(guest, 10, 253);
    }

    /// <summary>Asserts that four readers of so many blocks take the seconds within a twentieth: never less, and more only while the host is busy, so not six times.</summary>
    private static void AssertTakes(DebianGuest guest, double seconds, int reads)
    {
        double taken = 0;
        for (int i = 0; i < 6 && !(taken > 0 && taken <= seconds * 1.05); i++)
        {
            taken = Seconds(guest, $"(for i in 0 1 2 3; do dd if=/dev/vde of=/dev/null bs=4096 skip=$((i*1000)) count={reads} iflag=direct 2>/dev/null & done; wait)");
            Assert.True(taken >= seconds * 0.95, $"4 times {reads} reads took {taken} s, less than {seconds}");
        }

        Assert.True(taken <= seconds * 1.05, $"4 times {reads} reads took {taken} s at the sixth time, more than {seconds}");
    }

    [Fact]
    public void What_a_snapshot_was_written_is_not_in_its_image()
    {
        shared.Guest.Check("echo changed | dd of=/dev/vdf bs=512 conv=notrunc,fsync 2>/dev/null");
        Assert.Equal("changed", shared.Guest.Check("head -n 1 /dev/vdf"));
        byte[] start = new byte[512];
        using FileStream image = new(shared.Options.Disks[5].Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        image.ReadExactly(start);
        Assert.Equal(new byte[512], start);
    }

    private static double Seconds(DebianGuest guest, string command)
    {
        string[] stamps = guest.Check($"cut -d' ' -f1 /proc/uptime; {command}; cut -d' ' -f1 /proc/uptime").Split('\n');
        return double.Parse(stamps[^1], CultureInfo.InvariantCulture) - double.Parse(stamps[0], CultureInfo.InvariantCulture);
    }
}
