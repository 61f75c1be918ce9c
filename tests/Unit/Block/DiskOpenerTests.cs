using System;
using System.IO;
using System.Runtime.InteropServices;
using Strato.Engine.Block;
using Strato.Engine.Linux;
using Strato.Protocol;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Block;

public sealed partial class DiskOpenerTests
{
    private const string Advice = "readonly=on opens it for reading";

    [Fact]
    public void AnImageIsMeasured()
    {
        using TemporaryFile file = new(1 << 20);
        using DiskImage disk = DiskOpener.Open(new DriveOptions("root", file.Path));
        Assert.Equal(new DiskGeometry(1 << 20, 512, 4096), disk.Geometry);
        Assert.Equal(file.Path, disk.Path);
        Assert.False(disk.ReadOnly);
    }

    [Fact]
    public void AMissingFileIsNamed()
    {
        using TemporaryFile file = new();
        Check(new DriveOptions("root", file.Path), "DriveNotFound", "doesn't exist; give the path of an image or block device");
        Check(new DriveOptions("root", "/dev/null/below"), "DriveNotFound", "doesn't exist; give the path of an image or block device");
        Check(new DriveOptions("root", ""), "DriveNotFound", "doesn't exist; give the path of an image or block device");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(513)]
    [InlineData((1 << 20) - 1)]
    public void AnOddSizeIsRefusedWithTheSizeAndWhatIsAllowed(long length)
    {
        using TemporaryFile file = new(length);
        Check(new DriveOptions("root", file.Path), "DriveSize", $"has {length} bytes; allowed are multiples of 512, at least 512");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void WhatIsNoDiskIsRefusedByName(bool readOnly)
    {
        const string allowed = "; allowed are regular files and block devices";
        using TemporaryFile fifo = new();
        Assert.Equal(0, MakeFifo(fifo.Path, 0x180));
        Check(new DriveOptions("d", Path.GetTempPath(), readOnly), "DriveNotAFile", "is a directory" + allowed);
        Check(new DriveOptions("d", "/dev/zero", readOnly), "DriveNotAFile", "is a character device" + allowed);
        Check(new DriveOptions("d", fifo.Path, readOnly), "DriveNotAFile", "is a named pipe" + allowed);
    }

    [Fact]
    public void PermissionsAreNamed()
    {
        using TemporaryFile file = new(512);
        File.SetUnixFileMode(file.Path, UnixFileMode.None);
        AsNobody(() =>
        {
            Check(new DriveOptions("root", file.Path, ReadOnly: true), "DrivePermission", "can't be read: permission denied");
            Check(
                new DriveOptions("root", file.Path),
                "DrivePermission",
                "can't be opened for writing: permission denied",
                Advice);
        });
    }

    [Fact]
    public void AWriterIsAlone()
    {
        using TemporaryFile file = new(512);
        using (DiskOpener.Open(new DriveOptions("first", file.Path)))
        {
            Check(
                new DriveOptions("second", file.Path),
                "DriveLocked",
                "is open for writing elsewhere, so it can't be opened for writing; allowed are one writer and nobody else, or many readers",
                Advice);
            Check(
                new DriveOptions("second", file.Path, ReadOnly: true),
                "DriveLocked",
                "is open for writing elsewhere, so it can't be opened read-only; allowed are many readers, or one writer and nobody else");
        }

        // The lock ends with its holder.
        DiskOpener.Open(new DriveOptions("third", file.Path)).Dispose();
    }

    [Fact]
    public void ReadersShareAndKeepWritersOut()
    {
        using TemporaryFile file = new(512);
        using DiskImage first = DiskOpener.Open(new DriveOptions("first", file.Path, ReadOnly: true));
        using DiskImage second = DiskOpener.Open(new DriveOptions("second", file.Path, ReadOnly: true));
        Check(
            new DriveOptions("third", file.Path),
            "DriveLocked",
            "is open read-only elsewhere, so it can't be opened for writing; allowed are one writer and nobody else, or many readers",
            Advice);
    }

    [Fact]
    public void APassedDescriptorIsUsedAndStaysTheGivers()
    {
        using TemporaryFile file = new(512);
        using FileDescriptor passed = new(Libc.Open(file.Path, Libc.O_RDWR));
        using (DiskImage disk = DiskOpener.Open(new DriveOptions("root", "fd:disk", Descriptor: passed.Value)))
        {
            Assert.Equal(512u, disk.Length);
        }

        Assert.Equal(0, Libc.Stat(passed.Value, out _));
    }

    [Fact]
    public void APassedDescriptorHasToFitTheDrive()
    {
        using TemporaryFile file = new(512);
        using FileDescriptor reading = new(Libc.Open(file.Path, Libc.O_RDONLY));
        using FileDescriptor writing = new(Libc.Open(file.Path, Libc.O_WRONLY));
        Check(
            new DriveOptions("root", "fd:disk", Descriptor: reading.Value),
            "DriveReadOnly",
            "was passed as a descriptor that is open for reading only; allowed is a descriptor open for both, or a read-only drive",
            Advice);
        Check(
            new DriveOptions("root", "fd:disk", ReadOnly: true, Descriptor: writing.Value),
            "DriveReadOnly",
            "was passed as a descriptor that is open for writing only; it has to be open for reading too");
        Check(new DriveOptions("root", "fd:disk", Descriptor: 99_999), "DriveNotFound", "was passed as descriptor 99999, which isn't open");
        DiskOpener.Open(new DriveOptions("root", "fd:disk", ReadOnly: true, Descriptor: reading.Value)).Dispose();
    }

    [Fact]
    public void AnErrorPointsToWhatTheUserWrote()
    {
        using TemporaryFile file = new();
        UserErrorException error = Assert.Throws<UserErrorException>(
            () => DiskOpener.Open(new DriveOptions("root", file.Path, Where: "drive[0].path_on_host")));
        Assert.Equal("drive[0].path_on_host", error.Where);
    }

    private static void Check(DriveOptions options, string id, string problem, string? advice = null)
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => DiskOpener.Open(options));
        Assert.Equal(id, error.Id);
        Assert.Equal($"drive '{options.Id}': '{options.Path}' {problem}", error.Message);
        Assert.Equal($"-drive id={options.Id}", error.Where);
        Assert.Equal(advice, error.Advice);
    }

    /// <summary>Runs with another user's rights to files, on this thread, where the tests run as root.</summary>
    private static void AsNobody(Action action)
    {
        int before = SetFileUser(65534);
        try
        {
            action();
        }
        finally
        {
            SetFileUser(before);
        }
    }

    [LibraryImport("libc", EntryPoint = "setfsuid")]
    private static partial int SetFileUser(int user);

    [LibraryImport("libc", EntryPoint = "mkfifo", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MakeFifo(string path, uint mode);
}
