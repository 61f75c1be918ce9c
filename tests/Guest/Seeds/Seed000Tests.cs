using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Seeds;

/// <summary>Seed 000, 虚拟机配置 (VM configuration): its command line, its JSON file, huge pages.</summary>
/// <remarks>Debian's kernel has its drivers in an initrd, which is added wherever the seed's kernel has them built in.</remarks>
public sealed class Seed000Tests
{
    // 命令行配置, 配置示例: -append in several words, a drive that is a disk itself, the older -api-channel.
    [Fact]
    public void The_command_line()
    {
        TestHost.RequireGuests();
        string socket = TestHost.NewPath("stratovirt.socket");
        List<string> arguments = Printed.Arguments(
            """
            $ /path/to/stratovirt \
                -kernel /path/to/vmlinux.bin \
                -append console=ttyS0 root=/dev/vda rw reboot=k panic=1 \
                -drive file=/home/rootfs.ext4,id=rootfs,readonly=false \
                -api-channel unix:/tmp/stratovirt.socket \
                -serial stdio
            """,
            ("/path/to/vmlinux.bin", TestHost.ElfKernel),
            ("/home/rootfs.ext4", TestHost.NewRoot()),
            ("/tmp/stratovirt.socket", socket));
        using EngineProcess engine = Printed.Start([.. arguments, "-initrd", TestHost.CloudInitrd]);
        engine.Output.WaitFor("strato login:", 0, DebianGuest.Limit);
        engine.Input.Write("root\n"u8);
        engine.Input.Flush();
        int from = engine.Output.WaitFor(DebianGuest.Prompt, 0, DebianGuest.Limit);
        engine.Input.Write("grep -c '^/dev/[^ ]* / ext4 rw' /proc/mounts; poweroff\n"u8);
        engine.Input.Flush();
        engine.Output.WaitFor("1\r\n", from, DebianGuest.Limit);
        engine.WaitExit(0, DebianGuest.Limit);
        Assert.False(File.Exists(socket), "the socket is left behind");
    }

    // json配置, 配置示例: all that microvm has in one file, SeedConfiguration.Json.
    [Fact]
    public void The_json_file()
    {
        TestHost.RequireGuests();
        string tap = $"stj{Environment.ProcessId}";
        Command.Check("ip", "tuntap", "add", tap, "mode", "tap");
        Command.Check("ip", "link", "set", tap, "up");
        string console = TestHost.NewPath("console.socket");
        string socket = TestHost.NewPath("stratovirt.socket");
        string file = TestHost.NewPath("config.json");
        File.WriteAllText(file, Printed.Adapt(
            SeedConfiguration.Json,
            ("/path/to/vmlinux.bin", TestHost.CloudKernel),
            ("/path/to/rootfs", TestHost.NewRoot()),
            ("tap0", tap),
            ("/path/to/console.socket", console)));
        List<string> arguments = Printed.Arguments(
            """
            $ /path/to/stratovirt \
                -config /home/config.json \
                -api-channel unix:/tmp/stratovirt.socket
            """,
            ("/home/config.json", file),
            ("/tmp/stratovirt.socket", socket));
        using EngineProcess engine = Printed.Start([.. arguments, "-initrd", TestHost.CloudInitrd]);
        engine.Output.WaitFor("strato login:", 0, DebianGuest.Limit);

        // hvc0, "仅支持单路连接": a log-in there, and all that the file asks for seen from inside.
        using Socket client = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.Connect(new UnixDomainSocketEndPoint(console));
        using NetworkStream stream = new(client);
        ByteLog hvc = new("hvc0", stream);
        stream.Write("\n"u8);
        hvc.WaitFor("login:", 0, DebianGuest.Limit);
        stream.Write("root\n"u8);
        int from = hvc.WaitFor(DebianGuest.Prompt, 0, DebianGuest.Limit);
        stream.Write("modprobe virtio_net; echo \"@@$(nproc) $(cat /sys/block/vda/serial) $(cat /sys/class/net/eth0/address) $(grep -c '^/dev/[^ ]* / ext4 rw' /proc/mounts)@@\"\n"u8);
        hvc.WaitFor("@@2 11111111 0e:90:df:9f:a8:88 1@@", from, DebianGuest.Limit);
        string[] threads = [.. Directory.GetDirectories($"/proc/{engine.Id}/task").Select(task => File.ReadAllText($"{task}/comm").TrimEnd())];
        Assert.Subset(new HashSet<string>(threads), new HashSet<string> { "iothread1", "iothread2", "CPU 0/KVM", "CPU 1/KVM" });
        using PrintedExchange qmp = new(socket, engine);
        _ = qmp.ReadLine();
        qmp.Play("""
            <- {"execute":"quit"}
            -> {"return":{}}
            -> {"event":"SHUTDOWN","data":{"guest":false,"reason":"host-qmp-quit"},"timestamp":{"seconds":1,"microseconds":1}}
            """);
        engine.WaitExit(0, DebianGuest.Limit);
        Command.Check("ip", "link", "del", tap);
    }

    // 大页配置: the command line's -mem-path, and the file's mem_path. The size is a multiple of the page size.
    [Theory]
    [InlineData("-mem-path /page/to/hugepages")]
    [InlineData("""{"machine-config": {"mem_path": "/page/to/hugepages"}}""")]
    public void Huge_pages(string printed)
    {
        TestHost.RequireGuests();
        using HugePages pages = HugePages.Reserve(160);
        string text = Printed.Adapt(printed, ("/page/to/hugepages", pages.Folder));
        string file = TestHost.NewPath("config.json");
        File.WriteAllText(file, text);
        string socket = TestHost.NewPath("socket");
        string[] memory = text.StartsWith('-') ? text.Split(' ') : ["-config", file];
        using EngineProcess engine = Printed.Start([.. memory, "-kernel", TestHost.CloudKernel, "-qmp", $"unix:{socket},server,nowait"]);
        using QmpConnection qmp = QmpConnection.Open(socket, engine);
        Assert.Equal(2 << 20, (int)qmp.Call("query-mem")["page-size"]!);
        qmp.Call("quit");
        engine.WaitExit(0, DebianGuest.Limit);
    }
}
