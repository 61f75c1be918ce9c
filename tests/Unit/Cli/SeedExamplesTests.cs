using System;
using System.Linq;
using System.Text;
using Strato.Engine.Cli;
using Strato.Engine.Qmp;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Xunit;

namespace Strato.Tests.Unit.Cli;

/// <summary>What the seeds print for the microVM, and docs/seed-errata.md, which names all of it that isn't built yet.</summary>
public class SeedExamplesTests
{
    // Seed 000, tables 1 and 3; seed 003, "恢复虚拟机".
    private const string PrintedOptions =
        "-name -machine -kernel -append -initrd -smp -m -drive -netdev -chardev -device -api-channel -serial -D -pidfile -disable-seccomp -daemonize"
        + " -iothread -balloon -mem-path -config -qmp -incoming";

    // Seed 000, table 1; seed 003, "恢复虚拟机".
    private const string PrintedDevices = "vsock virtio-blk-device";

    // Seed 000, table 2 and the example.
    private const string PrintedFields =
        "boot-source machine-config machine-config.dump_guest_core machine-config.mem-share machine-config.mem_path drive net console vsock serial iothread balloon";

    // Seeds 001 and 003.
    private const string PrintedCommands =
        "query-status query-cpus query-hotpluggable-cpus stop cont quit blockdev-add device_add device_del blockdev-del netdev_add netdev_del balloon"
        + " query-balloon migrate query-migrate";

    [Fact]
    public void AllThatThePrintedExamplesNameIsThere()
    {
        Assert.DoesNotContain(Words(PrintedOptions), name => !OptionTable.TryFind(name, out _));
        Assert.DoesNotContain(Words(PrintedDevices), name => IsUnknown(() => Options.Parse(["-kernel", "k", "-device", name])));
        Assert.DoesNotContain(Words(PrintedFields), name => IsUnknown(() => ReadField(name)));
        Assert.Empty(Words(PrintedCommands).Except(QmpCommands.List.Select(command => command.Name)));
    }

    [Fact]
    public void TheFirstSeedsTableOfOptionsIsTakenAsPrinted()
    {
        Options options = Options.Parse([
            "-name", "VMname", "-machine", "type=MicroVm,dump-guest-core=on,mem-share=off", "-kernel", "/path/to/vmlinux.bin",
            "-append", "console=ttyS0", "root=/dev/vda", "reboot=k", "panic=1", "rw", "-initrd", "/path/to/initrd.img", "-smp", "cpus=4", "-m", "268435456",
            "-drive", "id=rootfs,file=/path/to/rootfs,readonly=false,direct=true,serial=serial_num,iothread=iothread1,iops=200",
            "-api-channel", "unix:/path/to/socket", "-serial", "stdio", "-D", "/path/to/logfile", "-pidfile", "/path/to/pidfile",
            "-disable-seccomp", "-daemonize", "-iothread", "id=iothread1", "-iothread", "id=iothread2",
            "-netdev", "id=iface_id,netdev=tap0,mac=52:54:00:12:34:56,iothread=iothread2", "-chardev", "id=console_id,path=/path/to/socket",
            "-device", "vsock,id=vsock_id,guest-cid=3", "-balloon", "deflate-on-oom=true",
        ]);
        DriveConfiguration drive = Assert.Single(options.Configuration.Drives);
        Assert.Equal((true, "serial_num", "iothread1", 200), (drive.IsDirect, drive.Serial, drive.IoThread, drive.Iops));
        Assert.True(options.Configuration.DumpGuestCore);
        Assert.Equal(["balloon", "net", "virtio-serial", "vsock"], options.Configuration.Devices.Select(device => device.Kind).Order());
    }

    [Fact]
    public void TheFirstSeedsFieldsOfTheMachineAreTakenAsPrinted()
    {
        VmConfiguration vm = ConfigurationReader.Read("""
            {"machine-config": {"type": "MicroVm","vcpu_count": 4,"mem_size": 805306368,"dump_guest_core": false,"mem-share": false,"mem_path":"/path/to/backend"}}
            """u8);
        Assert.Equal((4, 805306368L, false, "/path/to/backend"), (vm.Cpus, vm.Memory, vm.DumpGuestCore, vm.Backing.Path));
    }

    private static string[] Words(string text) => text.Split(' ');

    /// <summary>The names that the page's last table gives in a row.</summary>

    private static void ReadField(string path)
    {
        string[] names = path.Split('.');
        string value = names.Length == 1 ? "1" : $"{{\"{names[1]}\": 1}}";
        string json = $$"""{"{{names[0]}}": {{value}}}""";
        ConfigurationReader.Read(Encoding.UTF8.GetBytes(json));
    }

    private static bool IsUnknown(Action action)
    {
        try
        {
            action();
            return false;
        }
        catch (UserErrorException error)
        {
            return error.Message.StartsWith("The device", StringComparison.Ordinal) || error.Id == "UnknownField";
        }
    }
}
