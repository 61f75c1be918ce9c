using System;
using System.IO;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Debian;

/// <summary>A network interface on a tap of the host, and one by passt, with Debian's own driver.</summary>
public sealed class NetTests(NetTests.Shared shared) : IClassFixture<NetTests.Shared>
{
    private const string Mac = "52:54:00:00:77:02";

    // Of the range for measurements (RFC 2544), so that it is nobody's.
    private static readonly IPAddress HostAddress = IPAddress.Parse("198.18.77.1");
    private static readonly IPAddress GuestAddress = IPAddress.Parse("198.18.77.2");

    public sealed class Shared : SharedGuest
    {
        private bool _configured;

        public static string Tap { get; } = $"stg{Environment.ProcessId}";

        /// <summary>The host's port that leads to the guest's 2222.</summary>
        public static int Port { get; } = FreePort();

        internal WayOut WayOut { get; } = WayOut.Find();

        internal override GuestOptions Options
        {
            get
            {
                Command.Check("ip", "tuntap", "add", Tap, "mode", "tap");
                Command.Check("ip", "addr", "add", $"{HostAddress}/30", "dev", Tap);
                Command.Check("ip", "link", "set", Tap, "up");
                return new()
                {
                    More =
                    [
                        "-iothread", "id=net", "-netdev", $"tap,id=n0,ifname={Tap}", "-device", $"virtio-net-device,netdev=n0,id=net0,mac={Mac},iothread=net",
                        "-netdev", $"user,id=n1,hostfwd=tcp:127.0.0.1:{Port}-:2222",
                    ],
                };
            }
        }

        /// <summary>The guest, its interfaces up.</summary>
        internal DebianGuest Online()
        {
            DebianGuest guest = Guest;
            if (!_configured)
            {
                guest.Check($"modprobe virtio_net; busybox ip addr add {GuestAddress}/30 dev eth0 && busybox ip link set eth0 up");
                guest.Check($"busybox ip addr add {WayOut.Address}/{WayOut.Prefix} dev eth1 && busybox ip link set eth1 up && busybox ip route add default via {WayOut.Gateway}");
                _configured = true;
            }

            return guest;
        }

        private static int FreePort()
        {
            using TcpListener listener = new(IPAddress.Loopback, 0);
            listener.Start();
            return ((IPEndPoint)listener.LocalEndpoint).Port;
        }
    }

    [Fact]
    public void The_driver_takes_address_link_and_offloads()
    {
        DebianGuest guest = shared.Online();
        Assert.Equal(Mac, guest.Check("cat /sys/class/net/eth0/address"));
        Assert.Equal("1", guest.Check("cat /sys/class/net/eth0/carrier"));
        string features = guest.Check("cat /sys/class/net/eth0/device/features");
        foreach (int bit in new[] { 0, 1, 5, 7, 8, 11, 12, 15, 16, 29, 32 })
        {
            Assert.True(features[bit] == '1', $"bit {bit} of {features}");
        }
    }

    [Fact]
    public void Ping_goes_both_ways()
    {
        DebianGuest guest = shared.Online();
        guest.Check($"busybox ping -c 3 {HostAddress}");
        using Ping ping = new();
        Assert.Equal(IPStatus.Success, ping.Send(GuestAddress, 60_000).Status);
        Assert.Equal(IPStatus.Success, ping.Send(GuestAddress, 60_000, new byte[20_000]).Status);
    }

    [Fact]
    public Task Bytes_travel_over_the_tap_as_they_were() => Transfer.ThereAndBack(shared.Online(), HostAddress, HostAddress, Transfer.Bytes);

    [Fact]
    public Task Bytes_travel_by_passt_as_they_were() => Transfer.ThereAndBack(shared.Online(), IPAddress.Loopback, shared.WayOut.Gateway, Transfer.Bytes);

    [Fact]
    public void Passt_tells_the_guest_its_address()
    {
        string told = shared.Online().Check("modprobe af_packet; busybox udhcpc -i eth1 -f -n -q -t 60 -s /bin/true 2>&1");
        Assert.Contains($"lease of {shared.WayOut.Address} obtained", told, StringComparison.Ordinal);
    }

    [Fact]
    public void A_port_of_the_host_leads_to_the_guest()
    {
        DebianGuest guest = shared.Online();
        guest.Check("( echo from the guest | busybox nc -l -p 2222 >/tmp/heard & ); until busybox grep -q ':08AE .* 0A ' /proc/net/tcp /proc/net/tcp6; do usleep 100000; done");
        using TcpClient client = new();
        client.Connect(IPAddress.Loopback, Shared.Port);
        NetworkStream stream = client.GetStream();
        stream.Write("from the host\n"u8);
        client.Client.Shutdown(SocketShutdown.Send);
        using StreamReader reader = new(stream);
        Assert.Equal("from the guest\n", reader.ReadToEnd());
        Assert.Equal("from the host", guest.Check("until [ -s /tmp/heard ]; do usleep 100000; done; cat /tmp/heard"));
    }

    [Fact]
    public void The_link_is_taken_down_and_up()
    {
        DebianGuest guest = shared.Online();
        foreach (string name in new[] { "net0", "n0" })
        {
            guest.Qmp.Call("set_link", new JsonObject { ["name"] = name, ["up"] = false });
            WaitCarrier(guest, "eth0", 0);
            Assert.Equal("1", guest.Check("cat /sys/class/net/eth1/carrier"));
            guest.Qmp.Call("set_link", new JsonObject { ["name"] = name, ["up"] = true });
            WaitCarrier(guest, "eth0", 1);
            guest.Check($"until busybox ping -c 1 -W 5 {HostAddress}; do :; done");
        }
    }

    [Fact]
    public void Without_its_tap_or_passt_the_link_is_down_and_the_guest_lives()
    {
        DebianGuest guest = shared.Online();
        KernelLog.AssertClean(guest);
        Command.Check("ip", "link", "del", Shared.Tap);
        WaitCarrier(guest, "eth0", 0);
        guest.Engine.Errors.WaitFor($"'{Shared.Tap}' has gone", 0, DebianGuest.Limit);
        Command.Check("pkill", "-f", $"^passt .*{Shared.Port}");
        WaitCarrier(guest, "eth1", 0);
        guest.Engine.Errors.WaitFor("'passt' has gone", 0, DebianGuest.Limit);
        Assert.Equal("n1", (string?)guest.Qmp.WaitEvent("NETDEV_STREAM_DISCONNECTED")["data"]!["netdev-id"]);
        guest.PowerOff();
    }

    private static void WaitCarrier(DebianGuest guest, string name, int carrier) =>
        guest.Check($"until [ \"$(cat /sys/class/net/{name}/carrier)\" = {carrier} ]; do usleep 100000; done");
}
