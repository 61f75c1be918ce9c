namespace Strato.Engine.Memory;

/// <summary>A range of guest-physical addresses backed by this process's memory.</summary>
/// <param name="Start">First guest-physical address, a multiple of the page size.</param>
/// <param name="Length">Bytes, a multiple of the page size.</param>
/// <param name="HostAddress">Where the range is mapped in this process.</param>
/// <param name="File">Descriptor of the file that holds the range, by which another process can map it; -1 where it is this process's alone.</param>
/// <param name="FileOffset">Where in the file the range begins.</param>
internal readonly record struct MemoryRegion(ulong Start, ulong Length, nint HostAddress, int File = -1, ulong FileOffset = 0)
{
    /// <summary>One past the last address. Regions end below 2^52, so this never wraps.</summary>
    public ulong End => Start + Length;
}
