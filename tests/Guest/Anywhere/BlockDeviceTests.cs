using System;
using System.Globalization;
using System.IO;
using System.Text.Json.Nodes;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Anywhere;

/// <summary>Drives on block devices: loop devices, where the machine has some to give (root, and a kernel or container that allows it).</summary>
[Trait("Where", "both")]
public sealed class BlockDeviceTests
{
    private const long Length = 8 << 20;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly string _qmp = TestHost.NewPath("qmp");

    public BlockDeviceTests()
    {
        TestHost.RequireKvm();
    }

    [Theory]
    [InlineData(512, Length)]
    [InlineData(1024, Length)]
    [InlineData(2048, Length)]
    [InlineData(4096, Length)]
    [InlineData(512, Length - 512)]
    public void A_block_device_has_the_size_the_kernel_says(int sector, long length)
    {
        using LoopDevice loop = LoopDevice.Require(TestHost.NewDisk("loop.img", length), "-b", sector.ToString(CultureInfo.InvariantCulture));
        using EngineProcess engine = Start($"file={loop.Path},id=a");
        using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
        JsonNode drive = Assert.Single(qmp.Call("query-block").AsArray())!["inserted"]!;
        Assert.Equal((length, false), ((long)drive["image"]!["virtual-size"]!, (bool)drive["ro"]!));
        qmp.Call("quit");
        engine.WaitExit(0, Limit);
    }

    [Fact]
    public void A_read_only_device_is_opened_for_reading_alone()
    {
        using LoopDevice loop = LoopDevice.Require(TestHost.NewDisk("ro.img", Length), "--read-only");
        using (EngineProcess refused = Start($"file={loop.Path},id=a"))
        {
            EngineError error = refused.WaitError();
            Assert.Equal(("DriveReadOnly", "-drive file"), (error.Id, error.Where));
            Assert.Contains(loop.Path, error.Message, StringComparison.Ordinal);
            Assert.Contains("readonly=on", refused.Errors.Text(), StringComparison.Ordinal);
        }

        using EngineProcess engine = Start($"file={loop.Path},id=a,readonly=on");
        using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
        Assert.True((bool)Assert.Single(qmp.Call("query-block").AsArray())!["inserted"]!["ro"]!);
        qmp.Call("quit");
        engine.WaitExit(0, Limit);
    }

    [Fact]
    public void An_image_on_a_read_only_file_system_is_refused_for_writing()
    {
        Assert.SkipUnless(Command.Works("unshare", "-m", "true"), "no leave to make a mount namespace");
        string folder = Directory.CreateDirectory(TestHost.NewPath("ro")).FullName;
        using EngineProcess engine = EngineProcess.StartBy(
            ["unshare", "-m", "sh", "-c", $"mount -t tmpfs none {folder} && truncate -s 1M {folder}/d && mount -o remount,ro {folder} && exec \"$@\"", "sh"],
            "-force", "-kernel", Payload.Make(PayloadEnd.Halt), "-drive", $"file={folder}/d,id=a");
        EngineError error = engine.WaitError();
        Assert.Equal("DriveReadOnly", error.Id);
        Assert.Contains("read-only file system", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_without_a_medium_is_refused()
    {
        string path = LoopDevice.RequireFree();
        using EngineProcess engine = Start($"file={path},id=a");
        EngineError error = engine.WaitError();
        Assert.Equal("DriveSize", error.Id);
        Assert.Contains("has 0 bytes", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_is_locked_as_a_file_is()
    {
        using LoopDevice loop = LoopDevice.Require(TestHost.NewDisk("locked.img", Length));
        using EngineProcess first = Start($"file={loop.Path},id=a");
        using QmpConnection qmp = QmpConnection.Open(_qmp, first);
        using EngineProcess second = EngineProcess.Start("-force", "-kernel", Payload.Make(PayloadEnd.Halt), "-drive", $"file={loop.Path},id=b");
        Assert.Equal("DriveLocked", second.WaitError().Id);
        qmp.Call("quit");
        first.WaitExit(0, Limit);
    }

    private EngineProcess Start(string drive) =>
        EngineProcess.Start("-force", "-kernel", Payload.Make(PayloadEnd.Halt), "-qmp", $"unix:{_qmp},server,nowait", "-S", "-drive", drive);
}
