using System;
using System.Diagnostics;
using System.IO;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Strato.Tests.Guest.Harness;
using Xunit;
using static Strato.Tests.Guest.Harness.Ballooning;

namespace Strato.Tests.Guest.Debian;

/// <summary>One guest with rng, vsock, console, a named port and balloon, driven by Debian's own drivers.</summary>
public sealed class DeviceTests(DeviceTests.Shared shared) : IClassFixture<DeviceTests.Shared>
{
    private const int Cid = 77;
    private const long Memory = 512L << 20;
    private const string PortName = "org.strato.test.0";
    private const string AgentName = "org.qemu.guest_agent.0";

    /// <summary>There and back again.</summary>
    private const int Bytes = 1_000_000;

    /// <summary>The same through a socket of vsock that the host opens; repetitions send as much the other way.</summary>
    private const int ManyBytes = 100_000_000;

    private static readonly TimeSpan TransferLimit = TimeSpan.FromSeconds(240) * TestHost.Patience;

    public sealed class Shared : SharedGuest
    {
        private GuestOptions? _options;

        internal string ConsoleSocket { get; } = TestHost.NewPath("hvc");

        internal string PortSocket { get; } = TestHost.NewPath("port");

        internal string AgentSocket { get; } = TestHost.NewPath("agent");

        internal VsockTool Tool { get; } = new();

        internal override GuestOptions Options => _options ??= new()
        {
            Memory = "512M",
            Disks = [new Disk(Tool.Make(), ReadOnly: true), .. DebianTools.Disks],
            More =
            [
                "-device", "virtio-rng-device",
                "-device", $"vhost-vsock-device,guest-cid={Cid}",
                "-device", "virtio-serial-device,max_ports=5",
                "-chardev", $"socket,id=hvc,path={ConsoleSocket},server,nowait", "-device", "virtconsole,chardev=hvc",
                "-chardev", $"socket,id=port,path={PortSocket},server,nowait", "-device", $"virtserialport,chardev=port,name={PortName}",
                "-chardev", $"socket,id=agent,path={AgentSocket},server,nowait", "-device", $"virtserialport,chardev=agent,name={AgentName}",
                "-device", "virtio-balloon-device,id=balloon,deflate-on-oom=on,free-page-reporting=on",
            ],
        };
    }

    [Fact]
    public void Random_bytes_come_from_the_host()
    {
        DebianGuest guest = shared.Guest;
        Assert.Equal("virtio_rng.0", guest.Check("cat /sys/class/misc/hw_random/rng_current"));
        Assert.Equal("10000", guest.Check("dd if=/dev/hwrng bs=1000 count=10 iflag=fullblock 2>/dev/null | wc -c"));
        Assert.NotEqual(guest.Check("head -c 64 /dev/hwrng | md5sum"), guest.Check("head -c 64 /dev/hwrng | md5sum"));
    }

    [Fact]
    public void A_shell_answers_on_hvc0()
    {
        _ = shared.Guest;
        using NetworkStream stream = Connect(shared.ConsoleSocket);
        ByteLog console = new("hvc0", stream);
        stream.Write("\necho hvc0-$((6*7))\n"u8);
        console.WaitFor("hvc0-42", 0, DebianGuest.Limit);
    }

    [Fact]
    public void A_named_port_carries_bytes_both_ways()
    {
        DebianGuest guest = shared.Guest;
        using NetworkStream stream = Connect(shared.PortSocket);
        string port = PortOf(guest, PortName);

        // Without somebody on the host's side Linux reads an end from a port.
        guest.Check($"mount -t debugfs none /sys/kernel/debug; until grep -q 'host_connected: 1' /sys/kernel/debug/virtio-ports/{port}; do true; done");
        guest.Check($"(head -c {Bytes} /dev/{port} >/tmp/in; cat /tmp/in >/dev/{port}) >/dev/null 2>&1 &");
        byte[] sent = new byte[Bytes];
        new Random(1).NextBytes(sent);
        stream.WriteTimeout = stream.ReadTimeout = (int)DebianGuest.Limit.TotalMilliseconds;
        stream.Write(sent);
        byte[] back = new byte[Bytes];
        stream.ReadExactly(back);
        Assert.Equal(SHA256.HashData(sent), SHA256.HashData(back));
    }

    /// <summary>Three times: on a new socket, on the same one again, and while the guest writes what nobody reads.</summary>
    [Fact]
    public void A_port_comes_and_goes_while_the_guest_runs()
    {
        DebianGuest guest = shared.Guest;
        guest.Check("mkdir -p /sys/kernel/debug; grep -q debugfs /proc/mounts || mount -t debugfs none /sys/kernel/debug");
        string path = TestHost.NewPath("plug");
        JsonObject backend = new() { ["type"] = "socket", ["data"] = new JsonObject { ["addr"] = new JsonObject { ["type"] = "unix", ["data"] = new JsonObject { ["path"] = path } }, ["server"] = true, ["wait"] = false } };
        guest.Qmp.Call("chardev-add", new JsonObject { ["id"] = "plug", ["backend"] = backend });
        string node = guest.Check("echo /dev/$(basename $(dirname $(grep -lx " + PortName + " /sys/class/virtio-ports/*/name)) | sed 's/p[0-9]*$/p4/')");
        Assert.Matches("^/dev/vport[0-9]+p4$", node);
        string port = Path.GetFileName(node);
        for (int round = 0; round < 3; round++)
        {
            guest.Check($"[ ! -e {node} ]");
            guest.Qmp.Call("device_add", new JsonObject { ["driver"] = "virtserialport", ["id"] = "plugged", ["chardev"] = "plug", ["nr"] = 4, ["name"] = $"org.strato.plug.{round}" });
            guest.Check($"until [ -c {node} ] && grep -qx org.strato.plug.{round} /sys/class/virtio-ports/{port}/name; do true; done");
            using (NetworkStream stream = Connect(path))
            {
                guest.Check($"until grep -q 'host_connected: 1' /sys/kernel/debug/virtio-ports/{port}; do true; done");
                guest.Check($"( (head -c {Bytes} {node} >/tmp/in; cat /tmp/in >{node}) >/dev/null 2>&1 & )");
                byte[] sent = new byte[Bytes];
                new Random(round).NextBytes(sent);
                stream.WriteTimeout = stream.ReadTimeout = (int)DebianGuest.Limit.TotalMilliseconds;
                stream.Write(sent);
                byte[] back = new byte[Bytes];
                stream.ReadExactly(back);
                Assert.Equal(SHA256.HashData(sent), SHA256.HashData(back));
                if (round == 2)
                {
                    guest.Check($"rm -f /tmp/ended; ( (cat /dev/zero >{node}; echo $? >/tmp/ended) >/dev/null 2>&1 & ); until grep -q 'guest_connected: 1' /sys/kernel/debug/virtio-ports/{port}; do true; done");
                }

                guest.Qmp.Call("device_del", new JsonObject { ["id"] = "plugged" });
                guest.Qmp.WaitEvent("DEVICE_DELETED");
            }

            guest.Check($"while [ -e {node} ]; do true; done");
        }

        Assert.Equal("1", guest.Check("until [ -s /tmp/ended ]; do true; done; cat /tmp/ended"));
        guest.Qmp.Call("chardev-remove", new JsonObject { ["id"] = "plug" });
        Assert.False(File.Exists(path));
        KernelLog.AssertClean(guest);
    }

    /// <summary>Debian's agent with Debian's libraries, without Debian's minutes of systemd.</summary>
    [Fact]
    public void The_guest_agent_answers_on_its_port()
    {
        DebianTools.Require();
        DebianGuest guest = shared.Guest;
        DebianTools.Mount(guest, "vdb");
        guest.Check($"chroot /debian qemu-ga -m virtio-serial -p /dev/{PortOf(guest, AgentName)} -t /run -f /run/qga.pid -d");
        using NetworkStream stream = Connect(shared.AgentSocket);
        ByteLog agent = new("the guest agent", stream);
        stream.Write("{\"execute\":\"guest-sync\",\"arguments\":{\"id\":4711}}\n"u8);
        int from = agent.WaitFor("{\"return\": 4711}\n", 0, DebianGuest.Limit);
        stream.Write("{\"execute\":\"guest-ping\"}\n"u8);
        agent.WaitFor("{\"return\": {}}\n", from, DebianGuest.Limit);
    }

    [Fact]
    public void Sockets_connect_host_and_guest_both_ways()
    {
        DebianGuest guest = shared.Guest;
        VsockTool.Listen(guest);
        Assert.Equal($"{ManyBytes} bytes", SendToGuest(ManyBytes));

        ProcessStartInfo start = new(shared.Tool.Program, ["echo", "4321"]) { UseShellExecute = false, RedirectStandardOutput = true };
        Command.MarkRun(start);
        using Process echo = Process.Start(start)!;
        try
        {
            Assert.Equal("listening", echo.StandardOutput.ReadLine());
            int bytes = TestHost.Long ? ManyBytes : Bytes;
            Assert.Equal($"{bytes} bytes", guest.Check($"/tmp/vsock send 2 4321 {bytes}", TransferLimit));

            // A pause loses nothing.
            guest.Qmp.Call("stop");
            guest.Qmp.Call("cont");
            Assert.Equal("1000 bytes", guest.Check("/tmp/vsock send 2 4321 1000"));
            Assert.Equal("1000 bytes", SendToGuest(1000));
        }
        finally
        {
            echo.Kill();
        }
    }

    [Fact]
    public void A_cid_that_is_taken_is_refused()
    {
        _ = shared.Guest;
        EngineError error = EngineProcess.Start("-kernel", TestHost.CloudKernel, "-device", $"vsock,id=v,guest-cid={Cid}").WaitError();
        Assert.Equal(("CidTaken", "-device guest-cid"), (error.Id, error.Where));
        Assert.Equal($"vsock 'v': the guest CID {Cid} is taken by another machine; each has its own, 3 to 4294967294", error.Message);
    }

    [Fact]
    public void Free_pages_go_back_to_the_host_by_themselves()
    {
        DebianGuest guest = shared.Guest;
        guest.Check(Fill);
        long full = Resident(guest);
        guest.Check("rm /tmp/fill");
        WaitResident(guest, full - Freed);
    }

    [Fact]
    public void A_guest_out_of_memory_takes_back_what_it_gave()
    {
        DebianGuest guest = shared.Guest;
        SetBalloon(guest, Memory / 2);
        guest.Check(TakeMuch);
        Assert.InRange((long)guest.Qmp.Call("query-balloon")["actual"]!, (Memory / 2) + 1, Memory);
        SetBalloon(guest, Memory);
        KernelLog.AssertClean(guest);
    }

    [Fact]
    public void The_guest_tells_of_its_memory()
    {
        DebianGuest guest = shared.Guest;
        JsonObject path = new() { ["path"] = "/machine/peripheral/balloon", ["property"] = "guest-stats-polling-interval", ["value"] = 1 };
        guest.Qmp.Call("qom-set", path);
        JsonNode stats;
        long deadline = Environment.TickCount64 + (long)DebianGuest.Limit.TotalMilliseconds;
        do
        {
            guest.Check("true");
            stats = guest.Qmp.Call("qom-get", new JsonObject { ["path"] = "balloon", ["property"] = "guest-stats" });
            Assert.True(Environment.TickCount64 < deadline, stats.ToJsonString());
        }
        while ((long)stats["last-update"]! == 0 || (long)stats["stats"]!["stat-total-memory"]! <= 0);
        long told = (long)stats["stats"]!["stat-total-memory"]! >> 10;
        Assert.InRange(told, 300 << 10, 512 << 10);
        guest.Qmp.Call("qom-set", new JsonObject { ["path"] = "balloon", ["property"] = "guest-stats-polling-interval", ["value"] = 0 });
    }

    [Fact]
    public void After_a_reset_they_work_again()
    {
        DebianGuest guest = shared.Guest;
        int from = guest.Console.Length;
        guest.Qmp.Call("system_reset");
        guest.WaitShell(from);
        Assert.Equal("1000", guest.Check("head -c 1000 /dev/hwrng | wc -c"));
        VsockTool.Listen(guest);
        Assert.Equal("1000 bytes", SendToGuest(1000));
        using NetworkStream stream = Connect(shared.PortSocket);
        ByteLog port = new("the port", stream);
        guest.Check($"echo again >/dev/{PortOf(guest, PortName)}");
        port.WaitFor("again\n", 0, DebianGuest.Limit);
        SetBalloon(guest, Memory - (64 << 20));
        SetBalloon(guest, Memory);
        KernelLog.AssertClean(guest);
    }

    private string SendToGuest(int bytes) => shared.Tool.SendToGuest(Cid, bytes, TransferLimit);

    private static string PortOf(DebianGuest guest, string name) => guest.Check($"basename $(dirname $(grep -lx {name} /sys/class/virtio-ports/*/name))");

    private static NetworkStream Connect(string path)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(path));
        return new NetworkStream(socket, ownsSocket: true);
    }
}
