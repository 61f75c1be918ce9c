using System;
using System.Diagnostics;
using System.Net;
using System.Net.NetworkInformation;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Debian;

/// <summary>Network interfaces of two queue pairs on taps: one whose frames the kernel moves, one whose the engine does.</summary>
public sealed class VhostNetTests(VhostNetTests.Shared shared) : IClassFixture<VhostNetTests.Shared>
{
    public sealed class Shared : SharedGuest
    {
        private bool _configured;

        internal override GuestOptions Options
        {
            get
            {
                Command.Check("modprobe", "vhost_net");
                for (int i = 0; i < 2; i++)
                {
                    Command.Check("ip", "tuntap", "add", Tap(i), "mode", "tap", "multi_queue");
                    Command.Check("ip", "addr", "add", $"{HostAddress(i)}/30", "dev", Tap(i));
                    Command.Check("ip", "link", "set", Tap(i), "up");
                }

                return new()
                {
                    Cpus = 2,
                    Disks = DebianTools.Disks,
                    More = ["-netdev", $"tap,id=n0,ifname={Tap(0)},queues=2,vhost=on", "-netdev", $"tap,id=n1,ifname={Tap(1)},queues=2"],
                };
            }
        }

        /// <summary>The guest, its interfaces up.</summary>
        internal DebianGuest Online()
        {
            DebianGuest guest = Guest;
            if (!_configured)
            {
                guest.Check("modprobe virtio_net");
                for (int i = 0; i < 2; i++)
                {
                    guest.Check($"busybox ip addr add {GuestAddress(i)}/30 dev eth{i} && busybox ip link set eth{i} up");
                }

                _configured = true;
            }

            return guest;
        }

        private static string Tap(int index) => $"stv{index}{Environment.ProcessId}";
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void The_driver_uses_two_queue_pairs(int index)
    {
        DebianGuest guest = shared.Online();
        string features = guest.Check($"cat /sys/class/net/eth{index}/device/features");
        Assert.True(features[17] == '1' && features[22] == '1', $"bits 17 and 22 of {features}");
        Assert.Equal("2 2", guest.Check($"echo $(ls -d /sys/class/net/eth{index}/queues/rx-* | wc -l) $(ls -d /sys/class/net/eth{index}/queues/tx-* | wc -l)"));

        // An address follows from the machine's name: locally administered, and each interface's own.
        string address = guest.Check($"cat /sys/class/net/eth{index}/address");
        Assert.Equal(2, Convert.ToByte(address[..2], 16) & 3);
        Assert.NotEqual(address, guest.Check($"cat /sys/class/net/eth{1 - index}/address"));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Ping_goes_both_ways_over_each_processor(int index)
    {
        DebianGuest guest = shared.Online();
        guest.Check($"for cpu in 0 1; do busybox taskset $((1 << cpu)) busybox ping -c 2 {HostAddress(index)} || exit 1; done");
        using Ping ping = new();
        Assert.Equal(IPStatus.Success, ping.Send(GuestAddress(index), 60_000, new byte[20_000]).Status);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public Task Bytes_travel_as_they_were(int index) =>
        Transfer.ThereAndBack(shared.Online(), HostAddress(index), HostAddress(index), Transfer.Bytes);

    /// <summary>Out, and in with -R; iperf3 itself fails where nothing travels.</summary>
    [Theory]
    [InlineData(0, "")]
    [InlineData(0, "-R")]
    [InlineData(1, "")]
    [InlineData(1, "-R")]
    public void Iperf3_measures_both_ways(int index, string way)
    {
        DebianTools.Require();
        Assert.SkipUnless(Command.Works("iperf3", "--version"), "the host has no iperf3");
        DebianGuest guest = shared.Online();
        DebianTools.Mount(guest, "vda");
        ProcessStartInfo start = new("iperf3", ["--server", "--one-off", "--forceflush", "--bind", $"{HostAddress(index)}"]) { UseShellExecute = false, RedirectStandardOutput = true };
        Command.MarkRun(start);
        using Process server = Process.Start(start)!;
        try
        {
            while (server.StandardOutput.ReadLine() is { } line && !line.Contains("listening", StringComparison.Ordinal))
            {
                // A head line, or nothing yet.
            }

            string output = guest.Check($"chroot /debian iperf3 --client {HostAddress(index)} --time 2 {way}");
            Assert.Matches(@"[1-9][\d.]* +[KMG]Bytes .* receiver", output);
        }
        finally
        {
            server.Kill();
        }
    }

    [Fact]
    public void The_kernels_link_is_taken_down_and_up_and_it_goes_on_after_a_pause()
    {
        DebianGuest guest = shared.Online();
        guest.Qmp.Call("set_link", new JsonObject { ["name"] = "n0", ["up"] = false });
        guest.Check("until [ \"$(cat /sys/class/net/eth0/carrier)\" = 0 ]; do usleep 100000; done");
        guest.Qmp.Call("set_link", new JsonObject { ["name"] = "n0", ["up"] = true });
        guest.Check("until [ \"$(cat /sys/class/net/eth0/carrier)\" = 1 ]; do usleep 100000; done");
        guest.Check($"until busybox ping -c 1 -W 5 {HostAddress(0)}; do :; done");
        guest.Qmp.Call("stop");
        guest.Qmp.Call("cont");
        guest.Check($"until busybox ping -c 1 -W 5 {HostAddress(0)}; do :; done");
        KernelLog.AssertClean(guest);
    }

    private static IPAddress HostAddress(int index) => IPAddress.Parse($"198.18.79.{(4 * index) + 1}");

    private static IPAddress GuestAddress(int index) => IPAddress.Parse($"198.18.79.{(4 * index) + 2}");
}
