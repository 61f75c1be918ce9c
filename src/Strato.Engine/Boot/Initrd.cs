using System;
using System.Collections.Generic;
using Strato.Engine.Memory;

namespace Strato.Engine.Boot;

/// <summary>Places the initrd: page aligned, as high as the kernel and RAM allow, off the kernel.</summary>
internal static class Initrd
{
    /// <summary>Loads the file.</summary>
    /// <exception cref="Protocol.UserErrorException">InitrdEmpty, InitrdTooLarge, InitrdTruncated, InitrdNotReadable.</exception>
    public static AddressRange Load(GuestMemory memory, ImageFile file, LoadedKernel kernel)
    {
        ulong size = file.CurrentLength();
        if (size == 0)
        {
            file.Fail("Empty", "is empty (0 bytes): give an initramfs, or none");
        }

        // initrd_addr_max is the highest byte; RAM above the hole isn't used: StratoVirt's and most kernels' limit is lower.
        ulong end = Math.Min(memory.Regions[0].End, kernel.InitrdAddressMax + 1);
        if (Place(size, end, kernel.Used) is not { } address)
        {
            string limit = kernel.InitrdAddressMax < memory.Regions[0].End
                ? $"the kernel takes one up to 0x{kernel.InitrdAddressMax:x}"
                : $"the guest's RAM below 4 GiB ends at 0x{memory.Regions[0].End:x}";
            file.Fail("TooLarge", $"has {size} bytes, for which there is no room beside the kernel: {limit}, and {Largest(end, kernel.Used)} bytes are free below that");
            return default;
        }

        ulong count = file.Read(0, memory, address, size);
        if (count != size)
        {
            file.Fail("Truncated", $"had {size} bytes, and ended after {count} while it was read");
        }

        Span<byte> more = stackalloc byte[1];
        if (file.Read(size, more) != 0)
        {
            file.Fail("Truncated", $"had {size} bytes, and grew while it was read: it isn't complete yet");
        }

        return new AddressRange(address, size);
    }

    /// <summary>The highest page where <paramref name="size"/> bytes fit below <paramref name="end"/>, off the used ranges and above 1 MiB.</summary>
    internal static ulong? Place(ulong size, ulong end, List<AddressRange> used)
    {
        for (ulong top = end; top >= size && top > Layout.HighMemoryStart;)
        {
            ulong address = (top - size) & ~(GuestMemory.PageSize - 1);
            if (address < Layout.HighMemoryStart)
            {
                return null;
            }

            AddressRange range = new(address, size);
            ulong below = top;
            foreach (AddressRange other in used)
            {
                if (range.Overlaps(other))
                {
                    below = Math.Min(below, other.Start);
                }
            }

            if (below == top)
            {
                return address;
            }

            top = below;
        }

        return null;
    }

    /// <summary>The size of the largest initrd that could be placed; for the error message.</summary>
    private static ulong Largest(ulong end, List<AddressRange> used)
    {
        ulong low = 0;
        ulong high = end;
        while (low < high)
        {
            ulong middle = low + ((high - low + 1) / 2);
            if (Place(middle, end, used) is null)
            {
                high = middle - 1;
            }
            else
            {
                low = middle;
            }
        }

        return low;
    }
}
