using System;
using System.IO;
using Strato.Engine.Boot;
using Xunit;

namespace Strato.Tests.Unit.Boot;

/// <summary>The stock kernel that the guest tests boot, where it was made (build.sh guest).</summary>
public class RealKernelTests
{
    [Fact]
    public void TheDebianKernelIsLoaded()
    {
        string? path = Find("out/guest/vmlinuz");
        Assert.SkipUnless(path is not null, "out/guest/vmlinuz isn't there: ./build.sh guest makes it");
        using BootFixture boot = new();
        using ImageFile kernel = ImageFile.Open(path!, ImageRole.Kernel, "-kernel");
        LoadedKernel loaded = KernelImage.Load(boot.Memory, kernel);
        Assert.StartsWith("bzImage, protocol 2.1", loaded.Format, StringComparison.Ordinal);
        Assert.Equal(0x100_0200UL, loaded.Entry);
        Assert.Equal((2047u, 0x7FFF_FFFFUL), (loaded.CommandLineMax, loaded.InitrdAddressMax));
        Assert.NotEqual(new byte[64], boot.Read(loaded.Entry, 64));
    }

    [Fact]
    public void ItsUnpackedElfFileIsEnteredByPvh()
    {
        string? path = Find("out/guest/vmlinux");
        Assert.SkipUnless(path is not null, "out/guest/vmlinux isn't there: ./build.sh guest makes it");
        using BootFixture boot = new();
        using ImageFile kernel = ImageFile.Open(path!, ImageRole.Kernel, "-kernel");
        LoadedKernel loaded = KernelImage.Load(boot.Memory, kernel);
        Assert.Equal("ELF, PVH entry", loaded.Format);
        Assert.False(loaded.WantsDevicesOnCommandLine); // Debian's has ACPI
        Assert.NotEqual(new byte[64], boot.Read(loaded.Entry, 64));
    }

    private static string? Find(string relative)
    {
        for (DirectoryInfo? directory = new(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "Strato.slnx")))
            {
                string path = Path.Combine(directory.FullName, relative);
                return File.Exists(path) ? path : null;
            }
        }

        return null;
    }
}
