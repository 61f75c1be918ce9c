using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Net;
using System.Net.NetworkInformation;
using System.Text.Json.Nodes;
using System.Threading;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Debian;

/// <summary>Debian guests that are saved and restored: all that they did goes on, and the time is right.</summary>
public sealed class SnapshotTests : IDisposable
{
    private const int FioBytes = 8 << 20;

    private static readonly TimeSpan TransferLimit = TimeSpan.FromSeconds(240) * TestHost.Patience;

    private readonly List<string> _taps = [];

    private static IPAddress HostAddress => IPAddress.Parse("198.18.80.1");

    private static IPAddress GuestAddress => IPAddress.Parse("198.18.80.2");

    public void Dispose() => _taps.ForEach(tap => _ = Command.Run(DebianGuest.Limit, "ip", "link", "del", tap));

    /// <summary>Under load of a disk on an iothread and of a net that the kernel moves, with every device that there is; on another tap, CID, console and copy of the disk.</summary>
    [Fact]
    public void A_guest_under_load_goes_on_with_all_its_devices()
    {
        TestHost.RequireGuests();
        DebianTools.Require();
        string disk = TestHost.NewDisk("data.img", FioBytes);
        string copy = TestHost.NewDiskPath("copy.img");
        string folder = TestHost.NewDiskPath("snapshot");
        string plugged = TestHost.NewDisk("plugged.img", 8 << 20);
        VsockTool tool = new();
        string toolDisk = tool.Make();
        using (DebianGuest guest = DebianGuest.Boot(Options(toolDisk, disk, NewTap(), 77, [])))
        {
            Configure(guest);
            VsockTool.Listen(guest, "vdc");
            Assert.Equal("1000 bytes", tool.SendToGuest(77, 1000, TransferLimit));
            HotPlugging.Plug(guest, "plugged", "0x3", plugged);
            HotPlugging.WaitSize(guest, "vdd", "16384");
            guest.Check("echo plugged-disk | dd of=/dev/vdd bs=512 conv=sync,fsync 2>/dev/null; echo in-memory > /tmp/mark");
            guest.Check("(while true; do busybox ping -c 1 -W 2 198.18.80.1 > /tmp/ping 2>&1; done) >/dev/null 2>&1 & true");
            guest.Check(
                $"(chroot /debian fio --name=verify --filename=/dev/vdb --rw=randwrite --bsrange=512-64k --size={FioBytes} --thread --direct=1 "
                + "--ioengine=libaio --iodepth=8 --verify=crc32c --verify_fatal=1 --end_fsync=1 --eta=never > /tmp/fio 2>&1; echo $? > /tmp/fio.code) >/dev/null 2>&1 & true");
            guest.Check("until grep -q -v ' 0 0 0 0 ' /sys/block/vdb/stat && [ $(awk '{print $5}' /sys/block/vdb/stat) -gt 30 ]; do usleep 50000; done");
            guest.Check("test ! -e /tmp/fio.code");
            Snapshots.Save(guest.Qmp, folder, staysPaused: true);
            Command.Check("cp", "--reflink=auto", "--sparse=always", disk, copy);

            // The saved one goes on as well, to the end of what it did.
            guest.Qmp.Call("cont");
            AssertFio(guest);
        }

        // The disk's first image has gone on; the snapshot's guest finds the copy as it was.
        using DebianGuest restored = DebianGuest.Start(Options(
            toolDisk,
            copy,
            NewTap(),
            78,
            ["-drive", $"file={plugged},id=plugged", "-device", "virtio-blk-device,drive=plugged,id=plugged", "-incoming", "file:" + folder]));
        Assert.Equal("in-memory", restored.Check("cat /tmp/mark"));
        AssertTime(restored);
        AssertFio(restored);
        Assert.Equal("plugged-disk", restored.Check("head -c 12 /dev/vdd"));
        restored.Check("until busybox ping -c 1 -W 5 198.18.80.1; do :; done; head -c 64 /dev/hwrng | md5sum");
        using Ping ping = new();
        Assert.Equal(IPStatus.Success, ping.Send(GuestAddress, 60_000, new byte[2000]).Status);
        Assert.Equal("100000 bytes", tool.SendToGuest(78, 100_000, TransferLimit));
        KernelLog.AssertClean(restored);
        restored.PowerOff();
    }

    /// <summary>Twice 36 minutes and more: beyond what Linux before 6.10 counts in one step of its clock.</summary>
    [Fact]
    public void The_time_is_right_after_a_day_and_the_old_one_on_demand()
    {
        TestHost.RequireGuests();
        string folder = TestHost.NewDiskPath("snapshot");
        using (DebianGuest guest = DebianGuest.Boot(new GuestOptions { Cpus = 2 }))
        {
            Snapshots.Save(guest.Qmp, folder);
        }

        Snapshots.Age(folder, TimeSpan.FromDays(1));
        using (DebianGuest restored = DebianGuest.Start(new GuestOptions { Cpus = 2, More = ["-incoming", "file:" + folder] }))
        {
            // What was saved believes that it was a day before.
            long ahead = long.Parse(restored.Check("date +%s"), CultureInfo.InvariantCulture) - DateTimeOffset.UtcNow.ToUnixTimeSeconds();
            Assert.InRange(ahead, 86_400 - 5, 86_400 + 5);
            restored.Check("for i in 1 2 3; do sleep 1; done");
            KernelLog.AssertClean(restored);
        }

        using DebianGuest old = DebianGuest.Start(new GuestOptions { Cpus = 2, More = ["-incoming", "file:" + folder, "-incoming-time", "saved"] });
        long behind = DateTimeOffset.UtcNow.ToUnixTimeSeconds() - long.Parse(old.Check("date +%s"), CultureInfo.InvariantCulture);
        Assert.InRange(behind, 0, 600);
        KernelLog.AssertClean(old);
    }

    [Fact]
    public void Saved_and_restored_again_and_again()
    {
        TestHost.RequireGuests();
        string folder = TestHost.NewDiskPath("snapshot");
        GuestOptions options = new() { Cpus = 2, More = ["-device", "virtio-balloon-device,id=balloon,free-page-reporting=on"] };
        DebianGuest guest = DebianGuest.Boot(options);
        try
        {
            guest.Check("rounds=0; head -c 20000000 /dev/urandom > /tmp/data; md5sum < /tmp/data > /tmp/sum");
            int rounds = TestHost.Long ? 50 : 5;
            for (int round = 1; round <= rounds; round++)
            {
                Assert.Equal($"{round}", guest.Check("rounds=$((rounds + 1)); echo $rounds"));
                Snapshots.Save(guest.Qmp, folder, staysPaused: round % 2 == 0);
                guest.Dispose();
                guest = DebianGuest.Start(options with { More = [.. options.More, "-incoming", "file:" + folder] });
            }

            guest.Check("md5sum < /tmp/data | cmp - /tmp/sum");
            KernelLog.AssertClean(guest);

            // A guest's reset is one from its kernel, whatever its memory began as.
            int from = guest.Console.Length;
            guest.Qmp.Call("system_reset");
            guest.WaitShell(from);
            guest.Check("test ! -e /tmp/data");
            guest.PowerOff();
        }
        finally
        {
            guest.Dispose();
        }
    }

    /// <summary>Twenty that go on from one template: each with random numbers of its own, where the guest's kernel has the driver of the generation id.</summary>
    [Fact]
    public void Clones_of_a_template_differ()
    {
        TestHost.RequireGuests();
        Assert.SkipUnless(File.Exists(TestHost.GenericKernel), $"{TestHost.GenericKernel} is missing (./build.sh guest generic)");
        string folder = TestHost.NewDiskPath("template");
        GuestOptions options = new() { Kernel = TestHost.GenericKernel, Initrd = TestHost.GenericInitrd, Memory = "256M" };
        using (DebianGuest template = DebianGuest.Boot(options))
        {
            template.Check("ls /sys/bus/acpi/drivers/vmgenid/ | grep STRA0001 || modprobe vmgenid; ls /sys/bus/acpi/drivers/vmgenid/ | grep STRA0001");
            Snapshots.Save(template.Qmp, folder, staysPaused: true);
        }

        HashSet<string> numbers = [];
        List<DebianGuest> clones = [];
        try
        {
            for (int i = 0; i < 20; i++)
            {
                clones.Add(DebianGuest.Start(options with { More = ["-incoming", "file:" + folder] }));
            }

            foreach (DebianGuest clone in clones)
            {
                clone.Check("until dmesg | grep -q 'crng reseeded due to virtual machine fork'; do usleep 10000; done");
                Assert.True(numbers.Add(clone.Check("head -c 16 /dev/urandom | md5sum")), "two clones have the same random numbers");
            }
        }
        finally
        {
            clones.ForEach(clone => clone.Dispose());
        }
    }

    [Theory]
    [InlineData("mem-share=on")]
    [InlineData("huge")]
    public void Memory_that_is_shared_or_huge_is_filled(string kind)
    {
        TestHost.RequireGuests();
        using HugePages? host = kind == "huge" ? HugePages.Reserve(128) : null;
        string folder = TestHost.NewDiskPath("snapshot");
        GuestOptions options = new()
        {
            Machine = host is null ? "microvm,mem-share=on" : "microvm",
            More = host is null ? [] : ["-mem-path", host.Folder],
        };
        using (DebianGuest guest = DebianGuest.Boot(options))
        {
            guest.Check("head -c 30000000 /dev/urandom > /tmp/data; md5sum < /tmp/data > /tmp/sum");
            Snapshots.Save(guest.Qmp, folder, staysPaused: true);
        }

        using (DebianGuest restored = DebianGuest.Start(options with { More = [.. options.More, "-incoming", "file:" + folder] }))
        {
            restored.Check("md5sum < /tmp/data | cmp - /tmp/sum");
            KernelLog.AssertClean(restored);
        }

        // What was saved of one kind goes on in any.
        using DebianGuest plain = DebianGuest.Start(new GuestOptions { More = ["-incoming", "file:" + folder] });
        plain.Check("md5sum < /tmp/data | cmp - /tmp/sum");
    }

    [Fact]
    public void A_processor_that_came_while_it_ran_is_there_still()
    {
        TestHost.RequireGuests();
        string folder = TestHost.NewDiskPath("snapshot");
        GuestOptions options = new() { Smp = "1,maxcpus=3" };
        using (DebianGuest guest = DebianGuest.Boot(options))
        {
            guest.Qmp.Call("device_add", new JsonObject { ["id"] = "second", ["driver"] = "host-x86-cpu", ["cpu-id"] = 2 });
            guest.Check("until [ -e /sys/devices/system/cpu/cpu1 ]; do usleep 10000; done; echo 1 > /sys/devices/system/cpu/cpu1/online || true; nproc");
            Snapshots.Save(guest.Qmp, folder, staysPaused: true);
        }

        using DebianGuest restored = DebianGuest.Start(options with { More = ["-incoming", "file:" + folder] });
        Assert.Equal("2", restored.Check("nproc"));
        restored.Check("for cpu in 0 1; do busybox taskset $((1 << cpu)) true || exit 1; done; echo 0 > /sys/devices/system/cpu/cpu1/online");
        Assert.Equal(2, restored.Qmp.Call("query-cpus").AsArray().Count);
        restored.Qmp.Call("device_del", new JsonObject { ["id"] = "second" });
        Assert.Equal("second", (string?)restored.Qmp.WaitEvent("DEVICE_DELETED")["data"]!["device"]);
        KernelLog.AssertClean(restored);
    }

    /// <summary>Whatever the moment, what is there afterwards is whole: the old snapshot or the new one.</summary>
    [Fact]
    public void A_save_that_is_killed_leaves_a_whole_snapshot()
    {
        TestHost.RequireGuests();
        string folder = TestHost.NewDiskPath("snapshot");
        GuestOptions options = new();
        DebianGuest guest = DebianGuest.Boot(options);
        try
        {
            guest.Check("generation=0; head -c 50000000 /dev/urandom > /tmp/data; md5sum < /tmp/data > /tmp/sum");
            Stopwatch watch = Stopwatch.StartNew();
            Snapshots.Save(guest.Qmp, folder);
            TimeSpan whole = watch.Elapsed;
            Random random = new(1);
            int last = 0;
            int rounds = TestHost.Long ? 100 : 5;
            for (int round = 1; round <= rounds; round++)
            {
                guest.Check($"generation={round}");
                Snapshots.Begin(guest.Qmp, folder);
                long start = Stopwatch.GetTimestamp();
                TimeSpan moment = whole * random.NextDouble() * 1.2;
                SpinWait.SpinUntil(() => Stopwatch.GetElapsedTime(start) >= moment);
                guest.Engine.Kill();
                guest.Dispose();
                guest = DebianGuest.Start(options with { More = ["-incoming", "file:" + folder] });
                int found = int.Parse(guest.Check("echo $generation"), CultureInfo.InvariantCulture);
                Assert.True(found == round || found == last, $"round {round}: generation {found}, and the last whole one was {last}");
                last = found;
                guest.Check("md5sum < /tmp/data | cmp - /tmp/sum");
            }
        }
        finally
        {
            guest.Dispose();
        }
    }

    private static void AssertTime(DebianGuest guest)
    {
        long there = long.Parse(guest.Check("date +%s"), CultureInfo.InvariantCulture);
        Assert.InRange(there - DateTimeOffset.UtcNow.ToUnixTimeSeconds(), -3, 3);
    }

    private static void AssertFio(DebianGuest guest)
    {
        guest.Check("until [ -e /tmp/fio.code ]; do sleep 1; done");
        string output = guest.Check("cat /tmp/fio /tmp/fio.code");
        Assert.Contains("err= 0", output, StringComparison.Ordinal);
        Assert.EndsWith("\n0", output, StringComparison.Ordinal);
    }

    private static void Configure(DebianGuest guest)
    {
        DebianTools.Mount(guest, "vda");
        guest.Check("modprobe virtio_net; busybox ip addr add 198.18.80.2/30 dev eth0; busybox ip link set eth0 up; until busybox ping -c 1 -W 5 198.18.80.1; do :; done");
    }

    private static GuestOptions Options(string toolDisk, string disk, string tap, int cid, string[] more) => new()
    {
        Cpus = 2,
        Memory = "512M",
        Disks = [.. DebianTools.Disks, new Disk(disk, More: "aio=io_uring,iothread=io,num-queues=2,iops=400"), new Disk(toolDisk, ReadOnly: true)],
        More =
        [
            "-iothread", "id=io",
            "-netdev", $"tap,id=n0,ifname={tap},vhost=on", "-device", "virtio-net-device,netdev=n0,id=eth",
            "-device", "virtio-rng-device", "-device", $"vhost-vsock-device,guest-cid={cid}",
            "-device", "virtio-serial-device,max_ports=5",
            "-chardev", $"socket,id=port,path={TestHost.NewPath("port")},server,nowait", "-device", "virtserialport,chardev=port,name=org.strato.test.0",
            "-device", "virtio-balloon-device,id=balloon,deflate-on-oom=on,free-page-reporting=on",
            .. more,
        ],
    };

    private string NewTap()
    {
        string tap = $"ssn{_taps.Count}{Environment.ProcessId}";
        if (_taps.Count > 0)
        {
            _ = Command.Run(DebianGuest.Limit, "ip", "addr", "del", $"{HostAddress}/30", "dev", _taps[^1]);
        }

        _taps.Add(tap);
        Command.Check("modprobe", "vhost_net");
        Command.Check("ip", "tuntap", "add", tap, "mode", "tap");
        Command.Check("ip", "addr", "add", $"{HostAddress}/30", "dev", tap);
        Command.Check("ip", "link", "set", tap, "up");
        return tap;
    }
}
