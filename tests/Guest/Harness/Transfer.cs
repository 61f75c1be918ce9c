using System;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Threading.Tasks;
using Xunit;

namespace Strato.Tests.Guest.Harness;

/// <summary>Random bytes by TCP between host and guest, whose sums are compared.</summary>
internal static class Transfer
{
    /// <summary>Bytes each way over a tap; in the long run as many as a file to download has.</summary>
    public static int Bytes => TestHost.Long ? 50 << 20 : 8 << 20;

    /// <summary>For one way: a guest whose CPUs share one of a busy host takes minutes.</summary>
    private static readonly TimeSpan Limit = DebianGuest.Limit * 3;

    /// <summary>The guest downloads from a server of the host, keeps what it got, and sends it back.</summary>
    /// <remarks>
    /// Debian 12's passt, under QEMU as well, stalls where the guest's side is closed before all has come, and resets after some ten
    /// seconds what the guest has opened and the host has sent nothing on. So both sides stay open, and the host speaks first.
    /// </remarks>
    /// <param name="guest">With its interface up.</param>
    /// <param name="listen">The host's address.</param>
    /// <param name="seen">What the guest calls it.</param>
    /// <param name="bytes">How many each way.</param>
    public static async Task ThereAndBack(DebianGuest guest, IPAddress listen, IPAddress seen, int bytes)
    {
        byte[] data = RandomNumberGenerator.GetBytes(bytes);
        using TcpListener listener = new(listen, 0);
        listener.Start();
        string port = $"{((IPEndPoint)listener.LocalEndpoint).Port}";
        Task sending = Task.Run(() =>
        {
            using TcpClient client = listener.AcceptTcpClient();
            client.GetStream().Write(data);
        });
        string sum = guest.Check($"[ -p /tmp/open ] || busybox mkfifo /tmp/open; busybox nc {seen} {port} <>/tmp/open >/tmp/data; busybox md5sum </tmp/data", Limit);
        await sending.WaitAsync(Limit, TestContext.Current.CancellationToken);
        Assert.Equal(Convert.ToHexStringLower(MD5.HashData(data)), sum.Split(' ')[0]);
        await Back(guest, listener, seen, data);
    }

    private static async Task Back(DebianGuest guest, TcpListener listener, IPAddress seen, byte[] data)
    {
        Task<byte[]> receiving = Task.Run(() =>
        {
            using TcpClient client = listener.AcceptTcpClient();
            client.GetStream().Write("go\n"u8);
            byte[] all = new byte[data.Length];
            int count = client.GetStream().ReadAtLeast(all, all.Length, throwOnEndOfStream: false);
            return all[..count];
        });
        guest.Check($"busybox nc {seen} {((IPEndPoint)listener.LocalEndpoint).Port} -e sh -c 'read go && cat /tmp/data && {{ read end; rm /tmp/data; }}'", Limit);
        byte[] received = await receiving.WaitAsync(Limit, TestContext.Current.CancellationToken);
        Assert.True(data.AsSpan().SequenceEqual(received), $"{received.Length} bytes came back of {data.Length}, or others");
    }
}
