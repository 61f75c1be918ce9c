using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading;
using Strato.Tests.Guest.Harness;
using Xunit;
using static Strato.Tests.Guest.Harness.Ballooning;

namespace Strato.Tests.Guest.Debian;

/// <summary>Folders of the host in a guest with all other kinds of devices, by virtiofsd and Debian's own driver.</summary>
public sealed class SharedFolderTests(SharedFolderTests.Shared shared) : IClassFixture<SharedFolderTests.Shared>
{
    private static readonly TimeSpan TellLimit = DebianGuest.Limit;

    public sealed class Shared : SharedGuest, IDisposable
    {
        private GuestOptions? _options;
        private readonly List<string> _taps = [];
        private Process? _virtiofsd;

        /// <summary>Shared by the engine itself; its name has what ends options.</summary>
        internal SharedTree Tree { get; } = new(@"a, tree\of");

        /// <summary>Shared by a virtiofsd that the test starts.</summary>
        internal SharedTree Other { get; } = new("other");

        internal Process Virtiofsd => _virtiofsd!;

        internal override GuestOptions Options => _options ??= new()
        {
            Memory = "512M",
            Machine = "microvm,mem-share=on",
            CommandLine = "root=/dev/vda",
            Disks =
            [
                new Disk(TestHost.NewRoot()),
                .. Enumerable.Range(0, 5).Select(_ => new Disk(TestHost.NewDisk("small.img", 1 << 20))),
            ],
            More =
            [
                .. AddTap(0), .. AddTap(1),
                "-device", "virtio-rng-device", "-device", "virtio-balloon-device,free-page-reporting=on", "-device", "vhost-vsock-device,guest-cid=79",
                "-chardev", $"socket,id=hvc,path={TestHost.NewPath("hvc")},server,nowait", "-device", "virtconsole,chardev=hvc",
                "-device", $"vhost-user-fs-device,tag=tree,source={Tree.Folder.Replace(",", ",,", StringComparison.Ordinal)}",
                "-chardev", $"socket,id=fs,path={StartVirtiofsd()},server,nowait", "-device", "vhost-user-fs-device,id=fs1,chardev=fs,tag=the other",
            ],
        };

        void IDisposable.Dispose()
        {
            Dispose();
            if (_virtiofsd is { HasExited: false })
            {
                _virtiofsd.Kill(entireProcessTree: true);
            }

            foreach (string tap in _taps)
            {
                Command.Check("ip", "link", "delete", tap);
            }
        }

        private string[] AddTap(int number)
        {
            string tap = $"stf{Environment.ProcessId}n{number}";
            Command.Check("ip", "tuntap", "add", tap, "mode", "tap");
            _taps.Add(tap);
            return ["-netdev", $"tap,id=n{number},ifname={tap}", "-device", $"virtio-net-device,netdev=n{number}"];
        }

        private string StartVirtiofsd()
        {
            string socket = TestHost.NewPath("fs");
            ProcessStartInfo start = new(TestHost.Virtiofsd!, [$"--socket-path={socket}", "-o", $"source={Other.Folder}"]) { UseShellExecute = false };
            Command.MarkRun(start);
            _virtiofsd = Process.Start(start)!;
            Assert.True(SpinWait.SpinUntil(() => File.Exists(socket) || _virtiofsd.HasExited, TimeSpan.FromSeconds(60) * TestHost.Patience));
            return socket;
        }

        /// <summary>The guest, with the folder on /mnt.</summary>
        internal DebianGuest Mounted()
        {
            Assert.SkipWhen(TestHost.Virtiofsd is null, "virtiofsd is missing");
            DebianGuest guest = Guest;
            guest.Check("grep -q ' /mnt ' /proc/mounts || mount -t virtiofs tree /mnt");
            return guest;
        }
    }

    [Fact]
    public void A_tree_of_the_host_is_the_same_in_the_guest()
    {
        DebianGuest guest = shared.Mounted();
        shared.Tree.MakeOnHost("from-host");
        string told = shared.Tree.TellOnHost("from-host");
        Assert.Equal(told, TellInGuest(guest, "from-host"));
        Assert.Contains("./deep/er/st/39|81a4|", told, StringComparison.Ordinal);
        KernelLog.AssertClean(guest);
    }

    [Fact]
    public void A_tree_of_the_guest_is_the_same_on_the_host()
    {
        DebianGuest guest = shared.Mounted();
        guest.Check("sh /mnt/make.sh /mnt/from-guest", TellLimit);
        string told = TellInGuest(guest, "from-guest");
        Assert.Equal(shared.Tree.TellOnHost("from-guest"), told);

        // As it was to be: but for times and what is random it is the host's tree.
        Assert.Contains("1234|4321|1|1|", told, StringComparison.Ordinal);
        Assert.Contains("./big|8100|0|0|1|16777216|", told, StringComparison.Ordinal);
        guest.Check("(cd /mnt/from-guest && mv deep/er moved && rm -r empty && chmod 600 big && echo more >>big && : >sparse && ln -f big plain)");
        Assert.Equal(shared.Tree.TellOnHost("from-guest"), TellInGuest(guest, "from-guest"));
        Assert.EndsWith("more\n", File.ReadAllText(shared.Tree.PathOf("from-guest/plain")), StringComparison.Ordinal);
        Assert.False(Directory.Exists(shared.Tree.PathOf("from-guest/empty")));
    }

    [Fact]
    public void A_change_of_the_host_is_seen_in_the_guest()
    {
        DebianGuest guest = shared.Mounted();
        File.WriteAllText(shared.Tree.PathOf("change"), "one");
        Assert.Equal("one", guest.Check("cat /mnt/change"));
        File.WriteAllText(shared.Tree.PathOf("change"), "another");
        guest.Check("until [ \"$(cat /mnt/change)\" = another ]; do true; done");
    }

    [Fact]
    public void A_pause_amid_a_copy_loses_nothing()
    {
        DebianGuest guest = shared.Mounted();
        guest.Check("dd if=/dev/urandom of=/mnt/random bs=1M count=1 2>/dev/null");
        guest.Check("(for i in 1 2 3 4; do cat /mnt/random; done | tee /mnt/copy | md5sum >/mnt/copy.sum; mv /mnt/copy.sum /mnt/copied) & until [ -s /mnt/copy ]; do true; done");
        for (int i = 0; i < 5; i++)
        {
            guest.Qmp.Call("stop");
            guest.Qmp.Call("cont");
            guest.Check("true");
        }

        guest.Check("wait");
        Assert.Equal(4 << 20, new FileInfo(shared.Tree.PathOf("copy")).Length);
        Assert.Equal(File.ReadAllText(shared.Tree.PathOf("copied")), Command.Check("sh", "-c", $"md5sum <'{shared.Tree.PathOf("copy")}'"));
    }

    [Fact]
    public void Shared_memory_goes_back_to_the_host()
    {
        DebianGuest guest = shared.Mounted();
        guest.Check(Fill);
        long full = Resident(guest);
        guest.Check("rm /tmp/fill");
        WaitResident(guest, full - Freed);
    }

    [Fact]
    public void A_folder_is_there_again_after_a_reset()
    {
        DebianGuest guest = shared.Mounted();
        File.WriteAllText(shared.Tree.PathOf("before"), "the reset");
        int from = guest.Console.Length;
        guest.Qmp.Call("system_reset");
        guest.WaitShell(from);
        Assert.Equal("the reset", shared.Mounted().Check("cat /mnt/before"));
    }

    [Fact]
    public void Without_its_virtiofsd_one_folder_is_gone_and_all_else_lives()
    {
        DebianGuest guest = shared.Mounted();
        guest.Check("mkdir -p /other && mount -t virtiofs 'the other' /other && echo here >/other/file");
        Assert.Equal("here\n", File.ReadAllText(shared.Other.PathOf("file")));
        shared.Virtiofsd.Kill(entireProcessTree: true);
        guest.Engine.Errors.WaitFor("fs1: nobody serves the folder any more; the device waits for a reset", 0, DebianGuest.Limit);
        File.WriteAllText(shared.Tree.PathOf("alive"), "still");
        Assert.Equal("still", guest.Check("cat /mnt/alive"));
        Assert.True((bool)guest.Qmp.Call("query-status")["running"]!);
    }

    [Fact]
    public void No_virtiofsd_is_left_when_the_machine_has_ended()
    {
        DebianGuest guest = shared.Mounted();
        Assert.NotEmpty(Servers());
        // Not by power-off: Linux would wait for ever for the folder that nobody serves any more.
        guest.Qmp.Call("quit");
        guest.Engine.WaitExit(0, DebianGuest.Limit);
        Assert.True(SpinWait.SpinUntil(() => Servers().Count == 0, DebianGuest.Limit), string.Join('\n', Servers()));
    }

    /// <summary>Command lines of all that the engine started.</summary>
    private List<string> Servers()
    {
        string folder = shared.Tree.Folder.Split(',')[0];
        return [.. Directory.EnumerateDirectories("/proc").Select(TestHost.CommandLineOf).Where(line => line.StartsWith(TestHost.Virtiofsd!, StringComparison.Ordinal) && line.Contains(folder, StringComparison.Ordinal))];
    }

    private string TellInGuest(DebianGuest guest, string name)
    {
        guest.Check($"LC_ALL=C sh /mnt/tell.sh /mnt/{name} >/mnt/told", TellLimit);
        return File.ReadAllText(shared.Tree.PathOf("told"));
    }
}
