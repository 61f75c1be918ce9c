using System;
using System.Globalization;
using System.IO;
using System.Net;
using System.Net.NetworkInformation;
using System.Text.Json.Nodes;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Debian;

/// <summary>Disks and network interfaces that come and go under Debian's own drivers.</summary>
public sealed class HotPlugTests(HotPlugTests.Shared shared) : IClassFixture<HotPlugTests.Shared>
{
    private const int Bytes = 32 << 20;
    private const string Sectors = "65536";

    private const string HostAddress = "198.18.80.1";
    private const string GuestAddress = "198.18.80.2";

    // What Linux says of a disk that goes, and of one that comes often.
    private const string Expected = "vdb\\|set_capacity_and_notify";

    private static readonly (string Aio, bool Direct, string? IoThread)[] Kinds = [("threads", false, null), ("native", true, "io"), ("io_uring", false, null)];

    public sealed class Shared : SharedGuest
    {
        private GuestOptions? _options;

        internal override GuestOptions Options => _options ??= new() { Disks = [new Disk(TestHost.NewDisk("first.img", Bytes))], More = ["-iothread", "id=io"] };
    }

    [Fact]
    public void Empty_slots_are_disks_without_a_size_behind_the_given_and_interfaces_without_a_carrier()
    {
        DebianGuest guest = shared.Guest;
        Assert.Equal("vda vdb vdc vdd vde", guest.Check("(cd /sys/block; echo vd*)"));
        Assert.Equal($"{Sectors}\n0\n0\n0\n0", guest.Check("cat /sys/block/vd*/size"));
        Assert.Equal("1", guest.Check("grep -c vd /proc/partitions"));
        Assert.NotEqual(0, guest.Run("dd if=/dev/vdb of=/dev/null bs=512 count=1 2>/dev/null | grep -q .").ExitCode);
        Assert.Equal("", guest.Check("cat /sys/block/vdb/serial"));
        guest.Check("modprobe virtio_net; cd /sys/class/net; for n in eth0 eth1; do busybox ip link set $n up; [ $(cat $n/carrier) = 0 ] || exit 1; done; cd /root");
        KernelLog.AssertClean(guest, Expected);
    }

    [Theory]
    [InlineData("threads", false, null)]
    [InlineData("native", true, "io")]
    [InlineData("io_uring", false, null)]
    public void A_disk_is_there_at_once_and_goes_in_the_middle_of_its_work(string aio, bool direct, string? ioThread)
    {
        DebianGuest guest = shared.Guest;
        string image = TestHost.NewDisk("plugged.img", Bytes);
        for (int round = 0; round < 3; round++)
        {
            HotPlugging.Plug(guest, "drive-0", "0x1", image, aio, direct, ioThread);
            HotPlugging.WaitSize(guest, "vdb", Sectors);
            guest.Check("[ -s /tmp/pattern ] || dd if=/dev/urandom of=/tmp/pattern bs=1M count=4 2>/dev/null");
            guest.Check("dd if=/tmp/pattern of=/dev/vdb bs=1M seek=3 conv=notrunc,fsync 2>/dev/null && echo 3 >/proc/sys/vm/drop_caches && dd if=/dev/vdb bs=1M skip=3 count=4 2>/dev/null | cmp - /tmp/pattern");
            guest.Check("( while dd if=/dev/zero of=/dev/vdb bs=64k count=64 seek=128 oflag=direct conv=notrunc; do echo >>/tmp/wrote; done >/dev/null 2>&1; touch /tmp/over ) & until [ -s /tmp/wrote ]; do usleep 10000; done");
            HotPlugging.Unplug(guest, "drive-0");
            guest.Check("until [ -f /tmp/over ]; do usleep 10000; done; rm /tmp/over /tmp/wrote");
            HotPlugging.WaitSize(guest, "vdb", "0");
        }

        byte[] start = File.ReadAllBytes(image);
        Assert.Contains(start[(3 << 20)..(7 << 20)], value => value != 0);
        Assert.Equal("disk0", (string?)Assert.Single(guest.Qmp.Call("query-block").AsArray())!["device"]);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    public void A_tap_comes_and_goes_with_ping_over_it(int slot, bool vhost)
    {
        DebianGuest guest = shared.Guest;
        Assert.SkipUnless(!vhost || File.Exists("/dev/vhost-net"), "no /dev/vhost-net");
        string tap = $"sth{slot}{Environment.ProcessId}";
        string id = $"net-{slot}";
        Command.Check("ip", "tuntap", "add", tap, "mode", "tap");
        try
        {
            Command.Check("ip", "addr", "add", $"{HostAddress}/30", "dev", tap);
            Command.Check("ip", "link", "set", tap, "up");
            guest.Check($"modprobe virtio_net; busybox ip link set eth{slot} up");
            for (int round = 0; round < 3; round++)
            {
                guest.Qmp.Call("netdev_add", new JsonObject { ["id"] = id, ["ifname"] = tap, ["vhost"] = vhost });
                guest.Qmp.Call("device_add", new JsonObject { ["id"] = id, ["driver"] = "virtio-net-mmio", ["addr"] = $"0x{slot}" });
                WaitCarrier(guest, slot, 1);
                guest.Check($"busybox ip addr replace {GuestAddress}/30 dev eth{slot} && busybox ping -c 2 {HostAddress}");
                using Ping ping = new();
                Assert.Equal(IPStatus.Success, ping.Send(IPAddress.Parse(GuestAddress), 60_000, new byte[5000]).Status);
                HotPlugging.Unplug(guest, id);
                WaitCarrier(guest, slot, 0);
            }
        }
        finally
        {
            Command.Check("ip", "link", "del", tap);
            guest.Check($"busybox ip addr flush dev eth{slot}");
        }
    }

    [Fact]
    public void Two_hundred_rounds_leave_nothing_behind()
    {
        DebianGuest guest = shared.Guest;
        string image = TestHost.NewDisk("rounds.img", Bytes);
        string process = $"/proc/{guest.Engine.Id}";
        (int files, int threads, long memory) before = default;
        for (int round = 0; round < 220; round++)
        {
            if (round == 20)
            {
                before = Count(process);
            }

            (string aio, bool direct, string? ioThread) = Kinds[round % Kinds.Length];
            HotPlugging.Plug(guest, "drive-0", "0x1", image, aio, direct, ioThread);
            HotPlugging.WaitSeen(guest, 1);
            if (round % 10 == 0)
            {
                guest.Check("dd if=/dev/vdb of=/dev/null bs=64k count=16 2>/dev/null");
            }

            HotPlugging.Unplug(guest, "drive-0");
            HotPlugging.WaitSeen(guest, 1);
        }

        (int files, int threads, long memory) after = Count(process);
        Assert.InRange(after.files, 0, before.files + 2);
        Assert.InRange(after.threads, 0, before.threads + 2);
        Assert.InRange(after.memory, 0, before.memory + (8 << 20));
        Assert.Equal("0", guest.Check("cat /sys/block/vdb/size"));
        KernelLog.AssertClean(guest, Expected);
    }

    private static void WaitCarrier(DebianGuest guest, int slot, int carrier) =>
        guest.Check($"until [ $(cat /sys/class/net/eth{slot}/carrier) = {carrier} ]; do usleep 10000; done");

    /// <summary>Descriptors, threads, and bytes of memory without the guest's, which is one large map.</summary>
    private static (int Files, int Threads, long Memory) Count(string process)
    {
        long memory = 0;
        bool isGuests = false;
        foreach (string line in File.ReadLines($"{process}/smaps"))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words[0] == "Size:")
            {
                isGuests = long.Parse(words[1], CultureInfo.InvariantCulture) >= 128 << 10;
            }
            else if (words[0] == "Rss:" && !isGuests)
            {
                memory += long.Parse(words[1], CultureInfo.InvariantCulture) << 10;
            }
        }

        return (Directory.GetFileSystemEntries($"{process}/fd").Length, Directory.GetDirectories($"{process}/task").Length, memory);
    }
}
