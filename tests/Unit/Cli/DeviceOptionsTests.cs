using System;
using System.Linq;
using Strato.Engine.Boot;
using Strato.Engine.Cli;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Xunit;

namespace Strato.Tests.Unit.Cli;

/// <summary>-device and the options that devices refer to.</summary>
public class DeviceOptionsTests
{
    [Fact]
    public void AnRngRefersToItsSource()
    {
        // The device may stand first.
        RngConfiguration rng = Assert.IsType<RngConfiguration>(Single(
            "-device virtio-rng-device,rng=r,id=rng0,max-bytes=1024,period=1000 -object rng-random,id=r,filename=/dev/hwrng"));
        Assert.Equal(("rng0", "/dev/hwrng", 1024L, 1000L), (rng.Id, rng.Source, rng.MaxBytes, rng.Period));
    }

    [Fact]
    public void AnRngNeedsNothing()
    {
        RngConfiguration rng = Assert.IsType<RngConfiguration>(Single("-device virtio-rng-device"));
        Assert.Equal(("", "rng", "/dev/urandom", null), (rng.Id, rng.Name, rng.Source, rng.MaxBytes));
    }

    [Fact]
    public void AFolderIsSharedByAProgramThatIsStartedOrRuns()
    {
        FsConfiguration fs = Assert.IsType<FsConfiguration>(Single("-machine microvm,mem-share=on -device vhost-user-fs-device,tag=my,source=/srv,,1"));
        Assert.Equal(("my", "/srv,1", null, "my"), (fs.Tag, fs.Source, fs.Socket, fs.Label));

        // As QEMU has it, and as StratoVirt prints it: whoever listens.
        foreach (string server in new[] { "", ",server,nowait" })
        {
            VmConfiguration vm = Parse($"-machine microvm,mem-share=on -device vhost-user-fs-device,id=fs0,chardev=c,tag=t -chardev socket,id=c,path=/s{server}");
            fs = Assert.IsType<FsConfiguration>(Assert.Single(vm.Devices));
            Assert.Equal(("fs0", "t", null, "/s", "fs0"), (fs.Id, fs.Tag, fs.Source, fs.Socket, fs.Label));
            Assert.True(vm.MemShare);
        }
    }

    [Fact]
    public void ANetworkInterfaceRefersToItsTap()
    {
        NetConfiguration net = Assert.IsType<NetConfiguration>(Single(
            "-iothread id=t -device virtio-net-device,netdev=n,id=net0,mac=52:54:00:12:34:56,iothread=t -netdev tap,id=n,ifname=tap0,script=no,downscript=no,vhost=off,queues=1"));
        Assert.Equal(("net0", "tap0", 0, "52:54:00:12:34:56", "t"), (net.Id, net.Netdev.Interface, net.Netdev.Descriptors.Count, net.Mac, net.IoThread));
        net = Assert.IsType<NetConfiguration>(Single("-netdev tap,id=n,fd=7 -device virtio-net-device,netdev=n"));
        Assert.Null(net.Netdev.Interface);
        Assert.Equal([7L], net.Netdev.Descriptors);
    }

    [Fact]
    public void ANetdevOfItsOwnIsANetworkInterface()
    {
        // Seed 000.
        NetConfiguration net = Assert.IsType<NetConfiguration>(Single("-iothread id=iothread2 -netdev id=iface_id,netdev=tap0,mac=52:54:00:12:34:56,iothread=iothread2"));
        Assert.Equal(("iface_id", "tap0", "52:54:00:12:34:56", "iothread2"), (net.Id, net.Netdev.Interface, net.Mac, net.IoThread));
        Assert.Equal("tap0", Assert.IsType<NetConfiguration>(Single("-netdev tap,id=n,ifname=tap0")).Netdev.Interface);
    }

    [Fact]
    public void ATapHasQueuesScriptsAndVhost()
    {
        NetdevConfiguration tap = Assert.IsType<NetConfiguration>(Single(
            "-netdev tap,id=n,ifname=tap0,queues=4,script=/etc/up,downscript=/etc/down,sndbuf=65536,vhost=on")).Netdev;
        Assert.Equal(("n", 4, "/etc/up", "/etc/down", 65536L, true), (tap.Id, tap.Queues, tap.Script, tap.DownScript, tap.SendBuffer, tap.Vhost));
        tap = Assert.IsType<NetConfiguration>(Single("-netdev tap,id=n,fds=3:4,vhostfds=5:6")).Netdev;
        Assert.Equal([3L, 4L], tap.Descriptors);
        Assert.Equal([5L, 6L], tap.VhostDescriptors);
        Assert.Equal((2, true), (tap.Queues, tap.Vhost));
    }

    [Fact]
    public void UserNetworkingHasForwards()
    {
        NetConfiguration net = Assert.IsType<NetConfiguration>(Single("-netdev user,id=n,hostfwd=tcp:127.0.0.1:2222-:22,mac=52:54:00:12:34:56,hostfwd=udp:[::1]:53-:5353"));
        Assert.Equal((NetdevKind.User, "52:54:00:12:34:56"), (net.Netdev.Kind, net.Mac));
        Assert.Equal(["tcp:127.0.0.1:2222-:22", "udp:[::1]:53-:5353"], net.Netdev.Forwards.Select(forward => forward.ToString()));
    }

    [Fact]
    public void AStreamHasAPathOrADescriptor()
    {
        NetdevConfiguration stream = Assert.IsType<NetConfiguration>(Single("-netdev stream,id=n,server=off,addr.type=unix,addr.path=/run/p")).Netdev;
        Assert.Equal((NetdevKind.Stream, "/run/p", 0), (stream.Kind, stream.SocketPath, stream.Descriptors.Count));
        stream = Assert.IsType<NetConfiguration>(Single("-netdev stream,id=n,addr.type=fd,addr.str=5")).Netdev;
        Assert.Equal((NetdevKind.Stream, null), (stream.Kind, stream.SocketPath));
        Assert.Equal([5L], stream.Descriptors);
    }

    [Fact]
    public void AnAddressFollowsFromTheMachinesName()
    {
        NetConfiguration net = new() { Netdev = new NetdevConfiguration { Interface = "tap0" } };
        Assert.Equal(MacAddress.Generate("web", 1), net.GetMac("web", 1));
        Assert.NotEqual(net.GetMac(null, 0), new NetConfiguration { Netdev = new NetdevConfiguration { Interface = "tap1" } }.GetMac(null, 0));
    }

    [Theory]
    [InlineData("-device vhost-vsock-device,guest-cid=4294967294,id=v")]
    [InlineData("-device vsock,id=v,guest-cid=4294967294")]
    public void AVsockInBothForms(string line)
    {
        VsockConfiguration vsock = Assert.IsType<VsockConfiguration>(Single(line));
        Assert.Equal(("v", 4294967294), (vsock.Id, vsock.GuestCid));
    }

    [Theory]
    [InlineData("-balloon deflate-on-oom=true", true, false)]
    [InlineData("-device virtio-balloon-device", false, false)]
    [InlineData("-device virtio-balloon-device,deflate-on-oom=on,free-page-reporting=on,id=b", true, true)]
    public void ABalloonInBothForms(string line, bool deflateOnOom, bool reporting)
    {
        BalloonConfiguration balloon = Assert.IsType<BalloonConfiguration>(Single(line));
        Assert.Equal((deflateOnOom, reporting), (balloon.DeflateOnOom, balloon.FreePageReporting));
    }

    [Fact]
    public void PortsReferToTheirChardevs()
    {
        ConsoleConfiguration console = Assert.IsType<ConsoleConfiguration>(Single(
            "-device virtio-serial-device,id=s -device virtconsole,chardev=a -device virtserialport,chardev=b,name=org.qemu.guest_agent.0,id=p " +
            "-device virtserialport,chardev=c,name=x,nr=1 -chardev pty,id=a -chardev socket,id=b,path=/s,server,nowait -chardev file,id=c,path=/f"));
        Assert.Equal("s", console.Id);
        Assert.Equal([0, 2, 1], console.GetNumbers());
        Assert.Equal(["hvc", "org.qemu.guest_agent.0", "x"], console.Ports.ConvertAll(port => port.Label));
        Assert.Equal(
            [new(SerialBackend.Pty) { Id = "a" }, new(SerialBackend.Unix, "/s") { Id = "b" }, new SerialConfiguration(SerialBackend.File, "/f") { Id = "c" }],
            console.Ports.ConvertAll(port => port.Backend));
    }

    // Seed 000, -chardev.
    [Fact]
    public void AChardevThatNothingRefersToIsAConsole()
    {
        VmConfiguration vm = Parse("-chardev id=console_id,path=/path/to/socket -chardev null,id=n -serial chardev:n");
        Assert.Equal(SerialBackend.Null, vm.Serial.Backend);
        PortConfiguration port = Assert.Single(Assert.IsType<ConsoleConfiguration>(Assert.Single(vm.Devices)).Ports);
        Assert.Equal(("console_id", true, new SerialConfiguration(SerialBackend.Unix, "/path/to/socket") { Id = "console_id" }), (port.Id, port.IsConsole, port.Backend));
    }

    [Fact]
    public void ThirtyOneNamedPortsFit()
    {
        string ports = string.Join(' ', Enumerable.Range(0, 31).Select(i => $"-chardev null,id=c{i} -device virtserialport,chardev=c{i},name=n{i}"));
        Assert.Equal(Enumerable.Range(1, 31), Assert.IsType<ConsoleConfiguration>(Single(ports)).GetNumbers());
        UserErrorException e = Assert.Throws<UserErrorException>(() => Parse($"{ports} -chardev null,id=one-more"));
        Assert.Equal(("TooManyPorts", "-chardev", "32 ports are given; a machine has 0 to 31."), (e.Id, e.Where, e.Message));
    }

    [Fact]
    public void AllOfTheSeedsDevicesFitTogether()
    {
        string disks = string.Join(' ', Enumerable.Range(0, 6).Select(i => $"-drive file=/{i},id=d{i}"));
        VmConfiguration vm = Parse($"{disks} -chardev id=c,path=/s -device vsock,id=v,guest-cid=3 -balloon deflate-on-oom=true -device virtio-rng-device");
        Assert.InRange(vm.Drives.Count + vm.Devices.Count, 10, DeviceLimits.MaxDevices - 3);
    }

    [Theory]
    [InlineData("-netdev tap,id=n", "InvalidOption", "-netdev ifname", "Neither 'ifname' nor 'fd' of a tap is given; give one.")]
    [InlineData("-netdev tap,id=n,ifname=a,fd=3", "InvalidOption", "-netdev fd", "'ifname' and 'fd' of a tap are both given; give one.")]
    [InlineData("-netdev tap,id=n,fd=2", "OutOfRange", "-netdev fd", "2 is out of range; allowed: 3 to 2147483647.")]
    [InlineData("-netdev tap,id=n,ifname=a,vhost=maybe", "InvalidOption", "-netdev vhost", "'vhost=maybe' is neither on nor off")]
    [InlineData("-netdev tap,id=n,fd=3,script=/etc/qemu-ifup", "InvalidOption", "-netdev script", "'script' is given with a descriptor, whose tap is made already; it goes with 'ifname'.")]
    [InlineData("-netdev tap,id=n,ifname=a,queues=17", "OutOfRange", "-netdev queues", "17 is out of range; allowed: 1 to 16.")]
    [InlineData("-netdev tap,id=n,ifname=a,queues=0", "OutOfRange", "-netdev queues", "0 is out of range; allowed: 1 to 16.")]
    [InlineData("-netdev tap,id=n,fds=3:4,queues=2", "InvalidOption", "-netdev queues", "'queues' is given with descriptors, of which each is a queue.")]
    [InlineData("-netdev tap,id=n,fds=3:x", "InvalidOption", "-netdev fds", "'fds' has 'x', which is no descriptor's number; allowed are numbers divided by colons.")]
    [InlineData("-netdev tap,id=n,fds=3:1", "OutOfRange", "-netdev fd", "1 is out of range; allowed: 3 to 2147483647.")]
    [InlineData("-netdev tap,id=n,ifname=a,sndbuf=-1", "OutOfRange", "-netdev sndbuf", "-1 is out of range; allowed: 0 to 2147483647.")]
    [InlineData("-netdev tap,id=n,ifname=a,queues=2,vhostfd=5", "InvalidOption", "-netdev vhostfd", "1 descriptors of /dev/vhost-net are given for 2 queue pairs; each has one.")]
    [InlineData("-netdev id=n", "InvalidOption", "-netdev netdev", "'netdev' is missing")]
    [InlineData("-netdev id=n,netdev=a,vhost=on", "InvalidOption", "-netdev vhost", "'vhost' is unknown; allowed: id, type, netdev, mac, iothread.")]
    [InlineData("-netdev tap,ifname=a", "InvalidOption", "-netdev id", "'id' is missing")]
    [InlineData("-netdev tpa,id=n", "InvalidOption", "-netdev type", "'type=tpa' is unknown (did you mean tap?); allowed: tap, user, stream.")]
    [InlineData("-netdev user,id=n,hostfwd=tcp::99999-:22", "InvalidForward", "-netdev hostfwd", "'tcp::99999-:22' has '99999', which is no port; allowed: 1 to 65535; allowed is one such as tcp:127.0.0.1:2222-:22.")]
    [InlineData("-netdev user,id=n,hostfwd=icmp::1-:22", "InvalidForward", "-netdev hostfwd", "'icmp::1-:22' isn't [tcp|udp]:[ADDRESS]:PORT-:PORT")]
    [InlineData("-netdev user,id=n,hostfwd=tcp:22", "InvalidForward", "-netdev hostfwd", "'tcp:22' isn't [tcp|udp]:[ADDRESS]:PORT-:PORT")]
    [InlineData("-netdev user,id=n,hostfwd=tcp:here:22-:22", "InvalidForward", "-netdev hostfwd", "'tcp:here:22-:22' has 'here', which is no address of the host")]
    [InlineData("-netdev user,id=n,hostfwd=tcp:::1:22-:22", "InvalidForward", "-netdev hostfwd", "has '::1', which is no address of the host")]
    [InlineData("-netdev user,id=n,hostfwd=tcp::22-10.0.2.15:22", "InvalidForward", "-netdev hostfwd", "names an address of the guest; it is the guest's own, and '-:22' means that")]
    [InlineData("-netdev user,id=n,net=10.0.2.0/24", "InvalidOption", "-netdev net", "'net' is unknown; allowed: id, type, hostfwd, mac, iothread.")]
    [InlineData("-netdev user,id=n,id=m", "InvalidOption", "-netdev", "'id' is given twice.")]
    [InlineData("-netdev stream,id=n", "InvalidOption", "-netdev addr.type", "'addr.type' is missing")]
    [InlineData("-netdev stream,id=n,addr.type=inet", "InvalidOption", "-netdev addr.type", "'addr.type=inet' is unknown; allowed: unix, fd.")]
    [InlineData("-netdev stream,id=n,addr.type=unix", "InvalidOption", "-netdev addr.path", "'addr.path' is missing")]
    [InlineData("-netdev stream,id=n,addr.type=fd", "InvalidOption", "-netdev addr.str", "'addr.str' is missing")]
    [InlineData("-netdev stream,id=n,addr.type=unix,addr.path=/p,server=on", "InvalidOption", "-netdev server", "'server=on' is unknown; allowed: off.")]
    [InlineData("-netdev id=n,netdev=a,mac=1:2", "InvalidMac", "-netdev mac", "'1:2' isn't six bytes in hexadecimal divided by colons")]
    [InlineData("-netdev id=n,netdev=a -netdev id=n,netdev=b", "DuplicateId", "-netdev id", "The id 'n' is given to two of -netdev")]
    [InlineData("-netdev id=n,netdev=a -device virtio-net-device,netdev=m", "UnknownBackend", "-device netdev", "No netdev has the id 'm'; allowed is one of: n.")]
    [InlineData("-netdev id=n,netdev=a -device virtio-net-device,netdev=n -device virtio-net-device,netdev=n", "BackendInUse", "-device netdev", "'n' is referred to twice; a netdev belongs to one.")]
    [InlineData("-netdev id=n,netdev=a,iothread=t", "UnknownIoThread", "-netdev iothread", "The net device 'n' names the iothread 't', which isn't there; none is given")]
    [InlineData("-netdev id=n,netdev=a -netdev id=m,netdev=b -netdev id=o,netdev=c", "TooManyDevices", "-netdev", "3 net devices are given; a microvm has at most 2.")]
    [InlineData("-device vsock,id=v", "InvalidOption", "-device guest-cid", "'guest-cid' is missing")]
    [InlineData("-device vsock,guest-cid=2", "OutOfRange", "-device guest-cid", "2 is out of range; allowed: 3 to 4294967294.")]
    [InlineData("-device vsock,guest-cid=4294967295", "OutOfRange", "-device guest-cid", "4294967295 is out of range; allowed: 3 to 4294967294.")]
    [InlineData("-device vsock,guest-cid=3 -device vsock,guest-cid=4", "TooManyDevices", "-device", "2 vsock devices are given; a microvm has at most 1.")]
    [InlineData("-balloon deflate-on-oom=on -device virtio-balloon-device", "TooManyDevices", "-device", "2 balloon devices are given; a microvm has at most 1.")]
    [InlineData("-balloon deflate-on-oom=perhaps", "InvalidOption", "-balloon deflate-on-oom", "is neither on nor off")]
    [InlineData("-device virtio-serial-device,max_ports=33", "OutOfRange", "-device max_ports", "33 is out of range; allowed: 1 to 32.")]
    [InlineData("-device virtio-serial-device,max_ports=2 -chardev null,id=a -device virtserialport,chardev=a,nr=2", "OutOfRange", "-device nr", "2 is out of range; allowed: 1 to 1.")]
    [InlineData("-device virtio-serial-device,max_ports=1 -chardev null,id=a -device virtserialport,chardev=a,name=n", "TooManyPorts", "-device", "No number is left for the port 'n': max_ports=1 has the numbers 0 to 0, and 0 is a terminal's.")]
    [InlineData("-device virtio-serial-device -device virtio-serial-device", "TooManyDevices", "-device", "2 virtio-serial devices are given; a microvm has at most 1.")]
    [InlineData("-device virtconsole,chardev=a", "UnknownBackend", "-device chardev", "No character device has the id 'a'")]
    [InlineData("-device virtconsole", "InvalidOption", "-device chardev", "'chardev' is missing")]
    [InlineData("-chardev null,id=a -device virtconsole,chardev=a -device virtconsole,chardev=a", "BackendInUse", "-device chardev", "'a' is referred to twice; a character device belongs to one.")]
    [InlineData("-chardev null,id=a -device virtconsole,chardev=a -serial chardev:a", "BackendInUse", "-serial", "'a' is referred to twice")]
    [InlineData("-chardev stdio,id=a -serial stdio", "StandardStreamsTaken", "-chardev", "The port 'a' is the second on stdio")]
    [InlineData("-chardev null,id=a -device virtserialport,chardev=a,nr=0", "OutOfRange", "-device nr", "0 is out of range; allowed: 1 to 31.")]
    [InlineData("-chardev null,id=a -device virtserialport,chardev=a,nr=32", "OutOfRange", "-device nr", "32 is out of range; allowed: 1 to 31.")]
    [InlineData("-chardev null,id=a -chardev null,id=b -device virtconsole,chardev=a,nr=3 -device virtserialport,chardev=b,nr=3", "DuplicatePort", "-device nr", "The number 3 is given to two ports.")]
    [InlineData("-chardev null,id=a -chardev null,id=b -device virtserialport,chardev=a,name=n -device virtserialport,chardev=b,name=n", "DuplicatePort", "-device name", "The name 'n' is given to two ports")]
    [InlineData("-chardev null,id=a -device virtserialport,chardev=a,name=a/b", "InvalidName", "-device name", "The name 'a/b' has a slash")]
    [InlineData("-chardev tty,id=a", "InvalidOption", "-chardev", "'tty' is unknown (did you mean pty?); allowed: socket,id=ID")]
    [InlineData("-chardev socket,id=a,path=/s", "InvalidOption", "-chardev", "'server' is missing")]
    [InlineData("-chardev socket,id=a,path=/s -device virtserialport,chardev=a,name=n", "InvalidOption", "-chardev", "'server' is missing")]
    [InlineData("-device vhost-user-fs-device,source=/a", "InvalidOption", "-device tag", "'tag' is missing")]
    [InlineData("-device vhost-user-fs-device,tag=t", "InvalidOption", "-device", "Neither 'source' nor 'chardev' of a shared folder is given; give one: source=FOLDER starts virtiofsd, chardev=ID connects to one that runs.")]
    [InlineData("-chardev socket,id=c,path=/s -device vhost-user-fs-device,tag=t,source=/a,chardev=c", "InvalidOption", "-device", "'source' and 'chardev' of a shared folder are both given")]
    [InlineData("-device vhost-user-fs-device,tag=t,chardev=c", "UnknownBackend", "-device chardev", "No character device has the id 'c'")]
    [InlineData("-chardev null,id=c -device vhost-user-fs-device,tag=t,chardev=c", "InvalidOption", "-device chardev", "The character device 'c' is no socket; allowed: -chardev socket,id=ID,path=PATH.")]
    [InlineData("-device vhost-user-fs-device,tag=t,source=/a", "MemShareMissing", "-device", "fs 't': the program that serves the folder reads and writes the guest's memory, which has to be shared with it: -machine microvm,mem-share=on.")]
    [InlineData("-machine microvm,mem-share=on -device vhost-user-fs-device,tag=,source=/a", "InvalidTag", "-device tag", "The tag '' has 0 bytes; a tag has 1 to 36, none of them zero.")]
    [InlineData("-machine microvm,mem-share=on -device vhost-user-fs-device,tag=ü23456789012345678901234567890123456,source=/a", "InvalidTag", "-device tag", "has 37 bytes; a tag has 1 to 36")]
    [InlineData("-machine microvm,mem-share=on -device vhost-user-fs-device,tag=t,source=", "InvalidPath", "-device source", "The path of the folder 't' is empty")]
    [InlineData("-machine microvm,mem-share=on -device vhost-user-fs-device,tag=t,source=/a -device vhost-user-fs-device,tag=t,source=/b", "DuplicateTag", "-device tag", "The tag 't' is used by two shared folders; tags are unique.")]
    [InlineData("-chardev id=a", "InvalidOption", "-chardev path", "'path' is missing")]
    [InlineData("-chardev null", "InvalidOption", "-chardev id", "'id' is missing")]
    [InlineData("-chardev null,id=a -chardev null,id=a", "DuplicateId", "-chardev id", "The id 'a' is given to two of -chardev; ids are unique.")]
    [InlineData("-device virtio-rnd-device", "InvalidOption", "-device", "The device 'virtio-rnd-device' is unknown (did you mean virtio-rng-device?); allowed: virtio-blk-device, ")]
    [InlineData("-device rng=a", "InvalidOption", "-device driver", "'driver' is missing")]
    [InlineData("-object rng-egd,id=a", "InvalidOption", "-object", "The object 'rng-egd' is unknown; allowed: ")]
    [InlineData("-object rng-random", "InvalidOption", "-object id", "'id' is missing")]
    [InlineData("-object rng-random,id=a -object rng-random,id=a", "DuplicateId", "-object id", "The id 'a' is given to two of -object; ids are unique.")]
    [InlineData("-device virtio-rng-device,rng=a", "UnknownBackend", "-device rng", "No source of random bytes has the id 'a'; allowed is one of: (no -object of this kind is given).")]
    [InlineData("-object rng-random,id=b -device virtio-rng-device,rng=a", "UnknownBackend", "-device rng", "No source of random bytes has the id 'a'; allowed is one of: b.")]
    [InlineData("-device virtio-rng-device,period=1", "InvalidOption", "-device period", "'period' is given without 'max-bytes'")]
    [InlineData("-device virtio-rng-device,max-bytes=many", "InvalidOption", "-device max-bytes", "'max-bytes=many' is not a whole number below 2^63.")]
    [InlineData("-device virtio-rng-device,max-bytes=0", "OutOfRange", "-device max-bytes", "0 is out of range; allowed: 1 to 9223372036854775807.")]
    [InlineData("-device virtio-rng-device,max-bytes=1,period=0", "OutOfRange", "-device period", "0 is out of range; allowed: 1 to 4294967295.")]
    [InlineData("-device virtio-rng-device,id=", "InvalidId", "-device id", "has 0 characters")]
    [InlineData("-device virtio-rng-device,id=a -device virtio-rng-device,id=a", "DuplicateId", "-device id", "The id 'a' is used by two devices")]
    [InlineData("-drive file=/a,id=a -device virtio-rng-device,id=a", "DuplicateId", "-device id", "The id 'a' is used by two devices")]
    public void AFaultIsNamedWithWhatIsAllowedAndWhere(string line, string id, string where, string message)
    {
        UserErrorException e = Assert.Throws<UserErrorException>(() => Parse(line));
        Assert.Equal((id, where), (e.Id, e.Where));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ThereAreAsManyDevicesAsSlots()
    {
        Assert.Equal(Layout.VirtioSlots, DeviceLimits.MaxDevices);
        string disks = string.Join(' ', Enumerable.Range(0, 6).Select(i => $"-drive file=/{i},id=d{i}"));
        string devices = string.Concat(Enumerable.Repeat(" -device virtio-rng-device", 12));
        Assert.Equal(12, Parse(disks + devices).Devices.Count);
        UserErrorException e = Assert.Throws<UserErrorException>(() => Parse($"{disks}{devices} -device virtio-rng-device"));
        Assert.Equal(("TooManyDevices", "-device"), (e.Id, e.Where));
        Assert.Equal("19 devices are given, disks included; a microvm has interrupt lines for 18.", e.Message);
    }

    private static DeviceConfiguration Single(string line) => Assert.Single(Parse(line).Devices);

    private static VmConfiguration Parse(string line) => Options.Parse(["-kernel", "k", .. line.Split(' ')]).Configuration;
}
