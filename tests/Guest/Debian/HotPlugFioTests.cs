using System;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Debian;

/// <summary>Disks that came while the guest runs, under Debian's own fio and lsblk.</summary>
public sealed class HotPlugFioTests
{
    private const int Bytes = 64 << 20;
    private const string Sectors = "131072";

    [Fact]
    public void What_fio_writes_it_reads_again_while_another_disk_comes_and_goes()
    {
        TestHost.RequireGuests();
        DebianTools.Require();
        using DebianGuest guest = DebianGuest.Boot(new GuestOptions { Memory = "512M", Cpus = 2, Disks = DebianTools.Disks, More = ["-iothread", "id=io"] });
        DebianTools.Mount(guest, "vda");
        Assert.Equal("0 0", Sizes(guest));
        HotPlugging.Plug(guest, "steady", "0x1", TestHost.NewDisk("steady.img", Bytes), "io_uring", ioThread: "io");
        HotPlugging.WaitSize(guest, "vdb", Sectors);
        Assert.Equal($"{Bytes} 0", Sizes(guest));
        guest.Check(
            "( ( chroot /debian fio --name=verify --filename=/dev/vdb --rw=randwrite --bsrange=512-64k --size=16M --thread --direct=1 --ioengine=libaio --iodepth=8 " +
            "--verify=crc32c --verify_fatal=1 --end_fsync=1 --eta=never >/tmp/fio 2>&1; echo $? >/tmp/over ) & )");
        string image = TestHost.NewDisk("other.img", Bytes);
        int rounds = 0;
        do
        {
            HotPlugging.Plug(guest, "other", "0x2", image, rounds % 2 == 0 ? "threads" : "io_uring");
            HotPlugging.WaitSize(guest, "vdc", Sectors);
            Assert.Equal($"{Bytes} {Bytes}", Sizes(guest));
            guest.Check("dd if=/dev/zero of=/dev/vdc bs=64k count=4 oflag=direct 2>/dev/null");
            HotPlugging.Unplug(guest, "other");
            HotPlugging.WaitSize(guest, "vdc", "0");
            rounds++;
        }
        while (guest.Check("[ -s /tmp/over ] && echo over || true") == "");

        Assert.True(rounds > 1, "fio was over before a disk came and went");
        string output = guest.Check("cat /tmp/over /tmp/fio");
        Assert.StartsWith("0\n", output, StringComparison.Ordinal);
        Assert.Contains("err= 0", output, StringComparison.Ordinal);
        Assert.Matches("READ: .*io=[1-9]", output);
        HotPlugging.Unplug(guest, "steady");
        HotPlugging.WaitSize(guest, "vdb", "0");
        Assert.Equal("0 0", Sizes(guest));
        KernelLog.AssertClean(guest, "vd[bc]\\|set_capacity_and_notify");
    }

    private static string Sizes(DebianGuest guest) => guest.Check("echo $(chroot /debian lsblk -dbno SIZE /dev/vdb /dev/vdc)");
}
