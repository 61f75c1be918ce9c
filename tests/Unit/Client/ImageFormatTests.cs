using System;
using System.Diagnostics;
using System.IO;
using System.Text;
using Strato.Client;
using Strato.Client.Store;
using Xunit;

namespace Strato.Tests.Unit.Client;

/// <summary>Images of other formats, which a guest would see as an empty disk.</summary>
public sealed class ImageFormatTests : IDisposable
{
    private readonly ClientFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    private string Write(int offset, string magic, int length = 4096)
    {
        byte[] content = new byte[length];
        Encoding.Latin1.GetBytes(magic, content.AsSpan(offset));
        string path = Path.Combine(_fixture.Root, "disk");
        File.WriteAllBytes(path, content);
        return path;
    }

    [Theory]
    [InlineData(0, "QFI\u00fb", "qcow2")]
    [InlineData(0, "QED\0", "qed")]
    [InlineData(0, "KDMV", "vmdk")]
    [InlineData(0, "# Disk DescriptorFile", "vmdk")]
    [InlineData(0, "vhdxfile", "vhdx")]
    [InlineData(0, "conectix", "vhd")]
    [InlineData(0x40, "\u007f\u0010\u00da\u00be", "vdi")]
    [InlineData(1, "QFI\u00fb", null)]
    [InlineData(0, "QFI", null)]
    [InlineData(0x41, "\u007f\u0010\u00da\u00be", null)]
    public void AFormatIsKnownByItsFirstBytes(int offset, string magic, string? format)
    {
        string path = Write(offset, magic);
        Assert.Equal(format, ImageFormat.Recognise(path));
        VmDefinition vm = _fixture.Create();
        if (format is null)
        {
            _fixture.Client.AddDrive(vm.Id, new DriveSettings { Path = path });
            return;
        }

        StratoException error = ClientFixture.Fails("DriveFormat", () => _fixture.Client.AddDrive(vm.Id, new DriveSettings { Path = path }));
        Assert.Contains(format, error.Message, StringComparison.Ordinal);
        Assert.Empty(_fixture.Client.GetById(vm.Id).Drives);

        // One that was raw when it was added.
        string raw = _fixture.WriteFile("raw", new string('r', 4096));
        _fixture.Client.AddDrive(vm.Id, new DriveSettings { Path = raw });
        ClientFixture.Fails("DriveFormat", () => _fixture.Client.SetDrive(vm.Id, "disk0", new DriveChange { Path = path }));
    }

    [Fact]
    public void WhatIsShortOrNoFileIsNoFormat()
    {
        Assert.Null(ImageFormat.Recognise(Write(0, "", 0)));
        Assert.Equal("qcow2", ImageFormat.Recognise(Write(0, "QFI\u00fb", 4)));
        Assert.Null(ImageFormat.Recognise(Write(0, "QF", 2)));
        Assert.Null(ImageFormat.Recognise(Path.Combine(_fixture.Root, "none")));
        Assert.Null(ImageFormat.Recognise(_fixture.Root));
        string pipe = Path.Combine(_fixture.Root, "pipe");
        using (Process made = Process.Start("mkfifo", pipe))
        {
            made.WaitForExit();
        }

        Assert.Null(ImageFormat.Recognise(pipe));

        // By a link it is the same file.
        string link = Path.Combine(_fixture.Root, "link");
        File.CreateSymbolicLink(link, Write(0, "QED\0"));
        Assert.Equal("qed", ImageFormat.Recognise(link));
    }
}
