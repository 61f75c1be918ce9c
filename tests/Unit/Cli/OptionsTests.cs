using System;
using System.IO;
using System.Text;
using Strato.Engine.Cli;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Xunit;

namespace Strato.Tests.Unit.Cli;

public class OptionsTests
{
    // Seed 000, "命令行配置", 配置示例.
    [Fact]
    public void TheFirstSeedsExampleWorksAsPrinted()
    {
        VmConfiguration vm = Options.Parse([
            "-kernel", "/path/to/vmlinux.bin",
            "-append", "console=ttyS0", "root=/dev/vda", "rw", "reboot=k", "panic=1",
            "-drive", "file=/home/rootfs.ext4,id=rootfs,readonly=false",
            "-api-channel", "unix:/tmp/stratovirt.socket",
            "-serial", "stdio",
        ]).Configuration;
        Assert.Equal("/path/to/vmlinux.bin", vm.Kernel);
        Assert.Equal("console=ttyS0 root=/dev/vda rw reboot=k panic=1", vm.CommandLine);
        DriveConfiguration drive = Assert.Single(vm.Drives);
        Assert.Equal(("rootfs", "/home/rootfs.ext4", false), (drive.Id, drive.File, drive.ReadOnly));
        Assert.Equal(["/tmp/stratovirt.socket"], vm.QmpSockets);
        Assert.Equal(SerialBackend.Stdio, vm.Serial.Backend);
        Assert.Equal((1, 256L << 20, "microvm"), (vm.Cpus, vm.Memory, vm.MachineType));
    }

    // Seed 003, "恢复虚拟机", the command line that the snapshot is made from.
    [Fact]
    public void TheNewerGenerationsExampleWorks()
    {
        VmConfiguration vm = Options.Parse([
            "-machine", "microvm", "-kernel", "/path/to/kernel", "-smp", "1", "-m", "1024",
            "-append", "console=ttyS0 pci=off reboot=k quiet panic=1 root=/dev/vda",
            "-drive", "file=/path/to/rootfs,id=rootfs,readonly=off,direct=off",
            "-device", "virtio-blk-device,drive=rootfs",
            "-qmp", "unix:/path/to/socket,server,nowait",
            "-serial", "stdio",
        ]).Configuration;
        Assert.Equal(1L << 30, vm.Memory);
        Assert.Equal("rootfs", Assert.Single(vm.Drives).Id);
        Assert.Equal(["/path/to/socket"], vm.QmpSockets);
    }

    [Fact]
    public void WhatTheClientStartsIsUnderstood()
    {
        Options options = Options.Parse([
            "-name", "-kernel", "-machine", "type=microvm", "-kernel", "K", "-initrd", "I", "-append", "a -b c", "-m", "536870912", "-smp", "2",
            "-drive", "id=d0,file=/tmp/a,,b,readonly=on,serial=S", "-device", "virtio-blk-device,drive=d0,id=d0",
            "-serial", "console,socket=/run/c.sock,log=/run/c.log", "-qmp", "unix:/run/q.sock,server,nowait", "-D", "/run/log", "-ready-fd", "3",
        ]);
        VmConfiguration vm = options.Configuration;
        Assert.Equal(("-kernel", "K", "I", "a -b c", 2, 512L << 20), (vm.Name, vm.Kernel, vm.Initrd, vm.CommandLine, vm.Cpus, vm.Memory));
        Assert.Equal(("/tmp/a,b", true, "S"), (vm.Drives[0].File, vm.Drives[0].ReadOnly, vm.Drives[0].Serial));
        Assert.Equal(new SerialConfiguration(SerialBackend.Console, "/run/c.sock", "/run/c.log"), vm.Serial);
        Assert.Equal("/run/log", vm.LogFile);
        Assert.Equal(3, options.ReadyDescriptor);
    }

    [Fact]
    public void DevicesOrderTheDisks()
    {
        VmConfiguration vm = Options.Parse([
            "-kernel", "k", "-drive", "file=/a,id=a", "-drive", "file=/b,id=b", "-drive", "file=/c,id=c",
            "-device", "virtio-blk-device,drive=c,id=first,serial=1", "-device", "virtio-blk-device,drive=a",
        ]).Configuration;
        Assert.Equal(["b", "c", "a"], vm.Drives.ConvertAll(d => d.Id));
        Assert.Equal(("first", "1"), (vm.Drives[1].DeviceId, vm.Drives[1].Serial));
    }

    [Fact]
    public void TheCommandLineWinsOverTheFile()
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, """
                {
                  "boot-source": {"kernel_image_path": "/k", "boot_args": "quiet", "initrd_fs_path": "/i"},
                  "machine-config": {"type": "MicroVm", "vcpu_count": 2, "mem_size": 805306368},
                  "drive": [{"drive_id": "x", "path_on_host": "/x"}, {"drive_id": "y", "path_on_host": "/y"}],
                  "serial": {"stdio": true}
                }
                """);
            VmConfiguration vm = Options.Parse([
                "-m", "1G", "-config", path, "-append", "loud", "-drive", "file=/z,id=z", "-drive", "file=/other,id=x,readonly",
            ]).Configuration;
            Assert.Equal(("/k", "/i", "loud", 2, 1L << 30), (vm.Kernel, vm.Initrd, vm.CommandLine, vm.Cpus, vm.Memory));
            Assert.Equal(["x /other", "y /y", "z /z"], vm.Drives.ConvertAll(d => $"{d.Id} {d.File}"));
            Assert.True(vm.Drives[0].ReadOnly);
            Assert.Equal(SerialBackend.Stdio, vm.Serial.Backend);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void WhatQemusUsersPasteAndIsSoAnywayIsTaken()
    {
        string[] pasted = ["-nodefaults", "-nographic", "-enable-kvm", "-no-user-config", "-accel", "kvm", "-display", "none", "-vga", "none", "-monitor", "none", "-net", "none", "-nic", "none", "-parallel", "none"];
        VmConfiguration configuration = Options.Parse(["-M", "microvm,accel=kvm", "-kernel", "/k", .. pasted]).Configuration;
        Assert.Equal("/k", configuration.Kernel);
        Assert.Equal(SerialBackend.None, configuration.Serial.Backend);
        Assert.Empty(configuration.Devices);
    }

    [Theory]
    [InlineData("stdio", SerialBackend.Stdio, null)]
    [InlineData("none", SerialBackend.None, null)]
    [InlineData("null", SerialBackend.Null, null)]
    [InlineData("pty", SerialBackend.Pty, null)]
    [InlineData("file:/a=b", SerialBackend.File, "/a=b")]
    [InlineData("file,path=/a", SerialBackend.File, "/a")]
    [InlineData("unix:/s,server,nowait", SerialBackend.Unix, "/s")]
    [InlineData("socket,path=/s,server=on,wait=off", SerialBackend.Unix, "/s")]
    public void SerialBackends(string value, SerialBackend backend, string? path)
    {
        Assert.Equal(new SerialConfiguration(backend, path), Options.Parse(["-kernel", "k", "-serial", value]).Configuration.Serial);
    }

    [Theory]
    [InlineData("-m 100M", "InvalidMemory", "-m", "Memory of 100M (100 MiB) is out of range; allowed: 256 MiB to 512 GiB.")]
    [InlineData("-m 600G", "InvalidMemory", "-m", "Memory of 600G (600 GiB) is out of range; allowed: 256 MiB to 512 GiB.")]
    [InlineData("-m 524289", "InvalidMemory", "-m", "has no unit and could be MiB or bytes; up to 524288 a number is MiB, from 268435456 on bytes")]
    [InlineData("-m 9999999999999T", "InvalidMemory", "-m", "'9999999999999T' is not an amount of memory")]
    [InlineData("-m 300000001", "InvalidMemory", "-m", "not a multiple of the page size, 4096 bytes")]
    [InlineData("-smp 255", "InvalidCpuCount", "-smp", "255 vCPUs are out of range; allowed: 1 to 254.")]
    [InlineData("-smp 0", "InvalidCpuCount", "-smp", "0 vCPUs are out of range; allowed: 1 to 254.")]
    [InlineData("-smp two", "InvalidCpuCount", "-smp", "'two' is not a number of vCPUs")]
    [InlineData("-smp 2,socket=2", "InvalidOption", "-smp socket", "'socket' is unknown (did you mean sockets?); allowed: cpus, maxcpus, sockets, dies, cores, threads.")]
    [InlineData("-smp 2,cores=two", "InvalidOption", "-smp cores", "'cores=two' is not a whole number")]
    [InlineData("-smp 2,cores=0", "InvalidTopology", "-smp cores", "0 cores are out of range; allowed: 1 to 254.")]
    [InlineData("-smp 2,maxcpus=255", "InvalidTopology", "-smp maxcpus", "255 CPUs at most are out of range; allowed: 1 to 254.")]
    [InlineData("-smp 2,dies=9223372036854775807", "InvalidTopology", "-smp dies", "9223372036854775807 dies are out of range")]
    [InlineData("-smp 4,maxcpus=2", "InvalidTopology", "-smp maxcpus", "4 CPUs are more than the 2 that there can be; allowed: 1 to 2.")]
    [InlineData("-smp 8,sockets=2,cores=3", "InvalidTopology", "-smp sockets", "2 sockets of 3 cores of 1 thread are 6 CPUs, where there can be 8; sockets · dies · cores · threads has to be 8.")]
    [InlineData("-smp 5,cores=2", "InvalidTopology", "-smp sockets", "2 sockets of 2 cores of 1 thread are 4 CPUs, where there can be 5; sockets · dies · cores · threads has to be 5.")]
    [InlineData("-smp 2,threads=3", "InvalidTopology", "-smp sockets", "1 socket of 1 core of 3 threads are 3 CPUs, where there can be 2")]
    [InlineData("-smp 2,dies=2,cores=2", "InvalidTopology", "-smp sockets", "1 socket of 2 dies of 2 cores of 1 thread are 4 CPUs, where there can be 2")]
    [InlineData("-smp sockets=254,cores=254,dies=254,threads=254", "InvalidTopology", "-smp sockets", "are 4162314256 CPUs; allowed: 1 to 254.")]
    [InlineData("-kernal x", "UnknownOption", "-kernal", "The option '-kernal' is unknown (did you mean -kernel?); -help lists all.")]
    [InlineData("-vnc :1", "UnknownOption", "-vnc", "The option '-vnc' is QEMU's and isn't built here: the machine has no screen: -serial, and -chardev for hvc0, are its terminals.")]
    [InlineData("-hda /disk", "UnknownOption", "-hda", "The option '-hda' is QEMU's and isn't built here: -drive file=PATH,id=ID.")]
    [InlineData("-accel tcg", "InvalidOption", "-accel", "'-accel tcg' is an option of QEMU that isn't built here; allowed: -accel kvm, which is how it is.")]
    [InlineData("-display gtk", "InvalidOption", "-display", "'-display gtk' is an option of QEMU that isn't built here; allowed: -display none, which is how it is.")]
    [InlineData("-machine microvm,accel=tcg", "InvalidOption", "-machine accel", "'accel=tcg' is unknown; allowed: kvm.")]
    [InlineData("-mem-paht /dev/hugepages", "UnknownOption", "-mem-paht", "The option '-mem-paht' is unknown (did you mean -mem-path?); -help lists all.")]
    [InlineData("kernel", "UnknownOption", "kernel", "'kernel' is not an option; options begin with '-'")]
    [InlineData("-kernel", "InvalidOption", "-kernel", "-kernel needs a value: -kernel PATH")]
    [InlineData("-kernel -S", "InvalidOption", "-kernel", "-kernel needs a value, and the option -S follows")]
    [InlineData("-kernel a -kernel b", "InvalidOption", "-kernel", "-kernel is given twice; it is allowed once.")]
    [InlineData("-S", "KernelMissing", "-kernel", "No kernel is given")]
    [InlineData("-machine q35", "UnknownMachineType", "-machine type", "The machine type 'q35' is unknown; allowed: microvm.")]
    [InlineData("-machine microvm,mem-share=perhaps", "InvalidOption", "-machine mem-share", "'mem-share=perhaps' is neither on nor off")]
    [InlineData("-machine microvm,dump-guest-core=perhaps", "InvalidOption", "-machine dump-guest-core", "'dump-guest-core=perhaps' is neither on nor off; allowed: on, off, true, false, yes, no.")]
    [InlineData("-drive id=a", "InvalidOption", "-drive file", "'file' is missing: file=…")]
    [InlineData("-drive file=/a", "InvalidOption", "-drive id", "'id' is missing: id=…")]
    [InlineData("-drive file=/a,id=a,read-only=on", "InvalidOption", "-drive read-only", "'read-only' is unknown (did you mean readonly?); allowed: file, id, readonly, snapshot, aio, cache, direct, discard, detect-zeroes, iops, werror, rerror, serial, iothread, num-queues, queue-size, if, format.")]
    [InlineData("-drive file=/a,id=a,iops=1000001", "InvalidDrive", "-drive iops", "A limit of 1000001 requests a second on the drive 'a' is out of range; allowed: 0 (none) to 1000000.")]
    [InlineData("-drive file=/a,id=a,iops=-1", "InvalidDrive", "-drive iops", "A limit of -1 requests a second on the drive 'a' is out of range; allowed: 0 (none) to 1000000.")]
    [InlineData("-drive file=/a,id=a,iops=many", "InvalidOption", "-drive iops", "'iops=many' is not a whole number.")]
    [InlineData("-drive file=/a,id=a,aio=nativ", "InvalidOption", "-drive aio", "'aio=nativ' is unknown (did you mean native?); allowed: threads, native, io_uring, off.")]
    [InlineData("-drive file=/a,id=a,aio=native", "InvalidDrive", "-drive aio", "The drive 'a' has aio=native without direct=on (cache=none or cache=directsync), which it needs; allowed without: threads, io_uring, off.")]
    [InlineData("-drive file=/a,id=a,cache=none,direct=off", "InvalidDrive", "-drive direct", "The drive 'a' has direct=off and cache=none, which means direct=on; give one.")]
    [InlineData("-drive file=/a,id=a,cache=writeback,direct=on", "InvalidDrive", "-drive direct", "The drive 'a' has direct=on and cache=writeback, which means direct=off; give one.")]
    [InlineData("-drive file=/a,id=a,cache=write", "InvalidOption", "-drive cache", "'cache=write' is unknown; allowed: writeback, none, writethrough, directsync, unsafe.")]
    [InlineData("-drive file=/a,id=a,discard=on", "InvalidOption", "-drive discard", "'discard=on' is unknown; allowed: ignore, unmap.")]
    [InlineData("-drive file=/a,id=a,detect-zeroes=unmap", "InvalidDrive", "-drive detect-zeroes", "The drive 'a' has detect-zeroes=unmap without discard=unmap, which it needs; allowed without: off, on.")]
    [InlineData("-drive file=/a,id=a,num-queues=33", "InvalidDrive", "-drive num-queues", "33 queues of the drive 'a' are out of range; allowed: 1 to 32.")]
    [InlineData("-drive file=/a,id=a,num-queues=0", "InvalidDrive", "-drive num-queues", "0 queues of the drive 'a' are out of range; allowed: 1 to 32.")]
    [InlineData("-drive file=/a,id=a,queue-size=100", "InvalidDrive", "-drive queue-size", "A queue size of 100 of the drive 'a' is out of range; allowed: powers of two from 4 to 1024.")]
    [InlineData("-drive file=/a,id=a -device virtio-blk-device,drive=a,queue-size=2048", "InvalidDrive", "-drive queue-size", "A queue size of 2048 of the drive 'a' is out of range")]
    [InlineData("-drive file=/a,id=a,rerror=enospc", "InvalidOption", "-drive rerror", "'rerror=enospc' is unknown; allowed: report, ignore, stop.")]
    [InlineData("-drive file=/a,id=a,werror=pause", "InvalidOption", "-drive werror", "'werror=pause' is unknown; allowed: report, ignore, stop, enospc.")]
    [InlineData("-drive file=/a,id=a,format=qcow2", "InvalidOption", "-drive format", "'format=qcow2' is unknown; allowed: raw.")]
    [InlineData("-drive file=/a,id=a,serial=123456789012345678901", "InvalidSerialNumber", "-drive serial", "has 21 bytes; a serial number has 1 to 20")]
    [InlineData("-drive file=/a,id=a,id=b", "InvalidOption", "-drive", "'id' is given twice.")]
    [InlineData("-drive file=/a,id=a,", "InvalidOption", "-drive", "has an empty part")]
    [InlineData("-drive file=/a,id=a -drive file=/b,id=a", "DuplicateId", "-drive id", "The id 'a' is used by two drives")]
    [InlineData("-device virtio-blk-device,drive=a", "UnknownDrive", "-device drive", "No drive has the id 'a'")]
    [InlineData("-device virtio-net-device,netdev=a", "UnknownBackend", "-device netdev", "No netdev has the id 'a'; allowed is one of: (no -netdev of this kind is given).")]
    [InlineData("-drive file=/a,id=a -device virtio-blk-device,drive=a -device virtio-blk-device,drive=a", "InvalidOption", "-device drive", "used by two devices")]
    [InlineData("-drive file=/a,id=a,iothread=t -drive file=/b,id=b -device virtio-blk-device,drive=b", "UnknownIoThread", "-drive iothread", "The drive 'a' names the iothread 't', which isn't there; none is given, and -iothread id=ID makes one.")]
    [InlineData("-iothread id=s -object iothread,id=u -drive file=/a,id=a,iothread=t", "UnknownIoThread", "-drive iothread", "names the iothread 't', which isn't there; allowed: s, u.")]
    [InlineData("-iothread id=s -iothread id=t -drive file=/a,id=a,iothread=s -device virtio-blk-device,drive=a,iothread=t", "InvalidOption", "-device iothread", "The drive 'a' has iothread=s and its device iothread=t; give one.")]
    [InlineData("-iothread id=t -object iothread,id=t", "DuplicateId", "-object id", "The id 't' is used by two iothreads; ids are unique.")]
    [InlineData("-iothread id=", "InvalidId", "-iothread id", "has 0 characters; an id has 1 to 255.")]
    [InlineData("-iothread id=t,poll-max-ns=5", "InvalidOption", "-iothread poll-max-ns", "'poll-max-ns' is unknown; allowed: id.")]
    [InlineData("-object iothraed,id=t", "InvalidOption", "-object", "The object 'iothraed' is unknown (did you mean iothread?); allowed: iothread, rng-random, memory-backend-ram, memory-backend-file, memory-backend-memfd.")]
    [InlineData("-qmp tcp:localhost:4444,server,nowait", "InvalidOption", "-qmp", "'tcp:localhost:4444' is not an address of a socket; allowed: unix:PATH.")]
    [InlineData("-qmp unix:/a", "InvalidOption", "-qmp", "'server' is missing")]
    [InlineData("-qmp unix:/a,server", "InvalidOption", "-qmp", "'nowait' is missing")]
    [InlineData("-serial stdoi", "InvalidOption", "-serial", "'stdoi' is unknown (did you mean stdio?); allowed: stdio|pty|")]
    [InlineData("-serial chardev:c", "UnknownBackend", "-serial", "No character device has the id 'c'; allowed is one of: (no -chardev of this kind is given).")]
    [InlineData("-serial console", "InvalidOption", "-serial socket", "'socket' is missing")]
    [InlineData("-kernel k -pidfile /nowhere/pid", "InvalidOption", "-pidfile", "'/nowhere/pid' is given without -daemonize")]
    [InlineData("-pidfile /dev/null", "PidFileExists", "-pidfile", "The pid file '/dev/null' exists")]
    [InlineData("-config /nowhere/vm.json", "ConfigurationNotFound", "-config", "'/nowhere/vm.json' can't be opened: No such file or directory.")]
    [InlineData("-ready-fd three", "InvalidOption", "-ready-fd", "'three' is not a descriptor's number")]
    [InlineData("-name a/b", "InvalidName", "-name", "The name 'a/b' has a slash")]
    public void AFaultIsNamedWithWhatIsAllowedAndWhere(string line, string id, string where, string message)
    {
        // A valid kernel stands before, unless the fault is about the kernel.
        string[] words = line.Split(' ');
        string[] args = line.Contains("kernel", StringComparison.Ordinal) || line == "-S" ? words : ["-kernel", "k", .. words];
        UserErrorException e = Assert.Throws<UserErrorException>(() => Options.Parse(args));
        Assert.Equal((id, where), (e.Id, e.Where));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ALongNameAndALongSocketPathAreRefused()
    {
        UserErrorException name = Assert.Throws<UserErrorException>(() => Options.Parse(["-name", new string('n', 256)]));
        Assert.Equal("The name has 256 characters; a name has 1 to 255.", name.Message);
        Assert.Equal("The name has 0 characters; a name has 1 to 255.", Assert.Throws<UserErrorException>(() => Options.Parse(["-name", ""])).Message);

        string path = "/" + new string('s', 107);
        UserErrorException socket = Assert.Throws<UserErrorException>(() => Options.Parse(["-qmp", $"unix:{path},server,nowait"]));
        Assert.Equal(("SocketPathTooLong", "-qmp"), (socket.Id, socket.Where));
        Assert.EndsWith("has 108 bytes; a unix socket's path has 1 to 107.", socket.Message, StringComparison.Ordinal);
        Assert.Equal([path[..107]], Options.Parse(["-kernel", "k", "-qmp", $"unix:{path[..107]},server,nowait"]).Configuration.QmpSockets);
    }

    // Seed 001, "配置iothread".
    [Fact]
    public void IoThreadsAreMadeInBothFormsAndNamedByDriveOrDevice()
    {
        VmConfiguration vm = Options.Parse([
            "-kernel", "k", "-drive", "file=/a,id=a,iothread=iothread1", "-drive", "file=/b,id=b", "-device", "virtio-blk-device,drive=b,iothread=iothread2",
            "-iothread", "id=iothread1", "-object", "iothread,id=iothread2",
        ]).Configuration;
        Assert.Equal(["iothread1", "iothread2"], vm.IoThreads.ConvertAll(t => t.Id));
        Assert.Equal(["iothread1", "iothread2"], vm.Drives.ConvertAll(d => d.IoThread));
    }

    [Fact]
    public void ADriveIsGivenAllThatIsBuilt()
    {
        DriveConfiguration drive = Assert.Single(Options.Parse([
            "-kernel", "k", "-drive",
            "file=/a,id=a,aio=native,cache=directsync,discard=unmap,detect-zeroes=unmap,iops=200,werror=enospc,rerror=stop,snapshot=on",
            "-device", "virtio-blk-device,drive=a,num-queues=4,queue-size=1024",
        ]).Configuration.Drives);
        Assert.Equal((DriveAio.Native, DriveCache.DirectSync, DriveDiscard.Unmap, DriveDetectZeroes.Unmap), (drive.Aio, drive.Cache, drive.Discard, drive.DetectZeroes));
        Assert.Equal((200, DriveErrorAction.Enospc, DriveErrorAction.Stop, true), (drive.Iops, drive.WriteError, drive.ReadError, drive.Snapshot));
        Assert.Equal((4, 1024, true, true), (drive.QueueCount, drive.QueueSize, drive.IsDirect, drive.IsWriteThrough));

        // Seed 003: the newer generation's direct=off.
        DriveConfiguration plain = Assert.Single(Options.Parse(["-kernel", "k", "-drive", "file=/path/to/rootfs,id=rootfs,readonly=off,direct=off"]).Configuration.Drives);
        Assert.Equal((null, false, false, 1, 256, 0), (plain.Aio, plain.IsDirect, plain.IsWriteThrough, plain.QueueCount, plain.QueueSize, plain.Iops));
    }

    [Fact]
    public void NineIoThreadsAreTooMany()
    {
        string[] args = ["-kernel", "k"];
        for (int i = 0; i < 9; i++)
        {
            args = [.. args, "-iothread", $"id=t{i}"];
        }

        UserErrorException e = Assert.Throws<UserErrorException>(() => Options.Parse(args));
        Assert.Equal(("TooManyIoThreads", "-iothread id", "9 iothreads are given; a machine has 0 to 8."), (e.Id, e.Where, e.Message));
        Assert.Equal(8, Options.Parse(args[..^2]).Configuration.IoThreads.Count);
    }

    [Fact]
    public void SevenDrivesAreTooMany()
    {
        string[] args = ["-kernel", "k"];
        for (int i = 0; i < 7; i++)
        {
            args = [.. args, "-drive", $"file=/{i},id=d{i}"];
        }

        UserErrorException e = Assert.Throws<UserErrorException>(() => Options.Parse(args));
        Assert.Equal(("TooManyDrives", "-drive", "7 drives are given; a microvm has 0 to 6."), (e.Id, e.Where, e.Message));
        Assert.Equal(6, Options.Parse(args[..^2]).Configuration.Drives.Count);
    }

    [Fact]
    public void HelpVersionAndProbeNeedNoKernel()
    {
        Assert.True(Options.Parse(["-help"]).Help);
        Assert.True(Options.Parse(["--help"]).Help);
        Assert.True(Options.Parse(["-h"]).Help);
        Assert.True(Options.Parse(["-version"]).Version);
        Assert.True(Options.Parse(["-probe"]).Probe);
        Assert.True(Options.Parse(["-kernel", "k", "-dry-run"]).DryRun);
        string help = OptionTable.HelpText();
        Assert.Contains("  -qmp unix:PATH,server,nowait\n", help, StringComparison.Ordinal);
        Assert.All(help.Split('\n'), line => Assert.True(Encoding.UTF8.GetByteCount(line) < 160, line));
    }

    [Fact]
    public void TheReadinessPipeIsFoundInAFaultyLine()
    {
        Assert.Equal(3, Options.FindReadyDescriptor(["-nonsense", "-ready-fd", "3"]));
        Assert.Null(Options.FindReadyDescriptor(["-ready-fd"]));
        Assert.Null(Options.FindReadyDescriptor(["-ready-fd", "x"]));
    }

    [Fact]
    public void ASerialPortOnATerminalThatIsLeftIsWarnedOf()
    {
        Assert.Contains("stdio", Assert.Single(Options.Parse(["-kernel", "k", "-serial", "stdio", "-daemonize", "-D", "/log"]).Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void ALogThatNobodyReadsIsWarnedOf()
    {
        Assert.Contains("-daemonize without -D", Assert.Single(Options.Parse(["-kernel", "k", "-daemonize"]).Warnings), StringComparison.Ordinal);
        Assert.Empty(Options.Parse(["-kernel", "k", "-daemonize", "-D", "/log"]).Warnings);
        Assert.Empty(Options.Parse(["-kernel", "k"]).Warnings);
    }

    [Fact]
    public void WhatTheJsonSaysToTheCmdletsAloneIsWarnedOf()
    {
        string path = System.IO.Path.GetTempFileName();
        System.IO.File.WriteAllText(path, """{"boot-source": {"kernel_image_path": "/k"}, "strato": {"Name": "web"}}""");
        Assert.Contains("the section 'strato'", Assert.Single(Options.Parse(["-config", path]).Warnings), StringComparison.Ordinal);
        System.IO.File.Delete(path);
    }
}
