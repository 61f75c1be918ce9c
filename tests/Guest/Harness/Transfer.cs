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
    /// <summary>Bytes each way over a tap; in the long run as many as a file to download has.</summary>
    public static int Bytes => TestHost.Long ? 50 << 20 : 8 << 20;

    /// <summary>The guest downloads pieces from a server of the host, one a connection, and sends the whole back at once.</summary>
    /// <remarks>
    /// A piece fits into the first window of a connection. Debian 12's passt sets TCP_WINDOW_CLAMP, by which newer kernels keep
    /// a window that is zero at that moment closed for ever: a download that is faster than its guest stalls, under QEMU as well.
    /// </remarks>
    public static async Task InPieces(DebianGuest guest, IPAddress listen, IPAddress seen, int pieces)
    {
        const int PieceBytes = 32 << 10;
        byte[] data = RandomNumberGenerator.GetBytes(pieces * PieceBytes);
        using TcpListener listener = new(listen, 0);
        listener.Start();
        string port = $"{((IPEndPoint)listener.LocalEndpoint).Port}";
        Task sending = Task.Run(() =>
        {
            for (int piece = 0; piece < pieces; piece++)
            {
                using TcpClient client = listener.AcceptTcpClient();
                client.GetStream().Write(data, piece * PieceBytes, PieceBytes);
            }
        });
        string sum = guest.Check($"for i in $(busybox seq {pieces}); do busybox nc {seen} {port} </dev/null; done >/tmp/data; busybox md5sum </tmp/data", DebianGuest.Limit);
        await sending.WaitAsync(DebianGuest.Limit, TestContext.Current.CancellationToken);
        Assert.Equal(Convert.ToHexStringLower(MD5.HashData(data)), sum.Split(' ')[0]);
        await Back(guest, listener, seen, data);
    }

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
        await Back(guest, listener, seen, data);
    }

    private static async Task Back(DebianGuest guest, TcpListener listener, IPAddress seen, byte[] data)
    {
        Task<byte[]> receiving = Task.Run(() =>
        {
            using TcpClient client = listener.AcceptTcpClient();
            using MemoryStream all = new(data.Length);
            client.GetStream().CopyTo(all);
            return all.ToArray();
        });
        guest.Check($"busybox nc {seen} {((IPEndPoint)listener.LocalEndpoint).Port} </tmp/data; rm /tmp/data", DebianGuest.Limit);
        byte[] received = await receiving.WaitAsync(DebianGuest.Limit, TestContext.Current.CancellationToken);
        Assert.True(data.AsSpan().SequenceEqual(received), $"{received.Length} bytes came back of {data.Length}, or others");
    }
}
