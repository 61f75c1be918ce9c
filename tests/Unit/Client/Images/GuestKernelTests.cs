using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;
using Strato.Client;
using Strato.Client.Images;
using Xunit;

namespace Strato.Tests.Unit.Client.Images;

/// <summary>Kernels for guests, their modules, and initial RAM disks.</summary>
public sealed class GuestKernelTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("strato-kernel-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Kernel(string release, string folder = "boot")
    {
        byte[] image = new byte[4096];
        "HdrS"u8.CopyTo(image.AsSpan(0x202));
        image[0x20e] = 0x00;
        image[0x20f] = 0x02;
        Encoding.ASCII.GetBytes($"{release} (builder@host) #1").CopyTo(image, 0x400);
        string path = Path.Combine(_folder, folder, $"vmlinuz-{release}");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, image);
        return path;
    }

    private string Modules(string release, params (string Path, string Depends)[] modules)
    {
        string folder = Path.Combine(_folder, "lib/modules", release);
        Directory.CreateDirectory(Path.Combine(folder, "kernel"));
        foreach ((string path, string depends) in modules)
        {
            string file = Path.Combine(folder, "kernel", path);
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            byte[] content = Encoding.ASCII.GetBytes($"\u007fELF\0license=GPL\0depends={depends}\0name=x\0");
            File.WriteAllBytes(file, path.EndsWith(".gz", StringComparison.Ordinal) ? Archives.Zip(content) : content);
        }

        return folder;
    }

    [Fact]
    public void TheReleaseStandsInTheSetupHeader()
    {
        Assert.Equal("6.1.0-56-cloud-amd64", GuestKernel.ReadRelease(Kernel("6.1.0-56-cloud-amd64")));
        string other = Path.Combine(_folder, "other");
        File.WriteAllText(other, "no kernel");
        Assert.Null(GuestKernel.ReadRelease(other));
    }

    [Fact]
    public void TheNewestOfTheHostIsTakenThatHasItsModules()
    {
        string boot = Path.Combine(_folder, "boot"), modules = Path.Combine(_folder, "lib/modules");
        Assert.Null(GuestKernel.FindOnHost(boot, modules));
        foreach (string release in (string[])["6.9.0", "6.10.2", "6.11.0"])
        {
            Kernel(release);
        }

        Modules("6.9.0");
        Modules("6.10.2");
        Assert.Equal(new GuestKernel(Path.Combine(boot, "vmlinuz-6.10.2"), Path.Combine(modules, "6.10.2")), GuestKernel.FindOnHost(boot, modules));
    }

    [Fact]
    public void ModulesLieBesideAKernelOrAreNamed()
    {
        string kernel = Kernel("6.1.0");
        Assert.Contains("-ModulePath", ClientFixture.Fails("ModulesNotFound", () => GuestKernel.Find(kernel, null, _folder, Token)).RecommendedAction, StringComparison.Ordinal);
        Assert.Null(GuestKernel.Find(kernel, "", _folder, Token).Modules);
        string folder = Modules("6.1.0");
        Assert.Equal(folder, GuestKernel.Find(kernel, null, _folder, Token).Modules);
    }

    [Fact]
    public void ModulesComeBehindThoseThatTheyDependOn()
    {
        string folder = Modules(
            "1", ("fs/ext4/ext4.ko", "jbd2,mbcache"), ("fs/jbd2/jbd2.ko", ""), ("fs/mbcache.ko.gz", ""), ("drivers/virtio_mmio.ko", "virtio-ring"), ("drivers/virtio-ring.ko", "virtio"),
            ("drivers/virtio.ko", ""), ("drivers/none/other.ko", ""));
        StratoException error = ClientFixture.Fails("ModulesNotFound", () => KernelModules.Collect(folder, _folder, Token));
        Assert.Contains("virtio_blk", error.Message, StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(folder, "modules.builtin"), "kernel/drivers/block/virtio_blk.ko\n");
        List<(string Name, byte[] Content)> modules = KernelModules.Collect(folder, _folder, Token);
        Assert.Equal(["virtio", "virtio_ring", "virtio_mmio", "jbd2", "mbcache", "ext4"], modules.Select(module => module.Name));
        Assert.All(modules, module => Assert.Equal(0x7f, module.Content[0]));
    }

    [Fact]
    public void AnInitialRamDiskHasWhatItIsGiven()
    {
        using MemoryStream stream = new();
        CpioWriter cpio = new(stream);
        cpio.AddFile("a/b/file", "content"u8, executable: true);
        cpio.AddLink("a/link", "b/file");
        cpio.AddFile("a/b/other", "x"u8, executable: false);
        cpio.Finish();
        byte[] archive = stream.ToArray();
        Assert.Equal(0, archive.Length % 512);
        List<string> entries = [];
        for (int at = 0; at < archive.Length && archive[at] == '0';)
        {
            int Field(int number) => Convert.ToInt32(Encoding.ASCII.GetString(archive, at + 6 + (number * 8), 8), 16);
            string name = Encoding.UTF8.GetString(archive, at + 110, Field(11) - 1);
            int data = (at + 110 + Field(11) + 3) / 4 * 4;
            entries.Add($"{name} {Convert.ToString(Field(1), 8)} {Encoding.UTF8.GetString(archive, data, Field(6))}");
            at = (data + Field(6) + 3) / 4 * 4;
        }

        Assert.Equal(["a 40755 ", "a/b 40755 ", "a/b/file 100755 content", "a/link 120777 b/file", "a/b/other 100644 x", "TRAILER!!! 0 "], entries);
    }

    [Fact]
    public void TheHostsBusyboxIsStaticAndItsShellIsNot()
    {
        string? busybox = Strato.Client.Linux.ProgramPath.Find("busybox", "/bin:/usr/bin");
        Assert.SkipWhen(busybox is null, "there is no busybox");
        Assert.True(Busybox.IsStatic(busybox!));
        Assert.False(Busybox.IsStatic("/bin/ls"));
        Assert.False(Busybox.IsStatic("/etc/passwd"));
    }
}
