using System;
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Threading.Tasks;
using Xunit;

namespace Strato.Tests.Guest.Harness;

/// <summary>Random bytes by TCP between host and guest, whose sums are compared.</summary>
internal static class Transfer
{
    /// <summary>The guest downloads from a server of the host, keeps what it got, and sends it back.</summary>
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
        string sum = guest.Check($"busybox nc {seen} {port} </dev/null >/tmp/data; busybox md5sum </tmp/data", DebianGuest.Limit);
        await sending.WaitAsync(DebianGuest.Limit, TestContext.Current.CancellationToken);
        Assert.Equal(Convert.ToHexStringLower(MD5.HashData(data)), sum.Split(' ')[0]);

        Task<byte[]> receiving = Task.Run(() =>
        {
            using TcpClient client = listener.AcceptTcpClient();
            using MemoryStream all = new(bytes);
            client.GetStream().CopyTo(all);
            return all.ToArray();
        });
        guest.Check($"busybox nc {seen} {port} </tmp/data; rm /tmp/data", DebianGuest.Limit);
        byte[] received = await receiving.WaitAsync(DebianGuest.Limit, TestContext.Current.CancellationToken);
        Assert.True(data.AsSpan().SequenceEqual(received), $"{received.Length} bytes came back of {bytes}, or others");
    }
}
