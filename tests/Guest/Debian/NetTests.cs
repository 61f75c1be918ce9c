using System;
using System.IO;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Threading.Tasks;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Debian;

/// <summary>A network interface on a tap of the host, with Debian's own driver.</summary>
public sealed class NetTests(NetTests.Shared shared) : IClassFixture<NetTests.Shared>
{
    private const string Mac = "52:54:00:00:77:02";
    private const int Bytes = 8 << 20;

    // Of the range for measurements (RFC 2544), so that it is nobody's.
    private static readonly IPAddress HostAddress = IPAddress.Parse("198.18.77.1");
    private static readonly IPAddress GuestAddress = IPAddress.Parse("198.18.77.2");

    public sealed class Shared : SharedGuest
    {
        private bool _configured;

        public static string Tap { get; } = $"stg{Environment.ProcessId}";

        internal override GuestOptions Options
        {
            get
            {
                Command.Check("ip", "tuntap", "add", Tap, "mode", "tap");
                Command.Check("ip", "addr", "add", $"{HostAddress}/30", "dev", Tap);
                Command.Check("ip", "link", "set", Tap, "up");
                return new() { More = ["-iothread", "id=net", "-netdev", $"tap,id=n0,ifname={Tap}", "-device", $"virtio-net-device,netdev=n0,mac={Mac},iothread=net"] };
            }
        }

        /// <summary>The guest, its interface up.</summary>
        internal DebianGuest Online()
        {
            DebianGuest guest = Guest;
            if (!_configured)
            {
                guest.Check($"modprobe virtio_net; busybox ip addr add {GuestAddress}/30 dev eth0 && busybox ip link set eth0 up");
                _configured = true;
            }

            return guest;
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
    public async Task Bytes_arrive_in_the_guest_as_they_were()
    {
        DebianGuest guest = shared.Online();
        byte[] data = RandomNumberGenerator.GetBytes(Bytes);
        using TcpListener listener = new(HostAddress, 0);
        listener.Start();
        Task sending = Task.Run(() =>
        {
            using TcpClient client = listener.AcceptTcpClient();
            client.GetStream().Write(data);
        });
        string sum = guest.Check($"busybox nc {HostAddress} {((IPEndPoint)listener.LocalEndpoint).Port} </dev/null | busybox md5sum", DebianGuest.Limit);
        Assert.Equal(Convert.ToHexStringLower(MD5.HashData(data)), sum.Split(' ')[0]);
        await sending.WaitAsync(DebianGuest.Limit, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Bytes_arrive_at_the_host_as_they_were()
    {
        DebianGuest guest = shared.Online();
        using TcpListener listener = new(HostAddress, 0);
        listener.Start();
        Task<byte[]> receiving = Task.Run(() =>
        {
            using TcpClient client = listener.AcceptTcpClient();
            using MemoryStream all = new();
            client.GetStream().CopyTo(all);
            return all.ToArray();
        });
        guest.Check($"busybox dd if=/dev/urandom of=/tmp/sent bs=64k count={Bytes >> 16} 2>/dev/null");
        string sum = guest.Check("busybox md5sum </tmp/sent");
        guest.Check($"busybox nc {HostAddress} {((IPEndPoint)listener.LocalEndpoint).Port} </tmp/sent", DebianGuest.Limit);
        byte[] received = await receiving.WaitAsync(DebianGuest.Limit, TestContext.Current.CancellationToken);
        Assert.Equal(Bytes, received.Length);
        Assert.Equal(sum.Split(' ')[0], Convert.ToHexStringLower(MD5.HashData(received)));
    }

    [Fact]
    public void Without_its_tap_the_link_is_down_and_the_guest_lives()
    {
        DebianGuest guest = shared.Online();
        KernelLog.AssertClean(guest);
        Command.Check("ip", "link", "del", Shared.Tap);
        guest.Check("until [ \"$(cat /sys/class/net/eth0/carrier)\" = 0 ]; do usleep 100000; done");
        guest.Engine.Errors.WaitFor($"'{Shared.Tap}' has gone", 0, DebianGuest.Limit);
        guest.PowerOff();
    }
}
