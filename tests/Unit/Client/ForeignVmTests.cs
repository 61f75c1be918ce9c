using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Strato.Client;
using Strato.Client.Configurations;
using Strato.Client.Runtime;
using Strato.Protocol.Configuration;
using Xunit;

namespace Strato.Tests.Unit.Client;

/// <summary>VMs as libvirt and command lines describe them: what becomes of them, and that all else is told.</summary>
public sealed class ForeignVmTests
{
    private const string Domain = """
        <?xml version="1.0"?>
        <domain type='kvm' id='3' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
          <name>web</name>
          <uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>
          <title>A title</title>
          <description>More of it</description>
          <memory unit='GiB'>1</memory>
          <currentMemory unit='KiB'>524288</currentMemory>
          <memoryBacking><hugepages><page size='2' unit='M'/></hugepages><locked/></memoryBacking>
          <vcpu placement='static' current='2' cpuset='0'>4</vcpu>
          <iothreads>2</iothreads>
          <cputune><shares>512</shares><vcpupin vcpu='1' cpuset='1'/><emulatorpin cpuset='0-1'/><iothreadpin iothread='2' cpuset='0'/><quota>1000</quota></cputune>
          <cpu mode='custom'><model fallback='allow'>x86-64-v2</model><topology sockets='1' dies='1' cores='2' threads='2'/><feature policy='disable' name='rdtscp'/><feature policy='optional' name='aes'/></cpu>
          <os><type arch='x86_64' machine='pc-q35-8.0'>hvm</type><kernel>/boot/k</kernel><initrd>i</initrd><cmdline>console=ttyS0
             quiet</cmdline><boot dev='hd'/></os>
          <features><acpi/><apic/><vmport state='off'/></features>
          <on_poweroff>destroy</on_poweroff><on_reboot>destroy</on_reboot>
          <devices>
            <emulator>/usr/bin/qemu-system-x86_64</emulator>
            <disk type='file' device='disk'>
              <driver name='qemu' type='raw' cache='none' io='native' discard='unmap' iothread='1' queues='4' error_policy='enospace'/>
              <source file='/d/a.img'/><target dev='vda' bus='virtio'/><serial>S1</serial><readonly/>
              <iotune><total_iops_sec>100</total_iops_sec><total_bytes_sec>5</total_bytes_sec></iotune>
              <address type='pci' bus='0x00'/>
            </disk>
            <disk type='block' device='disk'><driver name='qemu' type='raw'/><source dev='/dev/vg/b'/><target dev='sda' bus='sata'/><address type='drive'/></disk>
            <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/d/c.qcow2'/><target dev='vdc' bus='virtio'/></disk>
            <interface type='ethernet'><mac address='52:54:00:11:22:33'/><target dev='tap0' managed='no'/><model type='virtio'/><driver name='vhost' queues='2'/></interface>
            <interface type='user'><backend type='passt'/><portForward proto='tcp' address='127.0.0.1'><range start='2222' to='22'/><range start='80' end='90'/></portForward><link state='down'/></interface>
            <interface type='network'><source network='default'/></interface>
            <serial type='pty'><target port='0'/></serial>
            <console type='pty'><target type='serial' port='0'/></console>
            <console type='unix'><source mode='bind' path='/run/c.sock'/><target type='virtio' port='1'/></console>
            <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
            <channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>
            <filesystem type='mount'><driver type='virtiofs'/><source dir='/srv'/><target dir='share'/></filesystem>
            <memballoon model='virtio' autodeflate='on'><stats period='5'/></memballoon>
            <rng model='virtio'><backend model='random'>/dev/random</backend><rate bytes='1024' period='2000'/></rng>
            <vsock model='virtio'><cid auto='yes' address='7'/></vsock>
            <graphics type='vnc' port='-1'/>
            <video><model type='qxl'/></video>
          </devices>
          <qemu:commandline><qemu:arg value='-foo'/></qemu:commandline>
        </domain>
        """;

    [Fact]
    public void ADomainBecomesAVm()
    {
        VmConfigurationDocument document = ReadXml(Domain);
        VmDefinition vm = Definition(document);
        Assert.Equal(("web", "A title\nMore of it", 1L << 30, 2L << 20, 2, 4), (vm.Name, vm.Notes, vm.Memory, vm.HugePage, vm.Cpu, vm.Processor.Maximum));
        Assert.Equal(("/boot/k", "/dir/i", "console=ttyS0 quiet"), (vm.Kernel, vm.Initrd, vm.CommandLine));
        ProcessorDefinition cpu = vm.Processor;
        Assert.Equal((1, null, 2, 2, "x86-64-v2", 512), (cpu.Sockets, cpu.Dies, cpu.Cores, cpu.Threads, cpu.Model, cpu.Weight));
        Assert.Equal(["-rdtscp"], cpu.Features);
        Assert.Equal(["1 1", "iothread2 0", " 0-1", "0 0", "2 0", "3 0"], cpu.Affinity.Select(pin => $"{pin.Cpu}{pin.IoThread} {pin.HostCpus}"));
        Assert.Equal(["iothread1", "iothread2"], vm.IoThreads.Select(thread => thread.Id));
        Assert.Equal(
            new DriveDefinition
            {
                Id = "vda",
                Path = "/d/a.img",
                ReadOnly = true,
                Serial = "S1",
                Io = new() { Cache = DriveCache.None, Aio = DriveAio.Native, Discard = DriveDiscard.Unmap, IoThread = "iothread1", QueueCount = 4, WriteErrorAction = DriveErrorAction.Enospc, Iops = 100 },
                Extra = vm.Drives[0].Extra,
            },
            vm.Drives[0]);
        Assert.Equal(("sda", "/dev/vg/b"), (vm.Drives[1].Id, vm.Drives[1].Path));
        Assert.Equal(2, vm.Drives.Count);
        Assert.Equal(("tap0", "52:54:00:11:22:33", true, 2), (vm.NetworkAdapters[0].Settings.TapName, vm.NetworkAdapters[0].Settings.MacAddress, vm.NetworkAdapters[0].Settings.Vhost, vm.NetworkAdapters[0].Settings.QueueCount));
        Assert.Equal((true, false), (vm.NetworkAdapters[1].Settings.User, vm.NetworkAdapters[1].Settings.Connected));
        Assert.Equal(["tcp:127.0.0.1:2222-:22"], vm.NetworkAdapters[1].Settings.PortForward!);
        Assert.Equal(["hvc0 True Socket /run/c.sock", "org.qemu.guest_agent.0 False Socket "], vm.ConsolePorts.Select(port => $"{port.Id} {port.Terminal} {port.Backend} {port.Path}"));
        Assert.Equal(("share", "/srv"), (vm.SharedFolders[0].Tag, vm.SharedFolders[0].Path));
        Assert.Equal((42L, "/dev/random", 1024L, 2000L), (vm.Vsock!.GuestCid, vm.Rng!.Source, vm.Rng.MaxBytes, vm.Rng.Period));

        // With huge pages there is no balloon.
        Assert.Null(vm.Balloon);
        Told(
            document,
            "<currentMemory>", "<memoryBacking/locked>", "<quota>", "the CPU feature 'aes'", "machine='pc-q35-8.0'", "<os/boot>", "<features/vmport>", "<on_reboot>destroy", "<emulator>", "<uuid>",
            "<iotune/total_bytes_sec>", "<disk/address>", "bus='sata'", "<disk> 'vdc'", "<range start='80'>", "<interface type='network'>", "<channel type='spicevmc'>", "<memballoon>",
            "<memballoon/stats>", "<graphics>", "<video>", "<commandline>");
        Assert.Contains(document.Warnings, warning => warning.StartsWith("x.xml, lines 24, 26: <disk/address> can't be carried over: devices have their places", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("<memory>524288</memory>", 512L << 20)]
    [InlineData("<memory unit='bytes'>536870912</memory>", 512L << 20)]
    [InlineData("<memory unit='b'>536870913</memory>", (512L << 20) + 4096)]
    [InlineData("<memory unit='MB'>512</memory>", 512_000_000)]
    [InlineData("<memory unit='m'> 512 </memory>", 512L << 20)]
    [InlineData("<memory unit='G'>1</memory>", 1L << 30)]
    [InlineData("<memory unit='TiB'>1</memory>", 1L << 40)]
    [InlineData("", 512L << 20)]
    public void MemoryHasUnits(string xml, long bytes) => Assert.Equal(bytes, Definition(ReadXml($"<domain type='kvm'><name>a</name>{xml}</domain>")).Memory);

    [Theory]
    [InlineData("<domain><memory unit='X'>1</memory></domain>", "line 1: '1' with the unit 'X' is no amount of memory")]
    [InlineData("<domain>\n<memory>x</memory></domain>", "line 2: 'x' with the unit")]
    [InlineData("<network/>", "line 1: it is <network>; a libvirt domain is expected")]
    [InlineData("<domain>\n<name></domain>", "line 2: ")]
    [InlineData("", "Root element is missing")]
    [InlineData("<!DOCTYPE domain [<!ENTITY a 'b'>]>\n<domain><name>&a;</name></domain>", "it has a DTD, which is not allowed")]
    [InlineData("<!DOCTYPE domain SYSTEM 'file:///etc/passwd'><domain/>", "it has a DTD, which is not allowed")]
    [InlineData("<domain><name>&a;</name></domain>", "line 1: Reference to undeclared entity 'a'")]
    public void WhatIsNoDomainIsRefusedWithItsLine(string xml, string message)
    {
        StratoException error = Assert.Throws<StratoException>(() => ReadXml(xml));
        Assert.Equal("InvalidDomainXml", error.Id);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void DamagedDomainsAreRefusedInOrder()
    {
        Random random = new(3);
        int read = 0;
        for (int i = 0; i < 3000; i++)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(Domain);
            for (int hits = 1 << random.Next(3); hits > 0; hits--)
            {
                bytes = Damage(bytes, random, ["<disk>", "</devices>", "'", "&lt;", "<a><a>", "<!DOCTYPE a>", "unit='KB'", "-1", "99999999999999999999", "<vcpu>"]);
            }

            try
            {
                Definition(DomainXml.Read(new MemoryStream(bytes), "x.xml", "/dir", () => 42, static (_, _) => null));
                read++;
            }
            catch (StratoException)
            {
                // Refused, which is right.
            }
        }

        Assert.InRange(read, 100, 2900);
        string deep = string.Concat(Enumerable.Repeat("<a>", 100_000)) + string.Concat(Enumerable.Repeat("</a>", 100_000));
        Assert.Throws<StratoException>(() => ReadXml($"<domain>{deep}</domain>"));
    }

    [Fact]
    public void ACommandLineOfQemuBecomesAVm()
    {
        VmConfigurationDocument document = StratoClient.ReadCommandLine(
            """
            qemu-system-x86_64 -name guest=web,debug-threads=on -enable-kvm -M q35,accel=kvm -m size=1G,slots=2 \
              -smp 4,sockets=1,cores=2,threads=2 -cpu host,+aes,-rdtscp,foo=on \
              -kernel vmlinuz -initrd 'my initrd' -append "console=ttyS0 root=/dev/vda" # all of it
              -object iothread,id=io -object rng-random,id=r,filename=/dev/random \
              -drive file=/d/a,,b.img,id=hd,if=none,format=raw,cache=none,aio=native -device virtio-blk-pci,drive=hd,serial=S1,iothread=io,bus=pcie.0 \
              -drive file=c.qcow2,format=qcow2,if=virtio -cdrom x.iso \
              -netdev user,id=n0,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=udp::53-:53 -device virtio-net-pci,netdev=n0,mac=52:54:00:11:22:33 \
              -netdev tap,id=n1,ifname=tap0,script=no,vhost=on -device virtio-net-device,netdev=n1 \
              -chardev socket,id=c,path=/run/c,server=on,wait=off -device virtio-serial-pci -device virtserialport,chardev=c,name=org.qemu.guest_agent.0 \
              -device virtio-rng-pci,rng=r -device vhost-vsock-pci,guest-cid=5 -device virtio-balloon-pci -device usb-tablet \
              -nographic -display none -vnc :0 -S -qmp unix:/q,server,nowait --serial mon:stdio -bios x -frobnicate y
            """,
            "/dir");
        VmDefinition vm = Definition(document);
        Assert.Equal(("web", 1L << 30, 4, "/dir/vmlinuz", "/dir/my initrd", "console=ttyS0 root=/dev/vda"), (vm.Name, vm.Memory, vm.Cpu, vm.Kernel, vm.Initrd, vm.CommandLine));
        Assert.Equal((1, 2, 2, null, null), (vm.Processor.Sockets, vm.Processor.Cores, vm.Processor.Threads, vm.Processor.Maximum, vm.Processor.Model));
        Assert.Equal(["+aes", "-rdtscp"], vm.Processor.Features);
        Assert.Equal(["hd /d/a,b.img False S1 io", "cdrom /dir/x.iso True  "], vm.Drives.Select(drive => $"{drive.Id} {drive.Path} {drive.ReadOnly} {drive.Serial} {drive.Io.IoThread}"));
        Assert.Equal(["n0  52:54:00:11:22:33 2", "n1 tap0  "], vm.NetworkAdapters.Select(one => $"{one.Id} {one.Settings.TapName} {one.Settings.MacAddress} {one.Settings.PortForward?.Count}"));
        Assert.True(vm.ConsolePorts.Single().IsGuestAgent);
        Assert.Equal(("/dev/random", 5L, true), (vm.Rng!.Source, vm.Vsock!.GuestCid, vm.Balloon is not null));
        Told(
            document,
            "-name debug-threads=on", "-machine q35", "-m slots=2", "the CPU feature 'foo'", "-device bus=pcie.0", "-drive 'disk1'", "-device usb-tablet", "-vnc :0", "-S", "-qmp unix:/q,server,nowait", "-bios x", "-frobnicate y");
        Assert.Contains("-FromCommandLine, line 1: -machine q35 can't be carried over: the machine is a microvm; its guest needs virtio drivers, and no PCI.", document.Warnings);
    }

    [Fact]
    public void ACommandLineOfStratoVirtBecomesAVm()
    {
        VmConfigurationDocument document = StratoClient.ReadCommandLine(
            "/usr/bin/stratovirt -machine microvm,mem-share=on -smp 1 -m 1024 -kernel /k -append console=ttyS0 pci=off reboot=k "
            + "-drive file=/rootfs,id=rootfs,readonly=off,direct=off -device virtio-blk-device,drive=rootfs,id=rootfs -api-channel unix:/s -serial stdio -iothread id=t",
            "/");
        VmDefinition vm = Definition(document);
        Assert.Equal((1024L << 20, "console=ttyS0 pci=off reboot=k", "rootfs", false), (vm.Memory, vm.CommandLine, vm.Drives.Single().Id, vm.Drives[0].Io.Direct));
        Told(document, "-api-channel unix:/s");
    }

    /// <summary>What starts an engine describes its VM: so the reader knows all that the writer does.</summary>
    [Fact]
    public void TheCommandLineOfAnEngineIsTheVmItself() =>
        Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed => IsKept(RandomVm.Make(new Random(seed)))).Check(Config.QuickThrowOnFailure.WithQuietOnSuccess(true).WithMaxTest(500));

    [Theory]
    [InlineData("a b", "a|b")]
    [InlineData("  'a b'\t\"c d\"  ", "a b|c d")]
    [InlineData("a'b'\"c\"\\ d", "abc d")]
    [InlineData("'' \"\"", "|")]
    [InlineData("a \\\n b # c\nd", "a|b|d")]
    [InlineData("\"\\$x \\q\\\\\" '\\'", "$x \\q\\|\\")]
    [InlineData("a#b", "a#b")]
    public void WordsAreTheShells(string text, string words) => Assert.Equal(words.Split('|'), ShellWords.Split(text).Select(word => word.Text));

    [Theory]
    [InlineData("-kernel k 'x", "InvalidCommandLine", "line 1: the quote ' isn't closed")]
    [InlineData("-kernel \\\n $HOME/k", "InvalidCommandLine", "line 2: '$' has a meaning for a shell")]
    [InlineData("-kernel \"`x`\"", "InvalidCommandLine", "line 1: '`' has a meaning for a shell")]
    [InlineData("a | b", "InvalidCommandLine", "'|' has a meaning")]
    [InlineData("-kernel k \\\n -m 1X", "InvalidMemory", "-FromCommandLine, line 2, -m: '1X' is not an amount of memory")]
    [InlineData("-m 3,size=4", "InvalidOption", "'size' is given twice")]
    [InlineData("-kernel k\n-device virtio-blk-device", "InvalidOption", "line 2, -device drive: 'drive' is missing")]
    [InlineData("-smp x", "InvalidOption", "'cpus=x' is not a whole number")]
    [InlineData("-netdev user,id=n,hostfwd=x", "InvalidForward", "'x' isn't [tcp|udp]")]
    public void AFaultyCommandLineIsRefusedWithItsLine(string text, string id, string message)
    {
        StratoException error = Assert.Throws<StratoException>(() => StratoClient.ReadCommandLine(text, "/"));
        Assert.Equal(id, error.Id);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void DamagedCommandLinesAreRefusedInOrder()
    {
        Random random = new(4);
        int read = 0;
        for (int i = 0; i < 3000; i++)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(CommandLineOf(RandomVm.Make(random) with { HugePage = null }));
            for (int hits = 1 << random.Next(4); hits > 0; hits--)
            {
                bytes = Damage(bytes, random, ["'", "\"", "\\", " -device ", ",id=", " -", "=", ",", "9999999999", " -smp 2,", "hostfwd=tcp::1-:1", "\n", "$"]);
            }

            try
            {
                Definition(StratoClient.ReadCommandLine(Encoding.UTF8.GetString(bytes), "/"));
                read++;
            }
            catch (StratoException)
            {
                // Refused, which is right.
            }
        }

        Assert.InRange(read, 100, 2900);
    }

    private static bool IsKept(VmDefinition made)
    {
        VmDefinition vm = made with
        {
            Notes = "",
            NoSandbox = false,
            Ephemeral = false,
            HugePage = null,
            Processor = made.Processor with { Weight = null, Quota = null, Affinity = [], Maximum = made.Processor.Maximum == made.Cpu ? null : made.Processor.Maximum },
            // The tap of a switch is one that is made for it.
            NetworkAdapters = [.. made.NetworkAdapters.Where(adapter => adapter.Settings.SwitchName is null).Select(adapter => adapter with { Settings = adapter.Settings with { Connected = null } })],
            ConsolePorts = [.. made.ConsolePorts.Select(port => port with { Path = port.Backend == ConsolePortBackend.Pty ? null : DeviceArguments.PathOf(port, "/run") })],
        };
        VmDefinition read = Definition(StratoClient.ReadCommandLine(CommandLineOf(vm), "/"));
        Assert.Equal(DataFileWriter.Inline(VmForm.Vm.Write(vm, all: true), null), DataFileWriter.Inline(VmForm.Vm.Write(read, all: true), null));
        return true;
    }

    private static string CommandLineOf(VmDefinition vm) =>
        "strato-engine " + string.Join(' ', EngineArguments.Build(vm, "/run", "/log", "/console", new StartOptions { Paused = true, Force = true }).Select(word => $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'"));

    private static byte[] Damage(byte[] bytes, Random random, string[] words)
    {
        List<byte> damaged = [.. bytes];
        int at = random.Next(damaged.Count);
        int length = Math.Min(random.Next(1, 20), damaged.Count - at);
        switch (random.Next(4))
        {
            case 0:
                damaged[at] = (byte)random.Next(32, 127);
                break;
            case 1:
                damaged.RemoveRange(at, length);
                break;
            case 2:
                damaged.InsertRange(at, damaged.GetRange(at, length));
                break;
            default:
                damaged.InsertRange(at, Encoding.UTF8.GetBytes(words[random.Next(words.Length)]));
                break;
        }

        return damaged.Count == 0 ? [(byte)' '] : [.. damaged];
    }

    [Theory]
    [InlineData("<readonly/>", true, null)]
    [InlineData("", false, null)]
    [InlineData("<encryption format='luks'><secret type='passphrase'/></encryption>", false, "it is encrypted")]
    [InlineData("SOURCE<encryption format='luks'/>", false, "it is encrypted")]
    [InlineData("SOURCE<slices><slice type='storage' offset='512' size='1024'/></slices>", false, "it is a part of its image")]
    public void ADiskThatIsNotWhatItsFileIsIsLeft(string inner, bool isReadOnly, string? why)
    {
        const string Source = "SOURCE";
        bool inSource = inner.StartsWith(Source, StringComparison.Ordinal);
        string disk = inSource ? $"<source file='/d/a'>{inner[Source.Length..]}</source>" : $"<source file='/d/a'/>{inner}";
        VmConfigurationDocument document = ReadXml($"<domain type='kvm'><name>web</name><memory>524288</memory><os><type>hvm</type><kernel>/k</kernel></os><devices><disk type='file'>{disk}<target dev='vda' bus='virtio'/></disk></devices></domain>");
        if (why is null)
        {
            Assert.Equal(("/d/a", isReadOnly), (Assert.Single(Definition(document).Drives).Path, Definition(document).Drives[0].ReadOnly));
            Assert.Empty(document.Warnings);
            return;
        }

        Assert.Empty(Definition(document).Drives);
        Assert.Contains($"<disk> 'vda' can't be carried over: {why}", Assert.Single(document.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void NetworksAndBridgesAreSwitchesWhereThereAreSuch()
    {
        const string Xml = """
            <domain type='kvm'><name>web</name><memory>524288</memory><vcpu>1</vcpu><os><type>hvm</type><kernel>/k</kernel></os><devices>
              <interface type='network'><mac address='52:54:00:11:22:33'/><source network='default'/><target dev='vnet0'/><model type='virtio'/><driver queues='2'/></interface>
              <interface type='bridge'><source bridge='br0'/><link state='down'/></interface>
              <interface type='bridge'><source bridge='br9'/><target dev='tap9'/></interface>
              <interface type='network'><source network='other'/></interface>
              <interface type='bridge'><source bridge='br8'/></interface>
            </devices></domain>
            """;
        VmConfigurationDocument document = DomainXml.Read(
            new MemoryStream(Encoding.UTF8.GetBytes(Xml)), "x.xml", "/dir", () => 42, (network, bridge) => (network, bridge) switch { ("default", null) => "Default", (null, "br0") => "lan", _ => null });
        Assert.Equal(
            ["Default  52:54:00:11:22:33 2 ", "lan    False", " tap9   "],
            Definition(document).NetworkAdapters.Select(one => one.Settings).Select(one => $"{one.SwitchName} {one.TapName} {one.MacAddress} {one.QueueCount} {one.Connected}"));
        Told(document, "the bridge 'br9'", "<interface type='network'>", "<interface type='bridge'>");
        Assert.Contains(document.Warnings, warning => warning.Contains("New-StratoSwitch 'other' -Nat", StringComparison.Ordinal));
        Assert.Contains(document.Warnings, warning => warning.Contains("-NetAdapterName br8", StringComparison.Ordinal));
    }

    [Fact]
    public void AnAddressThatIsChosenIsFreeWhenTheVmIsMade()
    {
        using ClientFixture fixture = new();
        string path = fixture.WriteFile("x.xml", $"<domain type='kvm'><name>web</name><memory>524288</memory><os><type>hvm</type><kernel>{fixture.Kernel}</kernel></os><devices><vsock><cid auto='yes'/></vsock></devices></domain>");
        VmConfigurationDocument first = fixture.Client.ReadDomainXml(path), second = fixture.Client.ReadDomainXml(path);
        Assert.Equal(3, fixture.Client.Import(first).Vsock!.GuestCid);
        Assert.Equal(4, fixture.Client.Import(second, new VmSettings { Name = "other" }).Vsock!.GuestCid);

        // One that is given is kept.
        File.WriteAllText(path, File.ReadAllText(path).Replace("auto='yes'", "address='3'", StringComparison.Ordinal));
        Assert.Equal(3, fixture.Client.Import(fixture.Client.ReadDomainXml(path), new VmSettings { Name = "third" }).Vsock!.GuestCid);
    }

    [Fact]
    public void APipeIsNoFileAndHoldsUpNobody()
    {
        using ClientFixture fixture = new();
        string path = Path.Combine(fixture.Root, "pipe.json");
        using (System.Diagnostics.Process made = System.Diagnostics.Process.Start("mkfifo", path))
        {
            made.WaitForExit();
        }

        Assert.Contains("no file", ClientFixture.Fails("DomainXmlNotReadable", () => fixture.Client.ReadDomainXml(path)).Message, StringComparison.Ordinal);
        ClientFixture.Fails("ConfigurationNotReadable", () => StratoClient.ReadConfiguration(path));
        ClientFixture.Fails("ConfigurationNotReadable", () => StratoClient.ReadConfiguration(fixture.Root, VmConfigurationFormat.Json));
        ClientFixture.Fails("ConfigurationNotFound", () => StratoClient.ReadConfiguration(path + ".gone.json"));
    }

    /// <summary>Exactly these are told, each in a warning of its own.</summary>
    private static void Told(VmConfigurationDocument document, params string[] what)
    {
        Assert.All(what, one => Assert.Contains(document.Warnings, warning => warning.Contains($": {one}", StringComparison.Ordinal)));
        Assert.True(what.Length == document.Warnings.Count, string.Join('\n', document.Warnings));
    }

    private static VmConfigurationDocument ReadXml(string xml) => DomainXml.Read(new MemoryStream(Encoding.UTF8.GetBytes(xml)), "x.xml", "/dir", () => 42, static (_, _) => null);

    private static VmDefinition Definition(VmConfigurationDocument document) => VmForm.Vm.Read(VmForm.Blank(), document.Value, whole: true);
}
