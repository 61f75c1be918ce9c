using System;
using System.Collections.Generic;
using System.Text.RegularExpressions;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Seeds;

/// <summary>Seed 003, 管理虚拟机 (VM management): each exchange of its microVM, as printed, against a Debian guest.</summary>
/// <remarks>Snapshots (虚拟机内存快照) aren't built yet: docs/seed-errata.md.</remarks>
public sealed class Seed003Tests(Seed003Tests.Shared shared) : IClassFixture<Seed003Tests.Shared>
{
    public sealed class Shared : IDisposable
    {
        private string? _failure;
        private EngineProcess? _engine;
        private PrintedExchange? _qmp;

        internal string Tap { get; } = $"sts{Environment.ProcessId}";

        internal string Bridge { get; } = $"qbr{Environment.ProcessId}";

        internal string Disk { get; } = TestHost.NewDisk("block", 16 << 20);

        internal EngineProcess Engine
        {
            get
            {
                TestHost.RequireGuests();
                Assert.True(_failure is null, _failure);
                return _engine ??= Boot();
            }
        }

        internal PrintedExchange Qmp => _qmp ??= Connect();

        /// <summary>The path of QMP's socket.</summary>
        internal string Socket { get; } = TestHost.NewPath("socket");

        public void Dispose()
        {
            _qmp?.Dispose();
            _engine?.Dispose();
            _ = Command.Run(DebianGuest.Limit, "ip", "link", "del", Tap);
            _ = Command.Run(DebianGuest.Limit, "ip", "link", "del", Bridge);
        }

        // 恢复虚拟机: "假设制作快照所使用的虚拟机是通过以下命令创建的". Debian's kernel has its drivers in an initrd.
        private EngineProcess Boot()
        {
            List<string> arguments = Printed.Arguments(
                """
                $ stratovirt \
                    -machine microvm \
                    -kernel /path/to/kernel \
                    -smp 1 -m 1024 \
                    -append "console=ttyS0 pci=off reboot=k quiet panic=1 root=/dev/vda" \
                    -drive file=/path/to/rootfs,id=rootfs,readonly=off,direct=off \
                    -device virtio-blk-device,drive=rootfs \
                    -qmp unix:/path/to/socket,server,nowait \
                    -serial stdio
                """,
                ("/path/to/kernel", TestHost.CloudKernel),
                ("/path/to/rootfs", TestHost.NewRoot()),
                ("/path/to/socket", Socket));
            EngineProcess engine = Printed.Start([.. arguments, "-initrd", TestHost.CloudInitrd]);
            try
            {
                engine.Output.WaitFor("strato login:", 0, DebianGuest.Limit);
                engine.Input.Write("root\n"u8);
                engine.Input.Flush();
                engine.Output.WaitFor(DebianGuest.Prompt, 0, DebianGuest.Limit);
                return engine;
            }
            catch (Exception error)
            {
                _failure = $"the guest did not boot: {error.Message}";
                engine.Dispose();
                throw;
            }
        }

        // 连接虚拟机: the greeting; the package is Strato's.
        private PrintedExchange Connect()
        {
            PrintedExchange qmp = new(Socket, Engine);
            Assert.Matches(
                new Regex("""^\{"QMP":\{"version":\{"qemu":\{"micro":1,"minor":0,"major":4\},"package":"strato-[0-9.]+"\},"capabilities":\[\]\}\}$"""),
                qmp.ReadLine());
            return qmp;
        }

        /// <summary>Runs a command in the guest, which must print a text.</summary>
        internal void Check(string command, string printed)
        {
            int from = Engine.Output.Length;
            Engine.Input.Write(System.Text.Encoding.Latin1.GetBytes($"echo '@@'$({command})'@@'\n"));
            Engine.Input.Flush();
            Engine.Output.WaitFor($"@@{printed}@@", from, DebianGuest.Limit);
            Engine.Output.WaitFor(DebianGuest.Prompt, from, DebianGuest.Limit);
        }
    }

    // 查询虚拟机信息: 查询状态. The seed's last brace is missing in print.
    [Fact]
    public void Query_status() => shared.Qmp.Play(
        """
        <- { "execute": "query-status" }
        -> { "return": { "running": true,"singlestep": false,"status": "running" } }
        """);

    // 查询拓扑 and 查询vCPU上线情况: two vCPUs, each a socket.
    [Fact]
    public void Query_cpus_and_hotpluggable_cpus()
    {
        TestHost.RequireGuests();
        string socket = TestHost.NewPath("socket");
        using EngineProcess engine = Printed.Start(["-kernel", TestHost.CloudKernel, "-smp", "2", "-qmp", $"unix:{socket},server,nowait"]);
        using PrintedExchange qmp = new(socket, engine);
        _ = qmp.ReadLine();
        qmp.Play("""
            <- { "execute": "query-cpus" }
            -> {"return":[{"CPU":0,"arch":"x86","current":true,"halted":false,"props":{"core-id":0,"socket-id":0,"thread-id":0},"qom_path":"/machine/unattached/device[0]","thread_id":8439},{"CPU":1,"arch":"x86","current":true,"halted":false,"props":{"core-id":0,"socket-id":1,"thread-id":0},"qom_path":"/machine/unattached/device[1]","thread_id":8440}]}
            <- { "execute": "query-hotpluggable-cpus" }
            -> {"return":[{"props":{"core-id":0,"socket-id":0,"thread-id":0},"qom-path":"/machine/unattached/device[0]","type":"host-x86-cpu","vcpus-count":1},{"props":{"core-id":0,"socket-id":1,"thread-id":0},"qom-path":"/machine/unattached/device[1]","type":"host-x86-cpu","vcpus-count":1}]}
            """);

        // 退出虚拟机: "ds" is printed for seconds.
        qmp.Play("""
            <- {"execute":"quit"}
            -> {"return":{}}
            -> {"event":"SHUTDOWN","data":{"guest":false,"reason":"host-qmp-quit"},"timestamp":{"ds":1590563776,"microseconds":519808}}
            """);
        qmp.WaitEnd();
        engine.WaitExit(0, DebianGuest.Limit);
    }

    // 暂停虚拟机, 恢复虚拟机; 制作快照's question between, whose "running":true is a misprint.
    [Fact]
    public void Stop_and_cont()
    {
        shared.Qmp.Play("""
            <- {"execute":"stop"}
            -> {"event":"STOP","data":{},"timestamp":{"seconds":1583908726,"microseconds":162739}}
            -> {"return":{}}
            <- {"execute":"query-status"}
            -> {"return":{"running":false,"singlestep":false,"status":"paused"}}
            <- {"execute":"cont"}
            -> {"event":"RESUME","data":{},"timestamp":{"seconds":1583908853,"microseconds":411394}}
            -> {"return":{}}
            """);
        shared.Check("echo again", "again");
    }

    // 热插拔磁盘: 轻量机型. "addr" 0x1 is vdb; the file system of the tests may have no O_DIRECT.
    [Fact]
    public void A_disk_is_plugged_in_and_out()
    {
        shared.Qmp.Play(
            """
            <- {"execute": "blockdev-add", "arguments": {"node-name": "drive-0", "file": {"driver": "file", "filename": "/path/to/block"}, "cache": {"direct": true}, "read-only": false}}
            -> {"return": {}}
            <- {"execute": "device_add", "arguments": {"id": "drive-0", "driver": "virtio-blk-mmio", "addr": "0x1"}}
            -> {"return": {}}
            """,
            ("/path/to/block", shared.Disk));
        shared.Check("until [ $(cat /sys/block/vdb/size) = 32768 ]; do usleep 10000; done; dd if=/dev/zero of=/dev/vdb bs=1M count=16 conv=fsync 2>/dev/null && echo wrote", "wrote");
        shared.Qmp.Play("""
            <- {"execute": "device_del", "arguments": {"id": "drive-0"}}
            -> {"event":"DEVICE_DELETED","data":{"device":"drive-0","path":"drive-0"},"timestamp":{"seconds":1598513162,"microseconds":367129}}
            -> {"return": {}}
            """);
        shared.Check("until [ $(cat /sys/block/vdb/size) = 0 ]; do usleep 10000; done; echo gone", "gone");
    }

    // 热插拔网卡: 轻量机型. addr 0x0 is eth0. The host's preparation is what brctl and ifconfig do in print.
    [Fact]
    public void A_network_interface_is_plugged_in_and_out()
    {
        Command.Check("ip", "link", "add", shared.Bridge, "type", "bridge");
        Command.Check("ip", "link", "set", shared.Bridge, "up");
        Command.Check("ip", "tuntap", "add", shared.Tap, "mode", "tap");
        Command.Check("ip", "link", "set", shared.Tap, "up");
        Command.Check("ip", "link", "set", shared.Tap, "master", shared.Bridge);
        Command.Check("ip", "addr", "add", "198.18.79.1/24", "dev", shared.Bridge);
        shared.Qmp.Play(
            """
            <- {"execute":"netdev_add", "arguments":{"id":"net-0", "ifname":"tap0"}}
            -> {"return": {}}
            <- {"execute":"device_add", "arguments":{"id":"net-0", "driver":"virtio-net-mmio", "addr":"0x0"}}
            -> {"return": {}}
            """,
            ("tap0", shared.Tap));
        shared.Check(
            "modprobe virtio_net; busybox ip addr add 198.18.79.2/24 dev eth0; busybox ip link set eth0 up; until [ $(cat /sys/class/net/eth0/carrier) = 1 ]; do usleep 10000; done; until busybox ping -c 1 -W 5 198.18.79.1 >/dev/null; do :; done; echo reached",
            "reached");
        shared.Qmp.Play("""
            <- {"execute": "device_del", "arguments": {"id": "net-0"}}
            -> {"event":"DEVICE_DELETED","data":{"device":"net-0","path":"net-0"},"timestamp":{"seconds":1598513339,"microseconds":97310}}
            -> {"return": {}}
            """);
        shared.Check("until [ $(cat /sys/class/net/eth0/carrier) = 0 ]; do usleep 10000; done; echo gone", "gone");
    }
}
