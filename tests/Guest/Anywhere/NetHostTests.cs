using System;
using System.IO;
using System.Net;
using System.Net.Sockets;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Anywhere;

/// <summary>What can be wrong with the host's side of a network interface, told by the real program; and passt's end.</summary>
[Trait("Where", "both")]
public sealed class NetHostTests
{
    private static readonly string Tap = $"stb{Environment.ProcessId}";

    public NetHostTests() => TestHost.RequireEngine();

    [Fact]
    public void A_tap_that_is_missing_or_busy()
    {
        RequireTaps();
        CheckRefused([], $"tap,id=n,ifname={Tap}", "TapFailed", $"net 'n': the host has no interface '{Tap}'; 'ip tuntap add {Tap} mode tap'");
        Command.Check("ip", "tuntap", "add", Tap, "mode", "tap");
        try
        {
            using EngineProcess user = Start($"tap,id=n,ifname={Tap}");
            CheckRefused([], $"tap,id=n,ifname={Tap}", "TapFailed", $"net 'n': the tap '{Tap}' is in use by another process");
            CheckRefused([], $"tap,id=n,ifname={Tap},queues=2", "TapFailed", $"net 'n': the interface '{Tap}' isn't a tap with several queues");
        }
        finally
        {
            Command.Check("ip", "link", "del", Tap);
        }
    }

    [Fact]
    public void A_tap_without_permission()
    {
        RequireTaps();
        Command.Check("ip", "tuntap", "add", Tap, "mode", "tap", "user", "65534");
        try
        {
            CheckRefused(["setpriv", "--bounding-set=-all", "--inh-caps=-all"], $"tap,id=n,ifname={Tap}", "TapFailed", $"net 'n': no permission for the tap '{Tap}'; it is its owner's");
        }
        finally
        {
            Command.Check("ip", "link", "del", Tap);
        }
    }

    [Fact]
    public void A_script_that_fails()
    {
        RequireTaps();
        string script = TestHost.NewPath("ifup");
        CheckRefused([], $"tap,id=n,ifname={Tap},script={script}", "TapScriptFailed", $"net 'n': '{script} {Tap}' failed: No such file or directory");
        File.WriteAllText(script, "#!/bin/sh\necho no bridge for $1 >&2\nexit 3\n");
        Command.Check("chmod", "+x", script);
        CheckRefused([], $"tap,id=n,ifname={Tap},script={script}", "TapScriptFailed", $"net 'n': '{script} {Tap}' failed: exit code 3: no bridge for {Tap}");
    }

    [Fact]
    public void Passt_that_is_missing()
    {
        CheckRefused(["env", "PATH=/nonexistent"], "user,id=n", "PasstNotFound", "which isn't on PATH; Debian has it in the package 'passt'");
    }

    [Fact]
    public void Passt_that_fails()
    {
        RequirePasst();
        using TcpListener taken = new(IPAddress.Loopback, 0);
        taken.Start();
        CheckRefused([], $"user,id=n,hostfwd=tcp:127.0.0.1:{Port(taken)}-:22", "PasstFailed", "can't serve: exit code 1: ");
    }

    [Fact]
    public void A_stream_that_nobody_serves()
    {
        string path = TestHost.NewPath("stream");
        CheckRefused([], $"stream,id=n,addr.type=unix,addr.path={path}", "StreamFailed", $"net 'n': there is no socket '{path}'");
    }

    [Fact]
    public void A_kernel_without_vhost()
    {
        RequireTaps();
        Assert.SkipWhen(File.Exists("/dev/vhost-net"), "there is vhost-net here");
        Command.Check("ip", "tuntap", "add", Tap, "mode", "tap");
        try
        {
            CheckRefused([], $"tap,id=n,ifname={Tap},vhost=on", "VhostUnavailable", "net 'n': /dev/vhost-net isn't there; 'modprobe vhost_net' loads the kernel's part of it");
        }
        finally
        {
            Command.Check("ip", "link", "del", Tap);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Passt_ends_with_the_engine_however_it_ends(bool killed)
    {
        RequirePasst();
        int port;
        using (TcpListener free = new(IPAddress.Loopback, 0))
        {
            free.Start();
            port = Port(free);
        }

        using EngineProcess engine = Start($"user,id=n,hostfwd=tcp:127.0.0.1:{port}-:22");
        using TcpClient client = new();
        client.Connect(IPAddress.Loopback, port);
        client.ReceiveTimeout = 60_000;
        if (killed)
        {
            engine.Kill();
        }
        else
        {
            Command.Check("kill", "-TERM", $"{engine.Id}");
            engine.WaitExit(0, TimeSpan.FromSeconds(60));
        }

        int read = 0;
        SocketError error = SocketError.Success;
        try
        {
            read = client.Client.Receive(new byte[1]);
        }
        catch (SocketException e)
        {
            error = e.SocketErrorCode;
        }

        // The kernel closes the connection when passt has gone.
        Assert.Equal(0, read);
        Assert.True(error is SocketError.Success or SocketError.ConnectionReset, $"{error}");
    }

    private static int Port(TcpListener listener) => ((IPEndPoint)listener.LocalEndpoint).Port;

    /// <summary>An engine whose machine halts for ever.</summary>
    private static EngineProcess Start(string netdev)
    {
        EngineProcess engine = EngineProcess.Start("-force", "-kernel", Payload.Make(PayloadEnd.Halt), "-serial", "stdio", "-netdev", netdev);
        engine.Output.WaitFor("hello", 0, TimeSpan.FromSeconds(60));
        return engine;
    }

    private static void CheckRefused(string[] wrapper, string netdev, string id, string message)
    {
        string[] arguments = ["-force", "-kernel", Payload.Make(PayloadEnd.PowerOff), "-netdev", netdev];
        using EngineProcess engine = EngineProcess.StartBy(wrapper, arguments);
        EngineError error = engine.WaitError();
        Assert.Equal(id, error.Id);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.StartsWith("-netdev", error.Where, StringComparison.Ordinal);
    }

    private static void RequireTaps() =>
        Assert.SkipUnless(Environment.IsPrivilegedProcess && File.Exists("/dev/net/tun"), "needs root and /dev/net/tun");

    private static void RequirePasst()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/passt"), "needs passt");
        Assert.SkipUnless(Command.Check("ip", "-4", "route", "show", "default").Trim().Length > 0, "this passt needs a way out of the host");
    }
}
