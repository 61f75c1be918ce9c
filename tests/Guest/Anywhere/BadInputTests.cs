using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Anywhere;

/// <summary>What a user may get wrong on the command line, in files and in paths, told by the real program: what was given, what is allowed, where.</summary>
[Trait("Where", "anywhere")]
public sealed class BadInputTests
{
    public BadInputTests() => TestHost.RequireEngine();

    [Theory]
    [InlineData("-smp 255", 1, "InvalidCpuCount", "-smp", "255", "1 to 254")]
    [InlineData("-smp 0", 1, "InvalidCpuCount", "-smp", "0 vCPUs", "1 to 254")]
    [InlineData("-smp many", 1, "InvalidCpuCount", "-smp", "'many'", "1 to 254")]
    [InlineData("-m 100M", 1, "InvalidMemory", "-m", "100M", "256 MiB")]
    [InlineData("-m 600G", 1, "InvalidMemory", "-m", "600G", "512 GiB")]
    [InlineData("-m 1.5G", 1, "InvalidMemory", "-m", "1.5G", "")]
    [InlineData("-m 268435457", 1, "InvalidMemory", "-m", "268435457", "4096")]
    [InlineData("-machine pc", 1, "UnknownMachineType", "-machine", "'pc'", "microvm")]
    [InlineData("-kernal x", 2, "UnknownOption", "-kernal", "'-kernal'", "-kernel")]
    [InlineData("-net tap,id=n0", 2, "InvalidOption", "-net", "'-net tap,id=n0'", "allowed: -net none")]
    [InlineData("-vnc :0", 2, "UnknownOption", "-vnc", "'-vnc'", "no screen")]
    [InlineData("-netdev tap,id=n0,ifname=nosuchtap0", 1, "TapFailed", "-netdev", "no interface 'nosuchtap0'", "ip tuntap add")]
    [InlineData("kernel", 2, "UnknownOption", "kernel", "'kernel'", "'-'")]
    [InlineData("-m", 2, "InvalidOption", "-m", "needs a value", "SIZE")]
    [InlineData("-smp 1 -smp 2", 2, "InvalidOption", "-smp", "twice", "once")]
    [InlineData("-serial tty", 2, "InvalidOption", "-serial", "'tty'", "stdio")]
    [InlineData("-drive id=a", 2, "InvalidOption", "-drive", "file", "")]
    [InlineData("-drive file=/dev/null,id=a,bps=1", 2, "InvalidOption", "-drive", "bps", "readonly")]
    [InlineData("-drive file=/dev/null,id=a", 1, "DriveNotAFile", "-drive", "/dev/null", "character device")]
    [InlineData("-device virtio-blk-device,drive=none", 1, "UnknownDrive", "-device", "'none'", "-drive")]
    [InlineData("-device virtio-9p-device,drive=none", 2, "InvalidOption", "-device", "virtio-9p-device", "virtio-blk-device")]
    [InlineData("-pidfile /nonexistent/x", 2, "InvalidOption", "-pidfile", "-daemonize", "")]
    public void Option(string words, int code, string id, string where, string given, string allowed)
    {
        string[] kernel = words.Contains("-kernel", StringComparison.Ordinal) ? [] : ["-kernel", Payload.Make(PayloadEnd.PowerOff)];
        EngineError error = Refused(code, [.. kernel, "-force", .. words.Split(' ')]);
        Assert.Equal(id, error.Id);
        Assert.StartsWith(where, error.Where, StringComparison.Ordinal);
        Assert.Contains(given, error.Message, StringComparison.Ordinal);
        Assert.Contains(allowed, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Kernel_that_is_not_given()
    {
        EngineError error = Refused(1, "-m", "256M");
        Assert.Equal("KernelMissing", error.Id);
        Assert.Contains("-kernel", error.Message + error.Where, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("missing", "KernelNotFound", "No such file")]
    [InlineData("empty", "KernelEmpty", "0 bytes")]
    [InlineData("text", "KernelFormat", "bzImage")]
    [InlineData("folder", "KernelNotReadable", "directory")]
    [InlineData("pipe", "KernelNotReadable", "pipe")]
    [InlineData("half an ELF", "KernelTruncated", "ends")]
    [InlineData("ELF of ARM", "KernelFormat", "ARM64")]
    public void Kernel(string kind, string id, string fault)
    {
        string path = TestHost.NewPath("kernel");
        byte[] good = File.ReadAllBytes(Payload.Make(PayloadEnd.PowerOff, new string('x', 5000)));
        switch (kind)
        {
            case "empty": File.WriteAllBytes(path, []); break;
            case "text": File.WriteAllText(path, new string('#', 100_000)); break;
            case "folder": Directory.CreateDirectory(path); break;
            case "pipe": Command.Check("mkfifo", path); break;
            case "half an ELF": File.WriteAllBytes(path, good[..3000]); break;
            case "ELF of ARM":
                good[18] = 183;
                File.WriteAllBytes(path, good);
                break;
        }

        EngineError error = Refused(1, "-force", "-kernel", path);
        Assert.Equal(id, error.Id);
        Assert.Equal("-kernel", error.Where);
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.Contains(fault, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Debian_kernel_that_ends_early()
    {
        Assert.SkipUnless(File.Exists(TestHost.CloudKernel), $"{TestHost.CloudKernel} is missing (./build.sh guest)");
        byte[] whole = File.ReadAllBytes(TestHost.CloudKernel);
        foreach (int length in new[] { 100, 600, 20_000, whole.Length / 2 })
        {
            string path = TestHost.NewPath("vmlinuz");
            File.WriteAllBytes(path, whole[..length]);
            EngineError error = Refused(1, "-force", "-kernel", path);
            // What a file is stands behind its first sector.
            Assert.Equal(length < 512 ? "KernelFormat" : "KernelTruncated", error.Id);
            Assert.Contains(path, error.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(1024 * 1024 - 1, "DriveSize", "512")]
    [InlineData(1024 * 1024 + 256, "DriveSize", "512")]
    [InlineData(-1, "DriveNotFound", "exist")]
    public void Drive(long length, string id, string fault)
    {
        string path = length < 0 ? TestHost.NewDiskPath("missing.img") : TestHost.NewDisk("odd.img", length);
        EngineError error = Refused(1, "-force", "-kernel", Payload.Make(PayloadEnd.PowerOff), "-drive", $"file={path},id=a");
        Assert.Equal(id, error.Id);
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.Contains(fault, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Seven_drives()
    {
        IEnumerable<string> drives = Enumerable.Range(0, 7).SelectMany(n => new[] { "-drive", $"file={TestHost.NewDisk("d.img", 512)},id=d{n}" });
        EngineError error = Refused(1, ["-force", "-kernel", Payload.Make(PayloadEnd.PowerOff), .. drives]);
        Assert.Equal("TooManyDrives", error.Id);
        Assert.Contains("0 to 6", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"boot-source":{"kernel_image_path":"k"},"machine-config":{"vcpu_cuont":1}}""", "UnknownField", "machine-config.vcpu_cuont", "vcpu_count")]
    [InlineData("""{"boot-source":{"kernel_image_path":"k"},"nets":{}}""", "UnknownField", "nets", "machine-config")]
    [InlineData("""{"boot-source":{"kernel_image_path":"k"}""", "InvalidJson", "boot-source", "line 1")]
    [InlineData("""{"boot-source":{"kernel_image_path":"k"}} x""", "InvalidJson", "", "line 1")]
    [InlineData("", "InvalidJson", "", "line 1")]
    [InlineData("""{"machine-config":{"vcpu_count":"two"}}""", "InvalidField", "machine-config.vcpu_count", "number")]
    [InlineData("""{"machine-config":{"vcpu_count":255}}""", "InvalidCpuCount", "machine-config.vcpu_count", "1 to 254")]
    [InlineData("""{"machine-config":{"mem_size":1000}}""", "InvalidMemory", "machine-config.mem_size", "256 MiB")]
    [InlineData("""{"drive":[{"drive_id":"a"}]}""", "MissingField", "drive[0].path_on_host", "")]
    [InlineData("""{"boot-source":{"kernel_image_path":"/no/such/kernel"}}""", "KernelNotFound", "boot-source.kernel_image_path", "/no/such/kernel")]
    public void Configuration_file(string json, string id, string where, string text)
    {
        string path = TestHost.NewPath("vm.json");
        File.WriteAllText(path, json);
        EngineError error = Refused(1, "-force", "-config", path);
        Assert.Equal(id, error.Id);
        Assert.Equal(where, error.Where.TrimStart('.'));
        Assert.Contains(text, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Configuration_file_that_is_missing()
    {
        EngineError error = Refused(1, "-config", "/no/such/vm.json");
        Assert.Equal("ConfigurationNotFound", error.Id);
        Assert.Contains("/no/such/vm.json", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-qmp", "unix:{0},server,nowait")]
    [InlineData("-api-channel", "unix:{0}")]
    [InlineData("-serial", "unix:{0},server,nowait")]
    [InlineData("-serial", "console,socket={0}")]
    public void Socket_path_that_exists(string option, string form)
    {
        string path = TestHost.NewPath("taken");
        File.WriteAllText(path, "mine");
        EngineError error = Refused(1, "-force", "-kernel", Payload.Make(PayloadEnd.Halt), option, string.Format(null, form, path));
        Assert.Equal("SocketExists", error.Id);
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(path));
    }

    [Theory]
    [InlineData("-qmp", "unix:{0},server,nowait")]
    [InlineData("-serial", "unix:{0},server,nowait")]
    [InlineData("-serial", "console,socket={0}")]
    public void Socket_path_that_is_too_long(string option, string form)
    {
        string path = "/tmp/" + new string('a', 103);
        EngineError error = Refused(1, "-force", "-kernel", Payload.Make(PayloadEnd.Halt), option, string.Format(null, form, path));
        Assert.Equal("SocketPathTooLong", error.Id);
        Assert.Contains("108 bytes", error.Message, StringComparison.Ordinal);
        Assert.Contains("107", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Socket_in_a_missing_folder()
    {
        EngineError error = Refused(1, "-force", "-kernel", Payload.Make(PayloadEnd.Halt), "-qmp", "unix:/no/such/folder/s,server,nowait");
        Assert.Contains("/no/such/folder/s", error.Message, StringComparison.Ordinal);
        Assert.Contains("No such file", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void More_memory_than_the_host_has_is_a_warning()
    {
        using EngineProcess engine = EngineProcess.Start("-force", "-m", "512G", "-kernel", Payload.Make(PayloadEnd.PowerOff), "-serial", "stdio");
        engine.WaitExit(0, TimeSpan.FromSeconds(60));
        Assert.Equal("ok\n", engine.Ready);
        Assert.Contains("524288 MiB is more than the host's", engine.Errors.Text(), StringComparison.Ordinal);
        Assert.Contains("hello", engine.Output.Text(), StringComparison.Ordinal);
    }

    private static EngineError Refused(int code, params string[] arguments)
    {
        using EngineProcess engine = EngineProcess.Start(arguments);
        return engine.WaitError(code);
    }
}
