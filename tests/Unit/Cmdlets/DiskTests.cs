using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Text;
using System.Threading;
using Strato.Client;
using Strato.Client.Linux;
using Strato.Tests.CmdletHost;
using Strato.Tests.Unit.Client;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>New-StratoDisk.</summary>
[Collection(CmdletCollection.Name)]
public sealed class DiskTests : CmdletTests
{
    private string Disk => Path.Combine(Store.Root, "disk.img");

    [Fact]
    public void ADiskIsSparseOrHasItsRoom()
    {
        FileInfo made = Run(new Step("New-StratoDisk", "disk.img").With("Size", 8L << 20)).Single<FileInfo>();
        Assert.Equal((Disk, 8L << 20, 0UL), (made.FullName, made.Length, Blocks()));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Disk));
        Run(new Step("New-StratoDisk", "disk.img").With("Size", 4L << 20).Switch("Preallocate").Switch("Force"));
        Assert.True(Blocks() >= 4 << 11);
        Assert.Equal(4 << 20, new FileInfo(Disk).Length);
        New();
        Assert.Equal(4L << 20, Run(new Step("Get-StratoVm", "web"), new Step("Add-StratoDrive", "disk.img").Switch("PassThru")).Single<Vm>().Drives[0].Size);
    }

    [Fact]
    public void AFileSystemIsMadeWhereMkfsIs()
    {
        Step step = new Step("New-StratoDisk", "disk.img").With("Size", 16L << 20).With("Format", "ext4").With("Label", "root");
        if (ProgramPath.Find("mkfs.ext4", $"{ProgramPath.Folders}:/usr/sbin:/sbin") is null)
        {
            AssertError(Error(step), "MkfsMissing", ErrorCategory.ResourceUnavailable, "disk.img");
            return;
        }

        Run(step.Switch("Preallocate"));

        // The superblock at 1024: s_magic at 0x38, s_volume_name at 0x78.
        byte[] head = new byte[2048];
        using (FileStream file = File.OpenRead(Disk))
        {
            file.ReadExactly(head);
        }

        Assert.Equal(0xef53, BitConverter.ToUInt16(head, 1024 + 0x38));
        Assert.Equal("root", Encoding.ASCII.GetString(head, 1024 + 0x78, 4));
        Assert.True(Blocks() >= 16 << 11);

        // Too small for it: mkfs says why, and what is there stays.
        ErrorRecord error = Error(new Step("New-StratoDisk", "disk.img").With("Size", 512L).With("Format", "ext4").Switch("Force"));
        AssertError(error, "MkfsFailed", ErrorCategory.NotSpecified, "disk.img");
        Assert.Equal(16 << 20, new FileInfo(Disk).Length);
        using CancellationTokenSource source = new();
        source.Cancel();
        Assert.Throws<OperationCanceledException>(() => StratoClient.CreateDisk(new DiskSettings { Path = Disk + "2", Size = 16 << 20, Format = "ext4" }, source.Token));
        Assert.Equal(["disk.img", "strato-engine", "vmlinuz"], Directory.GetFiles(Store.Root).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(0L)]
    [InlineData(511L)]
    [InlineData(513L)]
    [InlineData(-512L)]
    public void ASizeIsWholeSectors(long size)
    {
        ErrorRecord error = Error(new Step("New-StratoDisk", "disk.img").With("Size", size));
        AssertError(error, "DiskSize", ErrorCategory.InvalidArgument, "disk.img");
        Assert.Contains($"{size} bytes", error.ToString(), StringComparison.Ordinal);
        Assert.False(File.Exists(Disk));
    }

    [Fact]
    public void WhatIsThereStaysWithoutForce()
    {
        Store.WriteFile("disk.img", "mine");
        AssertError(Error(new Step("New-StratoDisk", "disk.img").With("Size", 512L)), "FileExists", ErrorCategory.ResourceExists, "disk.img");
        AssertError(Error(new Step("New-StratoDisk", "disk.img").With("Size", 512L).Switch("WhatIf")), "FileExists", ErrorCategory.ResourceExists, "disk.img");
        AssertError(Error(new Step("New-StratoDisk", ".").With("Size", 512L).Switch("Force")), "DiskNotFile", ErrorCategory.ResourceExists, ".");
        AssertError(Error(new Step("New-StratoDisk", "nowhere/disk").With("Size", 512L)), "DiskNotWritable", ErrorCategory.ObjectNotFound, "nowhere/disk");
        AssertError(Error(new Step("New-StratoDisk", "x").With("Size", 512L).With("Format", "ext4").With("Label", new string('l', 17))), "InvalidLabel", ErrorCategory.InvalidArgument, "x");
        Assert.StartsWith("ParametersConflict", Terminates(new Step("New-StratoDisk", "x").With("Size", 512L).With("Label", "l")), StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(Disk));
        using (FileStream writer = new(Disk, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
        {
            Lock(writer);
            AssertError(Error(new Step("New-StratoDisk", "disk.img").With("Size", 512L).Switch("Force")), "DriveInUse", ErrorCategory.ResourceBusy, "disk.img");
        }

        Assert.Equal([$"Make a disk: {Disk}"], Run(new Step("New-StratoDisk", "disk.img").With("Size", 512L).Switch("Force", "WhatIf")).ShouldProcess);
        Assert.Equal("mine", File.ReadAllText(Disk));
        Assert.Equal(["disk.img", "strato-engine", "vmlinuz"], Directory.GetFiles(Store.Root).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void TheOldDiskIsLockedUntilTheNewOneHasItsPlaceAndAnEndedMkfsLeavesNothing()
    {
        // A mkfs that waits until it may go on.
        string gate = Path.Combine(Store.Root, "gate");
        string bin = Directory.CreateDirectory(Path.Combine(Store.Root, "bin")).FullName;
        TestProgram.Write(Path.Combine(bin, "mkfs.ext4"), $"#!/bin/sh\necho begun >'{gate}.begun'; exec cat '{gate}'");
        using (Process made = Process.Start("mkfifo", gate))
        {
            made.WaitForExit();
        }

        Store.WriteFile("disk.img", "old");
        string? path = Environment.GetEnvironmentVariable("PATH");
        Environment.SetEnvironmentVariable("PATH", $"{bin}:{path}");
        try
        {
            DiskSettings settings = new() { Path = Disk, Size = 1 << 20, Format = "ext4", Replace = true };
            Thread maker = new(() => StratoClient.CreateDisk(settings, Store.Token));
            maker.Start();
            ClientFixture.Until(() => File.Exists(gate + ".begun"), "mkfs");
            ClientFixture.Fails("DriveInUse", () => StratoClient.CheckDisk(settings));
            Assert.Equal("old", File.ReadAllText(Disk));
            File.WriteAllText(gate, "");
            maker.Join();
            Assert.Equal(1 << 20, new FileInfo(Disk).Length);

            // Ended by Ctrl-C at once, and without a file beside the disk even while it worked.
            File.Delete(gate + ".begun");
            using CancellationTokenSource cancel = new();
            maker = new(() => Assert.Throws<OperationCanceledException>(() => StratoClient.CreateDisk(settings, cancel.Token)));
            maker.Start();
            ClientFixture.Until(() => File.Exists(gate + ".begun"), "mkfs");
            Assert.Empty(Directory.GetFiles(Store.Root, ".*"));
            Stopwatch since = Stopwatch.StartNew();
            cancel.Cancel();
            maker.Join();
            Assert.InRange(since.ElapsedMilliseconds, 0, 2000);
        }
        finally
        {
            Environment.SetEnvironmentVariable("PATH", path);
        }
    }

    private ulong Blocks() => Libc.TryStat(Disk, out Libc.statx_t stat) ? stat.stx_blocks : throw new IOException(Disk);

    private static unsafe void Lock(FileStream file)
    {
        Libc.flock held = new() { l_type = Libc.F_RDLCK };
        Assert.Equal(0, Libc.fcntl((int)file.SafeFileHandle.DangerousGetHandle(), Libc.F_OFD_SETLK, &held));
    }
}
