using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Text.Json;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.Tests.Unit.Driver;
using Strato.Tests.Unit.Net;
using Xunit;

namespace Strato.Tests.Unit.Qmp;

/// <summary>Disks and network interfaces by QMP: the exchanges of seed 003, and an error of its own for each fault, with nothing half-added.</summary>
[Collection(TapCollection.Name)]
public sealed class HotPlugCommandsTests : IDisposable
{
    private const string Done = """{"return":{}}""";

    private readonly QmpHarness _harness = new();
    private readonly TemporaryFile _file = new(1 << 20);
    private readonly TestClient _client;

    public HotPlugCommandsTests() => _client = _harness.Connect();

    private HotPlug HotPlug => _harness.Machine.HotPlug;

    public void Dispose()
    {
        _client.Dispose();
        _harness.Dispose();
        _file.Dispose();
    }

    // 热插拔磁盘, the microVM's part, with a file that is there.
    [Theory]
    [InlineData("\"addr\": \"0x1\"", "0x1")]
    [InlineData("\"lun\": \"0\"", "0x1")]
    [InlineData("\"lun\": 0", "0x1")]
    [InlineData("\"addr\": \"0x4\"", "0x4")]
    [InlineData("\"drive\": \"drive-0\"", "0x1")]
    public void ADiskComesAndGoesAsTheSeedPrintsIt(string place, string address)
    {
        Assert.Equal(Done, AddNode());
        Assert.Equal(Done, _client.Ask($$$"""{"execute": "device_add", "arguments": {"id": "drive-0", "driver": "virtio-blk-mmio", {{{place}}}}}"""));
        Assert.Equal("drive-0", HotPlug.Slots.First(slot => slot.IsDisk && slot.Address == address).Device);
        Assert.Contains("\"device\":\"drive-0\"", _client.Ask("""{"execute":"query-block"}"""), StringComparison.Ordinal);
        SeedExchangesTests.AssertEvent(
            """{"event":"DEVICE_DELETED","data":{"device":"drive-0","path":"drive-0"},"timestamp":{"seconds":S,"microseconds":U}}""",
            _client.Ask("""{"execute": "device_del", "arguments": {"id":"drive-0"}}"""));
        Assert.Equal(Done, _client.ReadLine());
        Assert.Equal(["rootfs"], HotPlug.Drives.Select(drive => drive.Id));
    }

    // 热插拔网卡, the microVM's removal; adding takes a tap, which the guest tests have.
    [Fact]
    public void AnInterfaceGoesAsTheSeedPrintsIt()
    {
        SeedExchangesTests.AssertEvent(
            """{"event":"DEVICE_DELETED","data":{"device":"net0","path":"net0"},"timestamp":{"seconds":S,"microseconds":U}}""",
            _client.Ask("""{"execute": "device_del", "arguments": {"id": "net0"}}"""));
        Assert.Equal(Done, _client.ReadLine());
        Assert.Empty(HotPlug.NetNames);
    }

    [Fact]
    public void AnInterfaceTakesADescriptorThatWasPassed()
    {
        Assert.Contains("No file descriptor supplied via SCM_RIGHTS", _client.Ask("""{"execute":"getfd","arguments":{"fdname":"wire"}}"""), StringComparison.Ordinal);
        _client.Ask("""{"execute":"device_del","arguments":{"id":"net0"}}""");
        Assert.Equal(Done, _client.ReadLine());
        MakeWire(out FileDescriptor near, out FileDescriptor far);
        using (far)
        {
            Pass(near, "wire");
            Assert.Equal(Done, _client.Ask("""{"execute":"netdev_add","arguments":{"id":"n","type":"stream","addr":{"type":"fd","str":"wire"}}}"""));
            Assert.Contains("File descriptor named 'wire' has not been found", _client.Ask("""{"execute":"netdev_add","arguments":{"id":"m","type":"stream","addr":{"type":"fd","str":"wire"}}}"""), StringComparison.Ordinal);
            Assert.Contains("Netdev 'n' is in use", AddedThenDeleted(), StringComparison.Ordinal);
            _client.Ask("""{"execute":"device_del","arguments":{"id":"n"}}""");
            Assert.Equal(Done, _client.ReadLine());
            Assert.Equal(0, Libc.Receive(far.Value, new byte[1]));
        }

        string AddedThenDeleted()
        {
            Assert.Equal(Done, _client.Ask("""{"execute":"device_add","arguments":{"id":"n","driver":"virtio-net-mmio","addr":"0x0"}}"""));
            return _client.Ask("""{"execute":"netdev_del","arguments":{"id":"n"}}""");
        }
    }

    /// <summary>What can't be is refused before a descriptor changes hands: it stays the connection's, to be used in another way.</summary>
    [Theory]
    [InlineData("""{"id":"n","fds":"a:a"}""", "Descriptor 'a' is given twice")]
    [InlineData("""{"id":"n","fd":"a","vhostfd":"a"}""", "Descriptor 'a' is given twice")]
    [InlineData("""{"id":"n","fd":"a","fds":"b"}""", "Parameters 'fd' and 'fds' are both given; give one")]
    [InlineData("""{"id":"n","fd":"a","ifname":"tap0"}""", "'ifname' and 'fd' of a tap are both given; give one.")]
    [InlineData("""{"id":"n","fds":"a:b","queues":2}""", "Parameter 'queues' doesn't go with 'fd' and 'fds', which say how many there are")]
    [InlineData("""{"id":"n","fd":"a","vhostfd":"b","vhost":false}""", "Parameter 'vhostfd' needs vhost=on")]
    [InlineData("""{"id":"n","fd":"a","vhostfds":"b","vhost":"off"}""", "Parameter 'vhostfds' needs vhost=on")]
    [InlineData("""{"id":"n","fd":"a","vhostfd":"b","vhostfds":"b"}""", "Parameters 'vhostfd' and 'vhostfds' are both given; give one")]
    [InlineData("""{"id":"n","type":"user","fd":"a"}""", "Parameter 'fd' doesn't go with type=user")]
    [InlineData("""{"id":"n","type":"user","fds":"a"}""", "Parameter 'fds' doesn't go with type=user")]
    [InlineData("""{"id":"n","type":"user","vhostfds":"a"}""", "Parameter 'vhostfds' doesn't go with type=user")]
    [InlineData("""{"id":"n","type":"stream","fds":"b","addr":{"type":"fd","str":"a"}}""", "Parameter 'fds' doesn't go with type=stream")]
    [InlineData("""{"id":"n","type":"stream","vhost":true,"addr":{"type":"fd","str":"a"}}""", "Parameter 'vhost' doesn't go with type=stream")]
    [InlineData("""{"id":"n","type":"stream","hostfwd":[],"addr":{"type":"fd","str":"a"}}""", "Parameter 'hostfwd' doesn't go with type=stream")]
    [InlineData("""{"id":"n","fd":"a","hostfwd":[]}""", "Parameter 'hostfwd' doesn't go with type=tap")]
    [InlineData("""{"id":"n","ifname":"tap0","addr":{"type":"fd","str":"a"}}""", "Parameter 'addr' doesn't go with type=tap")]
    [InlineData("""{"id":"nd0","fd":"a"}""", "The id 'nd0' is that of another netdev; ids are unique.")]
    public void DescriptorsStayTheConnectionsWhereTheyCantBeUsed(string arguments, string description)
    {
        MakeWire(out FileDescriptor near, out FileDescriptor far);
        MakeWire(out FileDescriptor second, out FileDescriptor secondFar);
        using (far)
        using (secondFar)
        {
            Pass(near, "a");
            Pass(second, "b");
            AssertError("GenericError", description, Ask("netdev_add", arguments));
            Assert.Equal(-1, Libc.Receive(far.Value, new byte[1]));
            Assert.Equal(-1, Libc.Receive(secondFar.Value, new byte[1]));
            Assert.Equal(Done, Ask("closefd", """{"fdname":"a"}"""));
            Assert.Equal(Done, Ask("closefd", """{"fdname":"b"}"""));
            Assert.Equal(0, Libc.Receive(far.Value, new byte[1]));
            Assert.Equal(0, Libc.Receive(secondFar.Value, new byte[1]));
        }
    }

    [Theory]
    [InlineData(1, "\"fd\":\"q0\"")]
    [InlineData(1, "\"fds\":\"q0\"")]
    [InlineData(2, "\"fds\":\"q0:q1\"")]
    public void ATapIsTakenThatWasPassed(int queues, string files)
    {
        using TemporaryTap tap = new(queues > 1 ? Libc.IFF_MULTI_QUEUE : (ushort)0);
        for (int i = 0; i < queues; i++)
        {
            Pass(tap.Attach((ushort)(Libc.IFF_TAP | Libc.IFF_NO_PI | Libc.IFF_VNET_HDR | (queues > 1 ? Libc.IFF_MULTI_QUEUE : 0))), $"q{i}");
        }

        Assert.Equal(Done, Ask("netdev_add", $$"""{"id":"n",{{files}}}"""));
        string added = Ask("device_add", """{"id":"n","driver":"virtio-net-mmio"}""");
        if (queues == 1)
        {
            Assert.Equal(Done, added);
            Assert.Contains("DEVICE_DELETED", Ask("device_del", """{"id":"n"}"""), StringComparison.Ordinal);
            Assert.Equal(Done, _client.ReadLine());
        }
        else
        {
            AssertError("GenericError", "The network interface 'n' doesn't fit into 0x1 (eth1): it has queues=1 and the netdev 2. A driver asks for that once, when it finds the slot.", added);
            Assert.Equal(Done, Ask("netdev_del", """{"id":"n"}"""));
        }

        // Nobody has it any more.
        using FileDescriptor free = tap.Attach((ushort)(Libc.IFF_TAP | Libc.IFF_NO_PI | Libc.IFF_VNET_HDR | (queues > 1 ? Libc.IFF_MULTI_QUEUE : 0)));
    }

    [Fact]
    public void ADeviceComesWithItsLimitAndItsLinkDown()
    {
        Assert.Equal(Done, Ask("blockdev-add", $$$"""{"node-name":"d","file":{"filename":"{{{_file.Path}}}"},"iops":7}"""));
        Assert.Equal(Done, Ask("device_add", """{"id":"d","driver":"virtio-blk-mmio"}"""));
        Assert.Equal(7, HotPlug.Drives.Single(drive => drive.Id == "d").Iops);
        _client.Ask("""{"execute":"device_del","arguments":{"id":"net0"}}""");
        Assert.Equal(Done, _client.ReadLine());
        MakeWire(out FileDescriptor near, out FileDescriptor far);
        using (far)
        {
            Pass(near, "wire");
            Assert.Equal(Done, Ask("netdev_add", """{"id":"n","type":"stream","addr":{"type":"fd","str":"wire"}}"""));
            Assert.Equal(Done, Ask("device_add", """{"id":"n","driver":"virtio-net-mmio","up":false}"""));
            MmioDriver driver = _harness.Machine.Board.Nets[0];
            Assert.Equal(0, driver.ReadConfiguration(8)[6]);
            Assert.Equal(Done, Ask("set_link", """{"name":"n","up":true}"""));
            Assert.Equal(1, driver.ReadConfiguration(8)[6]);
        }
    }

    [Fact]
    public void WhatWasPassedEndsWithTheConnection()
    {
        MakeWire(out FileDescriptor near, out FileDescriptor far);
        using (far)
        {
            using (TestClient other = _harness.Connect())
            {
                Pass(near, "wire", other);
            }

            byte[] data = new byte[1];
            _harness.TurnUntil(() => Libc.Receive(far.Value, data) == 0, "the end of what was passed");
        }
    }

    [Fact]
    public void ADescriptorIsClosedOrGetsANewOwnerOfItsName()
    {
        MakeWire(out FileDescriptor near, out FileDescriptor far);
        MakeWire(out FileDescriptor second, out FileDescriptor secondFar);
        using (far)
        using (secondFar)
        {
            Pass(near, "a");
            Pass(second, "a");
            Assert.Equal(0, Libc.Receive(far.Value, new byte[1]));
            Assert.Equal(Done, _client.Ask("""{"execute":"closefd","arguments":{"fdname":"a"}}"""));
            Assert.Equal(0, Libc.Receive(secondFar.Value, new byte[1]));
            Assert.Contains("File descriptor named 'a' has not been found", _client.Ask("""{"execute":"closefd","arguments":{"fdname":"a"}}"""), StringComparison.Ordinal);
            Assert.Contains("must be a name not starting with a digit", _client.Ask("""{"execute":"getfd","arguments":{"fdname":"7"}}"""), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("blockdev-add", """{"node-name":"d"}""", "GenericError", "Parameter 'file' is missing")]
    [InlineData("blockdev-add", """{"node-name":"d","file":{}}""", "GenericError", "Parameter 'file.filename' is missing")]
    [InlineData("blockdev-add", """{"node-name":"d","file":{"filename":"/no/such"}}""", "GenericError", "drive 'd': '/no/such' doesn't exist; give the path of an image or block device")]
    [InlineData("blockdev-add", """{"node-name":"d","file":"FILE"}""", "GenericError", "Parameter 'file' must be an object")]
    [InlineData("blockdev-add", """{"node-name":"d","file":{"filename":"FILE","driver":"nbd"}}""", "GenericError", "Parameter 'file.driver' is 'nbd'; allowed: file, host_device")]
    [InlineData("blockdev-add", """{"node-name":"d","file":{"filename":"FILE","x":1}}""", "GenericError", "Parameter 'file.x' is unexpected; allowed: file.driver, file.filename, file.aio")]
    [InlineData("blockdev-add", """{"node-name":"d","file":{"filename":"FILE"},"aio":"native"}""", "GenericError", "The drive 'd' has aio=native without direct=on (cache=none or cache=directsync), which it needs; allowed without: threads, io_uring, off.")]
    [InlineData("blockdev-add", """{"node-name":"d","file":{"filename":"FILE"},"iops":-1}""", "GenericError", "A limit of -1 requests a second on the drive 'd' is out of range; allowed: 0 (none) to 1000000.")]
    [InlineData("device_add", """{"id":"x","driver":"virtio-blk-mmio","up":true}""", "GenericError", "Parameter 'up' doesn't go with virtio-blk-mmio")]
    [InlineData("blockdev-add", """{"node-name":"rootfs","file":{"filename":"FILE"}}""", "GenericError", "The id 'rootfs' is that of another drive; ids are unique.")]
    [InlineData("blockdev-add", """{"node-name":"d","file":{"filename":"ROOT"}}""", "GenericError", "Drive 'd': 'ROOT' is the file of this machine's drive 'rootfs'; a file is open once for writing, or several times read-only.")]
    [InlineData("blockdev-add", """{"node-name":"d","file":{"filename":"FILE"},"read-only":"no"}""", "GenericError", "Parameter 'read-only' must be true or false")]
    [InlineData("blockdev-del", """{"node-name":"rootfs"}""", "GenericError", "Drive 'rootfs' is in use by the device 'rootfs'; device_del takes both away.")]
    [InlineData("blockdev-del", """{"node-name":"x"}""", "DeviceNotFound", "Drive 'x' not found; blockdev-add adds one, and device_del takes it away with its device")]
    [InlineData("device_add", """{"id":"x","driver":"virtio-blk-mmio"}""", "DeviceNotFound", "Drive 'x' not found; blockdev-add adds one, and device_del takes it away with its device")]
    [InlineData("device_add", """{"id":"rootfs","driver":"virtio-blk-mmio"}""", "GenericError", "Drive 'rootfs' is in use by the device 'rootfs'; device_del takes both away.")]
    [InlineData("device_add", """{"id":"x","driver":"virtio-blk-pci"}""", "GenericError", "'virtio-blk-pci' can't be plugged into a running microvm; allowed: virtio-blk-mmio, virtio-net-mmio, host-x86-cpu, virtserialport, virtconsole")]
    [InlineData("device_add", """{"id":"x","driver":"virtio-blk-mmio","addr":"0x1","lun":0}""", "GenericError", "Parameters 'addr' and 'lun' are both given; give one (lun 0 is addr 0x1)")]
    [InlineData("device_add", """{"id":"x","driver":"virtio-blk-mmio","mac":"52:54:00:00:00:01"}""", "GenericError", "Parameter 'mac' doesn't go with virtio-blk-mmio")]
    [InlineData("device_add", """{"id":"x","driver":"virtio-blk-mmio","addr":"one"}""", "GenericError", "Parameter 'addr' must be a whole number")]
    [InlineData("device_add", """{"id":"x","driver":"virtio-net-mmio"}""", "DeviceNotFound", "Netdev 'x' not found; netdev_add adds one, and device_del takes it away with its device")]
    [InlineData("device_add", """{"id":"nd0","driver":"virtio-net-mmio"}""", "GenericError", "Netdev 'nd0' is in use by the device 'net0'; device_del takes both away.")]
    [InlineData("device_del", """{"id":"x"}""", "DeviceNotFound", "Device 'x' not found; allowed: rootfs, net0")]
    [InlineData("device_del", """{"id":"rng0"}""", "GenericError", "Device 'rng0' can't be taken out while the machine runs; disks and network interfaces can.")]
    [InlineData("netdev_add", """{"id":"n","ifname":"no-such-if"}""", "GenericError", "net 'n': the host has no interface 'no-such-if'; 'ip tuntap add no-such-if mode tap' and 'ip link set no-such-if up' make one")]
    [InlineData("netdev_add", """{"id":"n"}""", "GenericError", "Neither 'ifname' nor 'fd' of a tap is given; give one.")]
    [InlineData("netdev_add", """{"id":"n","fd":"x"}""", "GenericError", "File descriptor named 'x' has not been found; getfd on the same connection names one")]
    [InlineData("netdev_add", """{"id":"nd0","type":"user"}""", "GenericError", "The id 'nd0' is that of another netdev; ids are unique.")]
    [InlineData("netdev_add", """{"id":"n","type":"bridge"}""", "GenericError", "Parameter 'type' is 'bridge'; allowed: tap, user, stream")]
    [InlineData("netdev_del", """{"id":"nd0"}""", "GenericError", "Netdev 'nd0' is in use by the device 'net0'; device_del takes both away.")]
    [InlineData("netdev_del", """{"id":"x"}""", "DeviceNotFound", "Netdev 'x' not found; netdev_add adds one, and device_del takes it away with its device")]
    public void AFaultIsNamedAndNothingIsAdded(string command, string arguments, string errorClass, string description)
    {
        string root = _harness.Machine.Board.RootPath;
        string before = _client.Ask("""{"execute":"query-hotplug-slots"}""");
        AssertError(errorClass, description.Replace("ROOT", root, StringComparison.Ordinal), Ask(command, arguments.Replace("FILE", _file.Path, StringComparison.Ordinal).Replace("ROOT", root, StringComparison.Ordinal)));
        Assert.Equal(before, _client.Ask("""{"execute":"query-hotplug-slots"}"""));
        Assert.Equal(Done, AddNode("d"));
    }

    [Theory]
    [InlineData("\"addr\":\"0x0\"", "Address 0x0 (vda) is taken by the disk 'rootfs'; free: 0x1 (vdb), 0x2 (vdc), 0x3 (vdd), 0x4 (vde).")]
    [InlineData("\"addr\":\"0x5\"", "Address 0x5 is none of the machine's; slots for a disk are 0x0 to 0x4, and free: 0x1 (vdb), 0x2 (vdc), 0x3 (vdd), 0x4 (vde).")]
    [InlineData("\"num-queues\":2", "The disk 'x' doesn't fit into 0x1 (vdb): it has num-queues=1 and the disk 2. A driver asks for that once, when it finds the slot.")]
    [InlineData("\"queue-size\":128", "The disk 'x' doesn't fit into 0x1 (vdb): it has queue-size=256 and the disk 128. A driver asks for that once, when it finds the slot.")]
    [InlineData("\"iothread\":\"io\"", "Iothread 'io' not found; the machine has none")]
    public void ADeviceThatCantBeMadeLeavesItsDrive(string more, string description)
    {
        Assert.Equal(Done, AddNode("d"));
        string reply = Ask("device_add", $$"""{"id":"x","driver":"virtio-blk-mmio","drive":"d",{{more}}}""");
        AssertError(description.Contains("not found", StringComparison.Ordinal) ? "DeviceNotFound" : "GenericError", description, reply);
        Assert.Equal(Done, Ask("device_add", """{"id":"x","driver":"virtio-blk-mmio","drive":"d"}"""));
    }

    [Fact]
    public void AReadOnlyDiskNeedsASlotOfItsKind()
    {
        Assert.Equal(Done, Ask("blockdev-add", $$"""{"node-name":"d","file":{"filename":"{{_file.Path}}"},"read-only":true}"""));
        AssertError(
            "GenericError",
            "The disk 'd' doesn't fit into 0x1 (vdb): it is writable and the disk is read-only. A driver asks for that once, when it finds the slot.",
            Ask("device_add", """{"id":"d","driver":"virtio-blk-mmio"}"""));
    }

    [Fact]
    public void WhenAllSlotsAreTakenThatIsSaid()
    {
        List<TemporaryFile> files = [];
        for (int i = 0; i < 5; i++)
        {
            files.Add(new TemporaryFile(4096));
            Assert.Equal(Done, Ask("blockdev-add", $$$"""{"node-name":"d{{{i}}}","file":{"filename":"{{{files[i].Path}}}"}}"""));
            string reply = Ask("device_add", $$"""{"id":"d{{i}}","driver":"virtio-blk-mmio"}""");
            if (i < 4)
            {
                Assert.Equal(Done, reply);
            }
            else
            {
                AssertError("GenericError", "No slot for a disk is free; slots for a disk are 0x0 to 0x4. device_del makes one free; -machine hotplug=off leaves the spare ones out.", reply);
            }
        }

        files.ForEach(file => file.Dispose());
    }

    [Fact]
    public void AnInterfaceThatDoesntFitIsRefused()
    {
        MakeWire(out FileDescriptor near, out FileDescriptor far);
        using (far)
        {
            Pass(near, "wire");
            Assert.Equal(Done, Ask("netdev_add", """{"id":"n","type":"stream","addr":{"type":"fd","str":"wire"}}"""));
            AssertError(
                "GenericError",
                "The network interface 'n' doesn't fit into 0x1 (eth1): it has offloads (unfinished checksums, large segments), which taps take and user and stream don't. A driver asks for that once, when it finds the slot.",
                Ask("device_add", """{"id":"n","driver":"virtio-net-mmio"}"""));
            AssertError(
                "GenericError",
                "The network interface 'n' doesn't fit into 0x1 (eth1): it has mac=52:54:00:01:02:04 and the interface 52:54:00:01:02:99. A driver asks for that once, when it finds the slot.",
                Ask("device_add", """{"id":"n","driver":"virtio-net-mmio","mac":"52:54:00:01:02:99"}"""));
            Assert.Equal(Done, Ask("netdev_del", """{"id":"n"}"""));
            Assert.Equal(0, Libc.Receive(far.Value, new byte[1]));
        }
    }

    [Fact]
    public void SlotsAreListed() => Assert.Equal(
        """{"return":[{"addr":"0x0","device":"rootfs","driver":"virtio-blk-mmio","guest-name":"vda","needs-reset":false,"node-name":"rootfs","read-only":false,"seen":false},"""
        + string.Concat("bcde".Select((letter, i) => $$"""{"addr":"0x{{i + 1}}","driver":"virtio-blk-mmio","guest-name":"vd{{letter}}","needs-reset":false,"read-only":false,"seen":false},"""))
        + """{"addr":"0x0","device":"net0","driver":"virtio-net-mmio","guest-name":"eth0","mac":"52:54:00:01:02:03","needs-reset":false,"netdev":"nd0","seen":false},{"addr":"0x1","driver":"virtio-net-mmio","guest-name":"eth1","mac":"52:54:00:01:02:04","needs-reset":false,"seen":false}]}""",
        _client.Ask("""{"execute":"query-hotplug-slots"}"""));

    /// <summary>Two ends that never wait: reading gives 0 when the other is closed everywhere.</summary>
    private static void MakeWire(out FileDescriptor near, out FileDescriptor far)
    {
        Libc.CreateSocketPair(out near, out far);
        Libc.SetNonBlocking(far.Value);
    }

    private static void AssertError(string errorClass, string description, string reply)
    {
        using JsonDocument document = JsonDocument.Parse(reply);
        JsonElement error = document.RootElement.GetProperty("error");
        Assert.Equal((errorClass, description), (error.GetProperty("class").GetString(), error.GetProperty("desc").GetString()));
    }

    private string Ask(string command, string arguments) => _client.Ask($$"""{"execute":"{{command}}","arguments":{{arguments}}}""");

    private string AddNode(string id = "drive-0") => _client.Ask(
        $$$"""{"execute": "blockdev-add", "arguments": {"node-name": "{{{id}}}", "file": {"driver": "file", "filename": "{{{_file.Path}}}"}, "cache": {"direct": false}, "read-only": false}}""");

    private void Pass(FileDescriptor file, string name, TestClient? client = null)
    {
        client ??= _client;
        byte[] request = Encoding.UTF8.GetBytes($$$"""{"execute":"getfd","arguments":{"fdname":"{{{name}}}"}}""");
        Assert.Equal(request.Length, Libc.SendFiles((int)client.Socket.Handle, request, [file.Value]));
        file.Dispose();
        Assert.Equal(Done, client.ReadLine());
    }
}
