using System;
using System.Diagnostics;
using Strato.Engine.Block;
using Strato.Protocol;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Block;

/// <summary>What is told of a block device: a loop device, where the machine has one to give.</summary>
public class BlockDeviceGeometryTests
{
    [Theory]
    [InlineData("512", 512)]
    [InlineData("1024", 1024)]
    [InlineData("2048", 2048)]
    [InlineData("4096", 4096)]
    public void ADevicesBlocksAreItsOwn(string option, uint sector)
    {
        using TemporaryFile file = new(1 << 20);
        WithLoop(["-b", option, file.Path], path =>
        {
            using DiskImage disk = DiskOpener.Open(new DriveOptions("a", path));
            Assert.Equal((1UL << 20, sector), (disk.Length, disk.Geometry.LogicalBlock));
            Assert.InRange(disk.Geometry.PhysicalBlock, sector, 1u << 20);
        });
    }

    [Fact]
    public void AReadOnlyDeviceIsOnlyRead()
    {
        using TemporaryFile file = new(1 << 20);
        WithLoop(["-r", file.Path], path =>
        {
            UserErrorException error = Assert.Throws<UserErrorException>(() => DiskOpener.Open(new DriveOptions("a", path)));
            Assert.Equal(("DriveReadOnly", "readonly=on opens it for reading"), (error.Id, error.Advice));
            using DiskImage disk = DiskOpener.Open(new DriveOptions("a", path, ReadOnly: true));
            Assert.Equal(1UL << 20, disk.Length);
        });
    }

    private static void WithLoop(string[] arguments, Action<string> test)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root for a loop device");
        (int code, string output) = Losetup(["-f", "--show", .. arguments]);
        Assert.SkipUnless(code == 0, $"no loop device like this here: {output}");
        try
        {
            test(output);
        }
        finally
        {
            Losetup(["-d", output]);
        }
    }

    private static (int Code, string Output) Losetup(string[] arguments)
    {
        ProcessStartInfo start = new("losetup", arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd().Trim();
        string errors = process.StandardError.ReadToEnd().Trim();
        process.WaitForExit();
        return (process.ExitCode, process.ExitCode == 0 ? output : errors);
    }
}
