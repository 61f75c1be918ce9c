using System;
using System.Diagnostics;
using System.IO;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Debian;

/// <summary>One guest with rng, vsock, console, a named port and balloon, driven by Debian's own drivers.</summary>
public sealed class DeviceTests(DeviceTests.Shared shared) : IClassFixture<DeviceTests.Shared>
{
    private const int Cid = 77;
    private const long Memory = 512L << 20;
    private const string PortName = "org.strato.test.0";

    /// <summary>For a transfer between host and guest.</summary>
    private const int TransferBytes = 1_000_000;

    public sealed class Shared : SharedGuest
    {
        private GuestOptions? _options;

        internal string ConsoleSocket { get; } = TestHost.NewPath("hvc");

        internal string PortSocket { get; } = TestHost.NewPath("port");

        internal string Tool { get; } = TestHost.NewDiskPath("vsock");

        internal override GuestOptions Options => _options ??= new()
        {
            Memory = "512M",
            Disks = [new Disk(MakeTool(), ReadOnly: true)],
            More =
            [
                "-device", "virtio-rng-device",
                "-device", $"vhost-vsock-device,guest-cid={Cid}",
                "-device", "virtio-serial-device",
                "-chardev", $"socket,id=hvc,path={ConsoleSocket},server,nowait", "-device", "virtconsole,chardev=hvc",
                "-chardev", $"socket,id=port,path={PortSocket},server,nowait", "-device", $"virtserialport,chardev=port,name={PortName}",
                "-device", "virtio-balloon-device,id=balloon,deflate-on-oom=on,free-page-reporting=on",
            ],
        };

        /// <summary>The program of both sides, which the guest reads from a disk.</summary>
        private string MakeTool()
        {
            Command.Check("gcc", "-O2", "-static", "-o", Tool, Path.Combine(TestHost.Repository, "tests/Guest/Harness/vsock.c"));
            string disk = Tool + ".img";
            File.Copy(Tool, disk);
            using FileStream image = new(disk, FileMode.Open);
            image.SetLength((image.Length + 4095) / 4096 * 4096);
            return disk;
        }
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
        string port = guest.Check($"basename $(dirname $(grep -l {PortName} /sys/class/virtio-ports/*/name))");
        guest.Check($"rm -f /tmp/in; (head -c {TransferBytes} /dev/{port} >/tmp/in; cat /tmp/in >/dev/{port}; echo @@'done') >/tmp/log 2>&1 &");
        byte[] sent = new byte[TransferBytes];
        new Random(1).NextBytes(sent);
        using NetworkStream stream = Connect(shared.PortSocket);
        stream.Write(sent);
        byte[] back = new byte[TransferBytes];
        stream.ReadTimeout = (int)DebianGuest.Limit.TotalMilliseconds;
        stream.ReadExactly(back);
        Assert.Equal(SHA256.HashData(sent), SHA256.HashData(back));
    }

    [Fact]
    public void Sockets_connect_host_and_guest_both_ways()
    {
        DebianGuest guest = shared.Guest;
        guest.Check("cat /dev/vda >/tmp/vsock && chmod +x /tmp/vsock");
        guest.Check("mkfifo /tmp/ready; /tmp/vsock echo 1234 >/tmp/ready & read line </tmp/ready; [ \"$line\" = listening ]");
        Assert.Equal($"{TransferBytes} bytes", Command.Check(shared.Tool, "send", $"{Cid}", "1234", $"{TransferBytes}").Trim());

        ProcessStartInfo start = new(shared.Tool, ["echo", "4321"]) { UseShellExecute = false, RedirectStandardOutput = true };
        Command.MarkRun(start);
        using Process echo = Process.Start(start)!;
        try
        {
            Assert.Equal("listening", echo.StandardOutput.ReadLine());
            Assert.Equal($"{TransferBytes} bytes", guest.Check($"/tmp/vsock send 2 4321 {TransferBytes}"));

            // A pause loses nothing.
            guest.Qmp.Call("stop");
            guest.Qmp.Call("cont");
            Assert.Equal("1000 bytes", guest.Check("/tmp/vsock send 2 4321 1000"));
            Assert.Equal("1000 bytes", Command.Check(shared.Tool, "send", $"{Cid}", "1234", "1000").Trim());
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
    public void The_balloon_gives_half_the_memory_back_and_takes_it_again()
    {
        DebianGuest guest = shared.Guest;

        // Memory that the guest has touched and freed is the host's only when the balloon or a report gives it back.
        guest.Check("dd if=/dev/zero of=/tmp/fill bs=1M count=250 2>/dev/null");
        long full = Resident(guest);
        guest.Check("rm /tmp/fill");
        SetBalloon(guest, Memory / 2);
        long half = Resident(guest);
        Assert.True(full - half > 150 << 10, $"{full} KiB resident before, {half} after");
        guest.Check("[ $(awk '/^MemTotal/ {print $2}' /proc/meminfo) -gt 0 ]");

        SetBalloon(guest, Memory);
        guest.Check("dd if=/dev/zero of=/tmp/fill bs=1M count=250 2>/dev/null && rm /tmp/fill");
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

    private static void SetBalloon(DebianGuest guest, long bytes)
    {
        guest.Qmp.Call("balloon", new JsonObject { ["value"] = bytes });
        while ((long)guest.Qmp.Call("query-balloon")["actual"]! != bytes)
        {
            guest.Qmp.WaitEvent("BALLOON_CHANGED");
        }
    }

    /// <summary>KiB of the engine's memory that the host holds.</summary>
    private static long Resident(DebianGuest guest) =>
        long.Parse(Regex.Match(File.ReadAllText($"/proc/{guest.Engine.Id}/status"), @"VmRSS:\s+(\d+) kB").Groups[1].ValueSpan, null);

    private static NetworkStream Connect(string path)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(path));
        return new NetworkStream(socket, ownsSocket: true);
    }
}
