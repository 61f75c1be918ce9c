namespace Strato.Engine.Memory;

/// <summary>A range of guest-physical addresses backed by this process's memory.</summary>
/// <param name="Start">First guest-physical address, a multiple of the page size.</param>
/// <param name="Length">Bytes, a multiple of the page size.</param>
/// <param name="HostAddress">Where the range is mapped in this process.</param>
internal readonly record struct MemoryRegion(ulong Start, ulong Length, nint HostAddress)
{
    /// <summary>One past the last address. Regions end below 2^52, so this never wraps.</summary>
    public ulong End => Start + Length;
}
