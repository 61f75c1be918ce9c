using System;
using System.Buffers.Binary;
using System.IO;
using Strato.Engine.Chardev;
using Strato.Engine.Linux;
using Strato.Engine.Virtio;
using Strato.Protocol;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Chardev;

/// <summary>virtiofsd as it is asked for, as it fails, and the real one.</summary>
public sealed class VirtiofsdTests : IDisposable
{
    private const int InHeader = 40;
    private const int OutHeader = 16;

    private readonly string _folder = Directory.CreateTempSubdirectory("strato-fs-").FullName;
    private readonly EventLoop _loop = new();

    public void Dispose()
    {
        _loop.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData("/usr/libexec/virtiofsd", "/a,b\\c", "--fd=3 --log-level warn --shared-dir /a,b\\c")]
    [InlineData("/usr/lib/qemu/virtiofsd", "/a,b\\c", "--fd=3 -o log_level=warn -o source=/a\\,b\\\\c")]
    public void ItsArgumentsAreThoseOfItsKind(string program, string folder, string arguments) =>
        Assert.Equal($"{program} {arguments}", string.Join(' ', Virtiofsd.Arguments(program, folder)));

    [Fact]
    public void ItIsLookedForOnPathFirst()
    {
        Assert.Equal("/a:/b:/usr/libexec:/usr/lib:/usr/lib/qemu", Virtiofsd.SearchPath("/a:/b"));
        Assert.Equal("/usr/libexec:/usr/lib:/usr/lib/qemu", Virtiofsd.SearchPath(null));
    }

    [Fact]
    public void AMissingProgramIsNamedWithItsPackages() => CheckFails(
        "VirtiofsdNotFound",
        $"fs 'x': sharing a folder needs the program 'virtiofsd', which isn't in /nonexistent, {_folder}; Debian has it in the package 'virtiofsd', Debian 12 in 'qemu-system-common'",
        _folder,
        $"/nonexistent:{_folder}");

    [Fact]
    public void AFolderThatIsntOneIsTold()
    {
        CheckFails("SharedFolderPathNotFound", $"fs 'x': the folder '{_folder}/none' can't be shared: No such file or directory", _folder + "/none", _folder);
        File.WriteAllText(_folder + "/file", "");
        CheckFails("SharedFolderNotFolder", $"fs 'x': '{_folder}/file' is no folder", _folder + "/file", _folder);
    }

    [Theory]
    [InlineData("echo noise >&2; echo 'no namespaces here' >&2; exit 1", "exit code 1: no namespaces here")]
    [InlineData("exit 3", "exit code 3")]
    [InlineData("printf last >&2; kill -9 $$", "signal 9: last")]
    public void AFailureIsTold(string script, string failure)
    {
        WriteProgram(script);
        CheckFails("VirtiofsdFailed", $"fs 'x': '{_folder}/virtiofsd' can't serve '{_folder}': {failure}", _folder, _folder);
    }

    /// <summary>The program itself, its folder, and a driver that asks as Linux does (linux/fuse.h).</summary>
    [Fact]
    public void VirtiofsdItselfServesTheFolderAndItsEndIsNoticed()
    {
        VhostUserSocket served = StartReal();
        using MmioDriver driver = new(new FsDevice("x", "tag", served), _loop, sharedMemory: true);
        File.WriteAllText(_folder + "/file", "twelve bytes");
        driver.Start(128);
        Assert.False(driver.NeedsReset);
        Assert.Equal(7u, BinaryPrimitives.ReadUInt32LittleEndian(Ask(driver, 26, 0, [7, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 64)));

        // Lookup of the name in the root; its attributes follow 40 bytes, with the size behind the inode's number.
        byte[] entry = Ask(driver, 1, 1, "file\0"u8, 128);
        Assert.Equal(12, BinaryPrimitives.ReadInt64LittleEndian(entry.AsSpan(48)));

        // A pause, and a reset: the queues go on, and begin anew.
        driver.Device.Quiesce();
        driver.Device.Resume();
        Assert.Equal(12, BinaryPrimitives.ReadInt64LittleEndian(Ask(driver, 1, 1, "file\0"u8, 128).AsSpan(48)));
        driver.Start(64);
        Assert.False(driver.NeedsReset);

        int child = ChildOf(Environment.ProcessId);
        Assert.Equal(0, Kill(child));
        while (!driver.NeedsReset)
        {
            Assert.True(_loop.RunOnce(30_000), "its end isn't noticed");
        }
    }

    [Fact]
    public void VirtiofsdEndsWithItsConnection()
    {
        VhostUserSocket served = StartReal();
        int child = ChildOf(Environment.ProcessId);
        served.Dispose();
        Assert.False(Directory.Exists($"/proc/{child}"));
    }

    private VhostUserSocket StartReal()
    {
        string path = Virtiofsd.SearchPath(null);
        Assert.SkipUnless(Environment.IsPrivilegedProcess && Array.Exists(path.Split(':'), folder => File.Exists(folder + "/virtiofsd")), "needs root and virtiofsd");
        return Virtiofsd.Start(_folder, VirtioFeature.Common, path, _loop, "x", "-device source");
    }

    /// <summary>A request of the FUSE protocol, and what follows the header of its answer.</summary>
    private byte[] Ask(MmioDriver driver, uint opcode, ulong node, ReadOnlySpan<byte> body, int room)
    {
        int length = InHeader + body.Length;
        ulong question = driver.Allocate(length);
        Span<byte> bytes = driver.Ram(question, length);
        BinaryPrimitives.WriteInt32LittleEndian(bytes, length);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[4..], opcode);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], 99);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[16..], node);
        body.CopyTo(bytes[InHeader..]);
        ulong answer = driver.Allocate(OutHeader + room);
        DriverQueue queue = driver.Queues[1];
        queue.Add(new DriverBuffer(question, (uint)length, false), new DriverBuffer(answer, (uint)(OutHeader + room), true));
        queue.EnableInterrupt();
        queue.KickAlways();
        uint written;
        while (!queue.TryTake(out _, out written))
        {
            Assert.NotEqual(PollEvents.None, Libc.Poll(driver.Interrupt.EventFd, PollEvents.In, 30_000));
            driver.Interrupt.TakeKernelEdge();
        }

        ReadOnlySpan<byte> reply = driver.Ram(answer, (int)written);
        Assert.Equal((0, 99UL), (BinaryPrimitives.ReadInt32LittleEndian(reply[4..]), BinaryPrimitives.ReadUInt64LittleEndian(reply[8..])));
        return reply[OutHeader..].ToArray();
    }

    private void WriteProgram(string script) => TestProgram.Write(Path.Combine(_folder, "virtiofsd"), $"#!/bin/sh\n{script}\n");

    private void CheckFails(string id, string message, string folder, string searchPath)
    {
        UserErrorException e = Assert.Throws<UserErrorException>(() => Virtiofsd.Start(folder, VirtioFeature.Common, searchPath, _loop, "x", "-device source"));
        Assert.Equal((id, "-device source", message), (e.Id, e.Where, e.Message));
    }

    /// <summary>The virtiofsd that a process started and that serves this test's folder.</summary>
    private int ChildOf(int parent)
    {
        foreach (string process in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(process), out int pid) && Read($"{process}/stat") is { Length: > 0 } stat
                && stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1] == $"{parent}" && Read($"{process}/cmdline").Contains(_folder, StringComparison.Ordinal))
            {
                return pid;
            }
        }

        throw new InvalidOperationException("no virtiofsd");
    }

    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException)
        {
            return "";
        }
    }

    private static int Kill(int pid)
    {
        using System.Diagnostics.Process kill = System.Diagnostics.Process.Start("kill", ["-9", $"{pid}"]);
        kill.WaitForExit();
        return kill.ExitCode;
    }
}
