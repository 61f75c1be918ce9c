using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Anywhere;

/// <summary>An engine that has used up its descriptors refuses who comes, and its machine runs on.</summary>
[Trait("Where", "anywhere")]
public sealed class DescriptorLimitTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly string _socket = TestHost.NewPath("console");

    public DescriptorLimitTests()
    {
        TestHost.RequireKvm();
    }

    [Fact]
    public void Console_client_takes_one_descriptor_and_is_refused_without_it()
    {
        using EngineProcess engine = EngineProcess.Start("-force", "-kernel", Payload.Make(PayloadEnd.Echo), "-serial", $"console,socket={_socket}");
        engine.Errors.WaitFor(new Regex("kernel format: "), 0, Limit);
        using StreamReader first = Follow();
        Assert.Equal("hello", first.ReadLine());

        // One number is left.
        int[] used = [.. Directory.GetFiles($"/proc/{engine.Id}/fd").Select(name => int.Parse(Path.GetFileName(name), CultureInfo.InvariantCulture))];
        int[] free = [.. Enumerable.Range(0, used.Length + 2).Except(used).Take(2)];
        Command.Check("prlimit", "--pid", $"{engine.Id}", $"--nofile={free[1]}:");
        using StreamReader second = Follow();
        Assert.Equal("hello", second.ReadLine());
        using (StreamReader refused = Connect())
        {
            Assert.Null(refused.ReadLine());
        }

        Command.Check("prlimit", "--pid", $"{engine.Id}", "--nofile=256:");
        using StreamReader third = Follow();
        Assert.Equal("hello", third.ReadLine());
        Assert.False(engine.HasExited);
    }

    private StreamReader Connect()
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = (int)Limit.TotalMilliseconds };
        socket.Connect(new UnixDomainSocketEndPoint(_socket));
        return new StreamReader(new NetworkStream(socket, ownsSocket: true));
    }

    private StreamReader Follow()
    {
        StreamReader reader = Connect();
        reader.BaseStream.Write("{\"mode\":\"follow\",\"from\":\"start\"}\n"u8);
        Assert.StartsWith("{\"offset\":0,", reader.ReadLine(), StringComparison.Ordinal);
        return reader;
    }
}
