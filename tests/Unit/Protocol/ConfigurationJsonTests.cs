using System;
using System.Linq;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Tests.Guest.Seeds;
using Xunit;

namespace Strato.Tests.Unit.Protocol;

public class ConfigurationJsonTests
{
    [Fact]
    public void TheSeedsExampleIsRead()
    {
        VmConfiguration vm = Read(SeedConfiguration.Json);
        vm.Validate();
        Assert.Equal("/path/to/vmlinux.bin", vm.Kernel);
        Assert.Equal("console=ttyS0 reboot=k panic=1 pci=off tsc=reliable ipv6.disable=1 root=/dev/vda quiet rw", vm.CommandLine);
        Assert.Equal(("microvm", 2, 268435456L, (string?)null), (vm.MachineType, vm.Cpus, vm.Memory, vm.Initrd));
        DriveConfiguration drive = Assert.Single(vm.Drives);
        Assert.Equal(("rootfs", "/path/to/rootfs", "11111111", false), (drive.Id, drive.File, drive.Serial, drive.ReadOnly));
        Assert.Equal(("iothread2", true, 200000), (drive.IoThread, drive.IsDirect, drive.Iops));
        Assert.Equal(["iothread1", "iothread2"], vm.IoThreads.Select(t => t.Id));
        Assert.Equal(SerialBackend.Stdio, vm.Serial.Backend);
        NetConfiguration net = Assert.IsType<NetConfiguration>(Assert.Single(vm.Devices.OfType<NetConfiguration>()));
        Assert.Equal(("net0", "tap0", "0e:90:df:9f:a8:88", "iothread1"), (net.Id, net.Netdev.Interface, net.Mac, net.IoThread));
        PortConfiguration console = Assert.Single(vm.Devices.OfType<ConsoleConfiguration>().Single().Ports);
        Assert.Equal(
            ("charconsole0", true, new SerialConfiguration(SerialBackend.Unix, "/path/to/console.socket")), (console.Id, console.IsConsole, console.Backend));
        VsockConfiguration vsock = vm.Devices.OfType<VsockConfiguration>().Single();
        Assert.Equal(("vsock-123321132", 4), (vsock.Id, vsock.GuestCid));
    }

    // Seed 000 and 001, 配置balloon设备.
    [Fact]
    public void ABalloonIsRead() =>
        Assert.True(Assert.IsType<BalloonConfiguration>(Assert.Single(Read("""{"balloon": {"deflate_on_oom": true}}""").Devices)).DeflateOnOom);

    [Fact]
    public void DevicesAreReadBackAsTheyWereWritten()
    {
        VmConfiguration vm = Read(SeedConfiguration.Json);
        vm.Devices.Add(new BalloonConfiguration { DeflateOnOom = true });
        VmConfiguration back = ConfigurationReader.Read(ConfigurationWriter.Write(vm));
        Assert.Equal(ConfigurationWriter.Write(vm), ConfigurationWriter.Write(back));
        NetConfiguration net = back.Devices.OfType<NetConfiguration>().Single();
        Assert.Equal(("net0", "tap0", "0e:90:df:9f:a8:88", "iothread1"), (net.Id, net.Netdev.Interface, net.Mac, net.IoThread));
        Assert.Equal(["net", "virtio-serial", "vsock", "balloon"], back.Devices.Select(device => device.Kind));
    }

    [Fact]
    public void ADeviceThatTheFormCantTellIsRefused()
    {
        VmConfiguration vm = new();
        vm.Devices.Add(new RngConfiguration());
        UserErrorException e = Assert.Throws<UserErrorException>(() => ConfigurationWriter.Write(vm));
        Assert.Equal(("InvalidField", "rng"), (e.Id, e.Where));
    }

    [Theory]
    [InlineData("""{"drive": [{"drive_id": "a", "path_on_host": "/a", "iops": 1000001}]}""", "InvalidDrive", "drive[0].iops", "A limit of 1000001 requests a second on the drive 'a' is out of range; allowed: 0 (none) to 1000000.")]
    [InlineData("""{"drive": [{"drive_id": "a", "path_on_host": "/a", "direct": 1}]}""", "InvalidField", "drive[0].direct", "The value is the number 1; it must be true or false.")]
    [InlineData("""{"net": [{"iface_id": "a"}]}""", "MissingField", "net[0].host_dev_name", "The field 'host_dev_name' is missing.")]
    [InlineData("""{"net": [{"iface_id": "a", "mac": "1"}]}""", "InvalidMac", "net[0].mac", "'1' isn't six bytes in hexadecimal")]
    [InlineData("""{"net": [{"iface_id": "a", "vhost": true}]}""", "UnknownField", "net[0].vhost", "The field 'vhost' is unknown")]
    [InlineData("""{"machine-config": {"vcpu_cuont": 2}}""", "UnknownField", "machine-config.vcpu_cuont", "The field 'vcpu_cuont' is unknown (did you mean vcpu_count?); allowed here: type, vcpu_count, mem_size, dump_guest_core, mem-share, mem_path, mem_prealloc, mem_merge, hotplug.")]
    [InlineData("""{"machine-config": {"mem_path": "hugepages"}}""", "InvalidPath", "machine-config.mem_path", "The path of the memory's folder, 'hugepages', is not absolute.")]
    [InlineData("""{"machine-config": {"mem_path": ""}}""", "InvalidPath", "machine-config.mem_path", "The path of the memory's folder is empty")]
    [InlineData("""{"machine-config": {"mem_prealloc": 1}}""", "InvalidField", "machine-config.mem_prealloc", "true or false")]
    [InlineData("""{"machine-config": {"mem-share": 1}}""", "InvalidField", "machine-config.mem-share", "true or false")]
    [InlineData("""{"vsock": {"vsock_id": "v"}}""", "MissingField", "vsock.guest_cid", "The field 'guest_cid' is missing.")]
    [InlineData("""{"vsock": {"vsock_id": "v", "guest_cid": 2}}""", "OutOfRange", "vsock.guest_cid", "2 is out of range; allowed: 3 to 4294967294.")]
    [InlineData("""{"console": [{"console_id": "c"}]}""", "MissingField", "console[0].socket_path", "The field 'socket_path' is missing.")]
    [InlineData("""{"console": [{"console_id": "c", "path": "/s"}]}""", "UnknownField", "console[0].path", "allowed here: console_id, socket_path.")]
    [InlineData("""{"balloon": {"deflate-on-oom": true}}""", "UnknownField", "balloon.deflate-on-oom", "did you mean deflate_on_oom?")]
    [InlineData("""{"drive": [{"drive_id": "a", "path_on_host": "/a"}, {"bps": 3}]}""", "UnknownField", "drive[1].bps", "The field 'bps' is unknown")]
    [InlineData("""{"serial": {"stdio": true, "path": ""}}""", "UnknownField", "serial.path", "The field 'path' is unknown; allowed here: stdio.")]
    [InlineData("""{"boot-source": {"boot_arg": ""}}""", "UnknownField", "boot-source.boot_arg", "did you mean boot_args?")]
    [InlineData("""{"machine-config": {"vcpu_count": "2"}}""", "InvalidField", "machine-config.vcpu_count", "The value is a string; it must be a whole number.")]
    [InlineData("""{"machine-config": {"vcpu_count": 1.5}}""", "InvalidField", "machine-config.vcpu_count", "The value is the number 1.5; it must be a whole number below 2^63.")]
    [InlineData("""{"machine-config": {"mem_size": 99999999999999999999}}""", "InvalidField", "machine-config.mem_size", "The value is the number 99999999999999999999; it must be a whole number below 2^63.")]
    [InlineData("""{"machine-config": []}""", "InvalidField", "machine-config", "The value is an array; it must be an object.")]
    [InlineData("""{"drive": {}}""", "InvalidField", "drive", "The value is an object; it must be an array.")]
    [InlineData("""{"drive": [1]}""", "InvalidField", "drive[0]", "The value is the number 1; it must be an object.")]
    [InlineData("""{"drive": [{"drive_id": "a", "path_on_host": "/a"}, {"path_on_host": null}]}""", "InvalidField", "drive[1].path_on_host", "The value is null; it must be a string.")]
    [InlineData("""{"serial": {"stdio": "yes"}}""", "InvalidField", "serial.stdio", "The value is a string; it must be true or false.")]
    [InlineData("""[]""", "InvalidField", "(document)", "The value is an array; it must be an object.")]
    [InlineData("""{"machine-config": {"vcpu_count": 255}}""", "InvalidCpuCount", "machine-config.vcpu_count", "255 vCPUs are out of range; allowed: 1 to 254.")]
    [InlineData("""{"machine-config": {"mem_size": 104857600}}""", "InvalidMemory", "machine-config.mem_size", "Memory of 104857600 (100 MiB) is out of range; allowed: 256 MiB to 512 GiB.")]
    [InlineData("""{"machine-config": {"mem_size": 644245094400}}""", "InvalidMemory", "machine-config.mem_size", "(600 GiB) is out of range")]
    [InlineData("""{"machine-config": {"type": "q35"}}""", "UnknownMachineType", "machine-config.type", "The machine type 'q35' is unknown; allowed: microvm.")]
    [InlineData("""{"drive": [{"drive_id": "a"}]}""", "MissingField", "drive[0].path_on_host", "The field 'path_on_host' is missing.")]
    [InlineData("""{"drive": [{"path_on_host": "/a"}]}""", "MissingField", "drive[0].drive_id", "The field 'drive_id' is missing.")]
    [InlineData("""{"drive": [{"drive_id": "", "path_on_host": "/a"}]}""", "InvalidId", "drive[0].drive_id", "has 0 characters; an id has 1 to 255.")]
    [InlineData("""{"drive": [{"drive_id": "a", "path_on_host": ""}]}""", "InvalidPath", "drive[0].path_on_host", "is empty; a path has 1 to 4095 bytes")]
    [InlineData("""{"drive": [{"drive_id": "a", "path_on_host": "/a", "serial_num": "123456789012345678901"}]}""", "InvalidSerialNumber", "drive[0].serial_num", "has 21 bytes; a serial number has 1 to 20")]
    [InlineData("""{"drive": [{"drive_id": "a", "path_on_host": "/a"}, {"drive_id": "a", "path_on_host": "/b"}]}""", "DuplicateId", "drive[1].drive_id", "The id 'a' is used by two drives")]
    [InlineData("""{"iothread": [{"id": "t"}, {"id": "t"}]}""", "DuplicateId", "iothread[1].id", "The id 't' is used by two iothreads")]
    [InlineData("""{"iothread": [{}]}""", "MissingField", "iothread[0].id", "The field 'id' is missing.")]
    [InlineData("""{"iothread": [{"name": "t"}]}""", "UnknownField", "iothread[0].name", "The field 'name' is unknown; allowed here: id.")]
    [InlineData("""{"boot-source": {"boot_args": "a\nb"}}""", "InvalidCommandLine", "boot-source.boot_args", "has the character U+000A; it is one line of text.")]
    [InlineData("""{"serial": {"stdio": true}, "serial": {"stdio": true}}""", "DuplicateField", "serial", "The field is given twice.")]
    [InlineData("""{"machine-config": {"vcpu_count": 1, "vcpu_count": 1}}""", "DuplicateField", "machine-config.vcpu_count", "The field is given twice.")]
    [InlineData("""{"boot-source": {"boot_args": "\ud800"}}""", "InvalidJson", "boot-source.boot_args", "half of a surrogate pair")]
    [InlineData("""{"serial": {"stdio": true},}""", "InvalidJson", "serial", "The JSON is not valid, at line 1, column 28")]
    [InlineData("{\"serial\": // here\n{}}", "InvalidJson", "serial", "The JSON is not valid, at line 1, column 12")]
    [InlineData("{}{}", "InvalidJson", "", "The JSON is not valid, at line 1, column 3")]
    [InlineData("{'serial': {}}", "InvalidJson", "", "The JSON is not valid, at line 1, column 2")]
    public void AFaultIsNamedByItsPath(string json, string id, string where, string message)
    {
        UserErrorException e = Assert.Throws<UserErrorException>(() => Read(json));
        Assert.Equal((id, where), (e.Id, e.Where));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("LineNumber", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AFileCutAnywhereEndsEarly()
    {
        string whole = SeedConfiguration.Json.TrimEnd();
        for (int length = 0; length < whole.Length; length++)
        {
            UserErrorException e = Assert.Throws<UserErrorException>(() => Read(whole[..length]));

            // Cut within a name, word or number, what is left may also be something else that is wrong.
            if (e.Message.StartsWith("The JSON", StringComparison.Ordinal))
            {
                string[] lines = whole[..length].Split('\n');
                Assert.Equal($"The JSON ends early, at line {lines.Length}, column {lines[^1].Length + 1}.", e.Message);
            }
            else
            {
                Assert.True(e.Id is "InvalidMemory" or "MissingField" or "InvalidId" or "DuplicateId" or "InvalidDrive", e.Message);
            }
        }
    }

    [Fact]
    public void AByteOrderMarkIsSkipped()
    {
        Assert.Equal(2, ConfigurationReader.Read([0xef, 0xbb, 0xbf, .. Encoding.UTF8.GetBytes(SeedConfiguration.Json)]).Cpus);
    }

    [Fact]
    public void SevenDrivesAreTooMany()
    {
        string drives = string.Join(',', Enumerable.Range(0, 7).Select(i => $$"""{"drive_id": "d{{i}}", "path_on_host": "/{{i}}"}"""));
        UserErrorException e = Assert.Throws<UserErrorException>(() => Read($$"""{"drive": [{{drives}}]}"""));
        Assert.Equal(("TooManyDrives", "drive[6].drive_id"), (e.Id, e.Where));
    }

    [Fact]
    public void WhatIsWrittenIsReadBack()
    {
        Gen<VmConfiguration> machines =
            from kernel in Gen.Elements("/k", "/ä\"\\ é😀", "relative,path")
            from initrd in Gen.Elements(null, "/i")
            from line in Gen.Elements("", "quiet", "a=\"b c\" \\n")
            from memory in Gen.Choose(1 << 16, 1 << 27)
            from cpus in Gen.Choose(1, 254)
            from dump in Gen.Elements(true, false)
            from drives in Gen.Choose(0, 6)
            from serial in Gen.Elements(SerialBackend.None, SerialBackend.Null, SerialBackend.Stdio)
            select Machine(kernel, initrd, line, memory * 4096L, cpus, dump, drives, serial);
        Prop.ForAll(
            machines.ToArbitrary(),
            vm =>
            {
                vm.Validate();
                VmConfiguration read = ConfigurationReader.Read(ConfigurationWriter.Write(vm));
                Assert.Equal(
                    (vm.Kernel, vm.Initrd, vm.CommandLine, vm.Memory, vm.Cpus, vm.DumpGuestCore, vm.MemShare, vm.HotPlug, vm.Serial),
                    (read.Kernel, read.Initrd, read.CommandLine, read.Memory, read.Cpus, read.DumpGuestCore, read.MemShare, read.HotPlug, read.Serial));
                Assert.Equal(
                    (vm.Backing.Path, vm.Backing.Huge, vm.Backing.Preallocate, vm.Backing.Merge),
                    (read.Backing.Path, read.Backing.Huge, read.Backing.Preallocate, read.Backing.Merge));
                Assert.Equal(vm.Drives.Select(d => (d.Id, d.File, d.Serial, d.ReadOnly, d.IoThread, d.IsDirect, d.Iops)), read.Drives.Select(d => (d.Id, d.File, d.Serial, d.ReadOnly, d.IoThread, d.IsDirect, d.Iops)));
                Assert.Equal(vm.IoThreads.Select(t => t.Id), read.IoThreads.Select(t => t.Id));
                Assert.Equal(ConfigurationWriter.Write(vm), ConfigurationWriter.Write(read));
            }).Check(Config.QuickThrowOnFailure.WithQuietOnSuccess(true));
    }

    [Fact]
    public void ASerialPortWithoutAFormIsNotWritten()
    {
        VmConfiguration vm = new() { Kernel = "/k", Serial = new SerialConfiguration(SerialBackend.Pty) };
        Assert.Equal("The JSON form has only a serial port on stdio, not on pty.", Assert.Throws<UserErrorException>(() => ConfigurationWriter.Write(vm)).Message);
    }

    [Fact]
    public void AnyDamageGivesAUsersError()
    {
        byte[] whole = Encoding.UTF8.GetBytes(SeedConfiguration.Json);
        Gen<(int At, byte Value)[]> damages = Gen.Choose(0, whole.Length - 1).SelectMany(at => Gen.Choose(0, 255).Select(value => (at, (byte)value))).ArrayOf();
        Prop.ForAll(
            damages.ToArbitrary(),
            all =>
            {
                byte[] damaged = (byte[])whole.Clone();
                foreach ((int at, byte value) in all)
                {
                    damaged[at] = value;
                }

                try
                {
                    ConfigurationReader.Read(damaged);
                }
                catch (UserErrorException e)
                {
                    Assert.NotEmpty(e.Message);
                }
            }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000).WithQuietOnSuccess(true));
    }

    private static VmConfiguration Machine(string kernel, string? initrd, string line, long memory, int cpus, bool dump, int drives, SerialBackend serial)
    {
        VmConfiguration vm = new()
        {
            Kernel = kernel,
            Initrd = initrd,
            CommandLine = line,
            Memory = memory,
            Cpus = cpus,
            DumpGuestCore = dump,
            MemShare = drives % 2 == 1,
            HotPlug = drives % 3 == 1,
            Serial = new SerialConfiguration(serial),
        };
        (vm.Backing.Path, vm.Backing.Huge) = drives == 2 ? ("/dev/huge pages", true) : (null, false);
        vm.Backing.Preallocate = drives == 3;
        vm.Backing.Merge = drives == 4;
        for (int i = 0; i < drives; i++)
        {
            vm.IoThreads.Add(new IoThreadConfiguration($"t{i}"));
            vm.Drives.Add(new DriveConfiguration
            {
                Id = $"d {i}",
                File = $"/d/{i}",
                ReadOnly = i % 2 == 0,
                Serial = i % 3 == 0 ? null : $"s{i}",
                Cache = i % 2 == 0 ? DriveCache.None : null,
                Iops = i * 1000,
                IoThread = i % 2 == 0 ? null : $"t{i - 1}",
            });
        }

        return vm;
    }

    private static VmConfiguration Read(string json) => ConfigurationReader.Read(Encoding.UTF8.GetBytes(json));
}
