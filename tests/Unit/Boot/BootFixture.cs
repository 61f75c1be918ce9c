using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.Text;
using Strato.Engine.Boot;
using Strato.Engine.Memory;
using Strato.Protocol;
using Xunit;

namespace Strato.Tests.Unit.Boot;

/// <summary>Guest memory and image files for one test of the boot room.</summary>
internal sealed class BootFixture : IDisposable
{
    public const ulong MiB = 1 << 20;

    private readonly List<IDisposable> _open = [];
    private readonly string _directory = Directory.CreateTempSubdirectory("strato-boot").FullName;

    public BootFixture(ulong ram = 256 * MiB)
    {
        Memory = GuestMemory.Allocate(Layout.RamRanges(ram));
    }

    public GuestMemory Memory { get; }

    public string PathOf(string name) => Path.Combine(_directory, name);

    public ImageFile File(byte[] content, ImageRole role)
    {
        string path = PathOf(role.ToString().ToLowerInvariant());
        System.IO.File.WriteAllBytes(path, content);
        ImageFile file = ImageFile.Open(path, role, role == ImageRole.Kernel ? "-kernel" : "-initrd");
        _open.Add(file);
        return file;
    }

    public LoadedKernel LoadKernel(byte[] content) => KernelImage.Load(Memory, File(content, ImageRole.Kernel));

    public BootResult Load(
        byte[] kernel, byte[]? initrd = null, string commandLine = "", CpuTopology? topology = null, int[]? slots = null) =>
        BootLoader.Load(Memory, new BootRequest
        {
            Kernel = File(kernel, ImageRole.Kernel),
            Initrd = initrd is null ? null : File(initrd, ImageRole.Initrd),
            CommandLine = commandLine,
            Topology = topology ?? new CpuTopology(),
            VirtioSlots = slots ?? [],
        });

    public UserErrorException KernelError(byte[] content) => Assert.Throws<UserErrorException>(() => LoadKernel(content));

    public byte[] Read(ulong address, int length)
    {
        byte[] bytes = new byte[length];
        Assert.True(Memory.TryRead(address, bytes));
        return bytes;
    }

    public uint U32(ulong address) => BinaryPrimitives.ReadUInt32LittleEndian(Read(address, 4));

    public ulong U64(ulong address) => BinaryPrimitives.ReadUInt64LittleEndian(Read(address, 8));

    public string Text(ulong address)
    {
        byte[] bytes = Read(address, 65536);
        return Encoding.UTF8.GetString(bytes, 0, Array.IndexOf(bytes, (byte)0));
    }

    public void Dispose()
    {
        foreach (IDisposable file in _open)
        {
            file.Dispose();
        }

        Memory.Dispose();
        Directory.Delete(_directory, recursive: true);
    }
}
