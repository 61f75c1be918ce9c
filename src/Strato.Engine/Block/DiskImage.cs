using System;
using Strato.Engine.Linux;

namespace Strato.Engine.Block;

/// <summary>An open raw image or block device: bytes at offsets.</summary>
/// <remarks>
/// Made by <see cref="DiskOpener"/>. Transfers may be shorter than asked, as the system calls they are; the length
/// was taken when the image was opened, and the lock keeps other engines from writing to it.
/// </remarks>
internal sealed class DiskImage(FileDescriptor file, DiskGeometry geometry, DriveOptions options) : IDisposable
{
    public string Id => options.Id;

    /// <summary>The path as it was given.</summary>
    public string Path => options.Path;

    public bool ReadOnly => options.ReadOnly;

    public DiskGeometry Geometry => geometry;

    /// <summary>Bytes, a multiple of <see cref="DiskGeometry.SectorBytes"/>.</summary>
    public ulong Length => geometry.Length;

    /// <summary>Reads into the buffers; how many bytes, 0 at the end of the file, -1 with errno on failure.</summary>
    public nint Read(ReadOnlySpan<Libc.iovec> buffers, ulong offset) => Libc.ReadVector(file.Value, buffers, (long)offset);

    /// <summary>Writes the buffers; how many bytes, -1 with errno on failure.</summary>
    public nint Write(ReadOnlySpan<Libc.iovec> buffers, ulong offset) => Libc.WriteVector(file.Value, buffers, (long)offset);

    /// <summary>Brings all that was written to stable storage; false with errno on failure.</summary>
    public bool Flush() => Libc.fdatasync(file.Value) == 0;

    public void Dispose() => file.Dispose();
}

/// <summary>Size and block sizes of a disk, in bytes.</summary>
/// <param name="Length">Of the whole disk.</param>
/// <param name="LogicalBlock">Smallest unit of a request, a power of two from 512.</param>
/// <param name="PhysicalBlock">Unit that the medium writes without reading first, a power of two.</param>
internal readonly record struct DiskGeometry(ulong Length, uint LogicalBlock, uint PhysicalBlock)
{
    /// <summary>The unit of all block protocols.</summary>
    public const int SectorBytes = 512;
}
