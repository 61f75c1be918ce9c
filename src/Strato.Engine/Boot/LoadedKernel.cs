using System.Collections.Generic;

namespace Strato.Engine.Boot;

/// <summary>How the first CPU enters a kernel.</summary>
internal enum EntryKind
{
    /// <summary>64-bit boot protocol of Linux: long mode, RSI = zero page.</summary>
    Linux64,

    /// <summary>PVH: 32-bit protected mode without paging, EBX = hvm_start_info.</summary>
    Pvh,
}

/// <summary>A range of guest-physical addresses.</summary>
internal readonly record struct AddressRange(ulong Start, ulong Length)
{
    /// <summary>One past the last address. Ranges were checked to lie in RAM, so this never wraps.</summary>
    public ulong End => Start + Length;

    public bool Overlaps(AddressRange other) => Start < other.End && other.Start < End;
}

/// <summary>A kernel in guest RAM, and what it said about how it wants to be started.</summary>
internal sealed class LoadedKernel
{
    /// <summary>Most command-line bytes without the null, of a kernel that doesn't say: COMMAND_LINE_SIZE of x86 Linux is 2048.</summary>
    public const uint DefaultCommandLineMax = 2047;

    /// <summary>Highest byte of an initrd, of a kernel that doesn't say (the boot protocol's value for old ones).</summary>
    public const uint DefaultInitrdAddressMax = 0x37FF_FFFF;

    /// <summary>What the file was, such as "bzImage, protocol 2.15".</summary>
    public required string Format { get; init; }

    public required EntryKind Kind { get; init; }

    /// <summary>Address of the first instruction.</summary>
    public required ulong Entry { get; init; }

    /// <summary>RAM that the kernel takes, with what it needs before it reads the memory map; the initrd keeps off it.</summary>
    public required List<AddressRange> Used { get; init; }

    /// <summary>The setup header from the image, from offset 0x1f1 on; empty where the image has none.</summary>
    public byte[] SetupHeader { get; init; } = [];

    /// <summary>Most bytes of the command line, without the null.</summary>
    public uint CommandLineMax { get; init; } = DefaultCommandLineMax;

    /// <summary>Highest address that a byte of the initrd may have.</summary>
    public ulong InitrdAddressMax { get; init; } = DefaultInitrdAddressMax;

    /// <summary>An ELF kernel built without ACPI, and with virtio_mmio.device= on its command line.</summary>
    public bool WantsDevicesOnCommandLine { get; init; }
}
