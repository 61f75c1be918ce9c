using System;
using System.Buffers.Binary;
using System.Numerics;
using Strato.Engine.Memory;

namespace Strato.Engine.Boot;

/// <summary>The compressed kernel image of x86 Linux, entered by its 64-bit boot protocol.</summary>
/// <remarks>
/// Documentation/arch/x86/boot.rst. Offsets in the file, which are those of the zero page as well:
/// <code>
/// 0x1f1 setup_sects u8      0x20c … see <see cref="ZeroPage"/>     0x236 xloadflags u16
/// 0x1f4 syssize u32         0x22c initrd_addr_max u32              0x238 cmdline_size u32
/// 0x1fe 0xAA55 u16          0x230 kernel_alignment u32             0x258 pref_address u64
/// 0x202 "HdrS"              0x234 relocatable_kernel u8            0x260 init_size u32
/// 0x206 version u16         0x201 length of the header after 0x202, u8
/// </code>
/// The file is (setup_sects + 1) · 512 bytes of real-mode code, which a 64-bit entry doesn't need, then syssize · 16
/// bytes of the kernel proper, which are loaded; signatures may follow.
/// </remarks>
internal static class BzImage
{
    private const int SetupSects = 0x1F1;
    private const int SysSize = 0x1F4;
    private const int BootFlag = 0x1FE;
    private const int Jump = 0x200;
    private const int Magic = 0x202;
    private const int Version = 0x206;
    private const int LoadFlags = 0x211;
    private const int InitrdAddrMax = 0x22C;
    private const int KernelAlignment = 0x230;
    private const int RelocatableKernel = 0x234;
    private const int XLoadFlags = 0x236;
    private const int CmdlineSize = 0x238;
    private const int PrefAddress = 0x258;
    private const int InitSize = 0x260;
    private const int HeaderEnd = 0x264;

    /// <summary>The first protocol with xloadflags, and so with a 64-bit entry.</summary>
    private const ushort OldestVersion = 0x020C;

    private const byte LoadedHigh = 1;
    private const ushort Kernel64 = 1;

    /// <summary>The 64-bit entry, from where the kernel proper is loaded.</summary>
    private const ulong EntryOffset = 0x200;

    /// <summary>Where boot_params' setup header has to end: the EDD signatures begin.</summary>
    private const int RoomForHeader = 0x290;

    public static bool Is(ReadOnlySpan<byte> head) =>
        head.Length >= Magic + 4
        && BinaryPrimitives.ReadUInt16LittleEndian(head[BootFlag..]) == 0xAA55
        && head[Magic..].StartsWith("HdrS"u8);

    /// <summary>Loads the image to where it prefers to be, or as near as it may go.</summary>
    /// <param name="memory">The guest.</param>
    /// <param name="file">The image.</param>
    /// <param name="head">Its beginning, of which <see cref="Is"/> was true.</param>
    public static LoadedKernel Load(GuestMemory memory, ImageFile file, ReadOnlySpan<byte> head)
    {
        if (head.Length < HeaderEnd)
        {
            file.Fail("Truncated", $"ends after {head.Length} bytes, inside its setup header");
        }

        ushort version = BinaryPrimitives.ReadUInt16LittleEndian(head[Version..]);
        string format = $"bzImage, protocol {version >> 8}.{version & 0xFF:00}";
        if (version < OldestVersion)
        {
            file.Fail("Format", $"is a {format}, too old: {KernelImage.Allowed}");
        }

        if ((BinaryPrimitives.ReadUInt16LittleEndian(head[XLoadFlags..]) & Kernel64) == 0)
        {
            file.Fail("Format", $"is a 32-bit {format}: {KernelImage.Allowed}");
        }

        if ((head[LoadFlags] & LoadedHigh) == 0)
        {
            file.Fail("Format", $"is a zImage, made for low memory ({format}): {KernelImage.Allowed}");
        }

        // "For backwards compatibility, if the setup_sects field contains 0, the real value is 4."
        int setupSectors = head[SetupSects] == 0 ? 4 : head[SetupSects];
        ulong offset = ((ulong)setupSectors + 1) * 512;
        ulong size = BinaryPrimitives.ReadUInt32LittleEndian(head[SysSize..]) * 16UL;
        if (size <= EntryOffset)
        {
            file.Fail("Format", $"is a damaged {format}: its header says that the kernel proper has {size} bytes");
        }

        // init_size is the linear memory needed from where the kernel runs, until it has read the memory map.
        uint initSize = BinaryPrimitives.ReadUInt32LittleEndian(head[InitSize..]);
        AddressRange room = Place(memory, file, head, Math.Max(initSize, size), format);
        ulong count = file.Read(offset, memory, room.Start, size);
        if (count != size)
        {
            file.Fail("Truncated", $"ends early: its header says {offset + size} bytes, {(count == 0 ? "at most " : "")}{offset + count} are there");
        }

        // cmdline_size is without the null. Zero would be a kernel that takes no command line; none is known, and old loaders ignore it.
        uint commandLine = BinaryPrimitives.ReadUInt32LittleEndian(head[CmdlineSize..]);
        int headerEnd = Math.Min(Math.Min(Magic + head[Jump + 1], RoomForHeader), head.Length);
        return new LoadedKernel
        {
            Format = format,
            Kind = EntryKind.Linux64,
            Entry = room.Start + EntryOffset,
            Used = [room],
            SetupHeader = head[SetupSects..Math.Max(headerEnd, HeaderEnd)].ToArray(),
            CommandLineMax = Math.Min(commandLine == 0 ? LoadedKernel.DefaultCommandLineMax : commandLine, Layout.CommandLineRoom - 1),
            InitrdAddressMax = BinaryPrimitives.ReadUInt32LittleEndian(head[InitrdAddrMax..]),
        };
    }

    private static AddressRange Place(GuestMemory memory, ImageFile file, ReadOnlySpan<byte> head, ulong length, string format)
    {
        ulong preferred = BinaryPrimitives.ReadUInt64LittleEndian(head[PrefAddress..]);
        if (Fits(preferred))
        {
            return new AddressRange(preferred, length);
        }

        if (head[RelocatableKernel] != 0)
        {
            uint alignment = BinaryPrimitives.ReadUInt32LittleEndian(head[KernelAlignment..]);
            if (!BitOperations.IsPow2(alignment))
            {
                file.Fail("Format", $"is a damaged {format}: its alignment is 0x{alignment:x}, not a power of two");
            }

            ulong lowest = Math.Max(alignment, Layout.HighMemoryStart);
            if (Fits(lowest))
            {
                return new AddressRange(lowest, length);
            }
        }

        file.Fail("TooLarge", $"needs {length} bytes of RAM from 0x{preferred:x} on; of the guest's {memory.Size} bytes, 0x{Layout.HighMemoryStart:x} to 0x{memory.Regions[0].End:x} can hold it");
        return default;

        // Only below 4 GiB, which the identity map covers: the first region.
        bool Fits(ulong address) =>
            address is >= Layout.HighMemoryStart and < Layout.LowRamEnd && memory.Contains(address, length);
    }
}
