using System;
using System.Net;
using System.Net.Sockets;
using Strato.Client;
using Strato.Client.Runtime;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Xunit;

namespace Strato.Tests.Unit.Client;

/// <summary>Ports of the host that lead to guests are looked at before passt takes them.</summary>
public sealed class PortProbeTests
{
    [Theory]
    [InlineData("127.0.0.1:", "127.0.0.1", false, "TCP port {0} of 127.0.0.1")]
    [InlineData("", "127.0.0.1", false, "TCP port {0}")]
    [InlineData("", "127.0.0.1", true, "UDP port {0}")]
    [InlineData("127.0.0.1:", "0.0.0.0", false, "TCP port {0} of 127.0.0.1")]
    public void APortThatIsTakenIsNamed(string published, string taken, bool udp, string named)
    {
        using Socket other = new(AddressFamily.InterNetwork, udp ? SocketType.Dgram : SocketType.Stream, udp ? ProtocolType.Udp : ProtocolType.Tcp);
        other.Bind(new IPEndPoint(IPAddress.Parse(taken), 0));
        if (!udp)
        {
            other.Listen();
        }

        int port = ((IPEndPoint)other.LocalEndPoint!).Port;
        PortForward forward = PortForward.ParsePublished($"{published}{port}:80{(udp ? "/udp" : "")}", "");
        StratoException error = ClientFixture.Fails("PortInUse", () => PortProbe.Check([forward], "net0"));
        Assert.Equal(StratoErrorKind.Busy, error.Kind);
        Assert.Equal($"The network adapter 'net0' can't have the host's {string.Format(null, named, port)}: another program, or VM, has it.", error.Message);
        Assert.Contains($":{port}'", error.RecommendedAction, StringComparison.Ordinal);
        other.Dispose();
        PortProbe.Check([forward], "net0");
        PortProbe.Check([forward], "net0");
    }

    [Fact]
    public void AnAddressThatTheHostHasNotIsNamed() => Assert.Contains(
        "of 198.51.100.7: the host has no such address",
        ClientFixture.Fails("PortAddressNotFound", () => PortProbe.Check([PortForward.ParsePublished("198.51.100.7:8080:80", "")], "net0")).Message,
        StringComparison.Ordinal);

    [Fact]
    public void TheOthersProtocolIsAnotherPort()
    {
        using Socket other = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        other.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        PortProbe.Check([PortForward.ParsePublished($"127.0.0.1:{((IPEndPoint)other.LocalEndPoint!).Port}:80", "")], "net0");
    }

    [Fact]
    public void PublishedPortsAreReadAsTheyAreWritten()
    {
        Random random = new(7);
        string[] hosts = ["", "127.0.0.1:", "10.0.0.9:", "[::1]:", "[fe80::1]:"];
        for (int i = 0; i < 1000; i++)
        {
            string text = $"{hosts[random.Next(hosts.Length)]}{random.Next(1, 65536)}:{random.Next(1, 65536)}{(random.Next(2) == 0 ? "/udp" : "")}";
            PortForward forward = PortForward.ParsePublished(text, "");
            Assert.Equal(text, forward.ToPublished());
            Assert.Equal(forward, PortForward.Parse(forward.ToString(), ""));
        }
    }

    [Fact]
    public void WhateverIsWrittenIsReadOrRefused()
    {
        Random random = new(11);
        const string letters = "0123456789:::///[].tcpudx- \0é";
        for (int i = 0; i < 20_000; i++)
        {
            string text = string.Create(random.Next(24), random, static (span, random) =>
            {
                foreach (ref char c in span)
                {
                    c = letters[random.Next(letters.Length)];
                }
            });
            try
            {
                PortForward forward = PortForward.ParsePublished(text, "");
                Assert.True(forward.Port is > 0 and < 65536 && forward.GuestPort is > 0 and < 65536, text);
            }
            catch (UserErrorException e)
            {
                Assert.Equal("InvalidPublish", e.Id);
            }
        }
    }
}
