using System;
using Strato.Engine.Devices;

namespace Strato.Engine.Boot;

/// <summary>The microVM's whole address map: guest-physical memory, I/O ports and interrupt lines, with the reason for each.</summary>
/// <remarks>
/// <code>
/// 0x0_0000_0000  RAM; below 1 MiB as drawn at <see cref="ZeroPage"/> to <see cref="LowMemoryEnd"/>
/// 0x0_C000_0000  hole: nothing answers
/// 0x0_F010_0000  virtio-mmio transports, 0x200 each
/// 0x0_FEC0_0000  IOAPIC (in the kernel)
/// 0x0_FEE0_0000  local APIC (in the kernel)
/// 0x0_FEF0_C000  identity map page and TSS that KVM needs on Intel
/// 0x1_0000_0000  the RAM that didn't fit below the hole
/// </code>
/// </remarks>
internal static class Layout
{
    // --- RAM -------------------------------------------------------------------------------------------------

    /// <summary>RAM below this address, in bytes from 0; 1 GiB below 4 GiB is left for devices, as StratoVirt has it.</summary>
    public const ulong LowRamEnd = 0xC000_0000;

    /// <summary>Where the RAM that doesn't fit below <see cref="LowRamEnd"/> goes on: above every 32-bit device.</summary>
    public const ulong HighRamStart = 0x1_0000_0000;

    /// <summary>Least RAM, 256 MiB: a stock kernel with its initrd unpacked doesn't fit in less.</summary>
    public const ulong MinRam = 256UL << 20;

    /// <summary>Most RAM, 512 GiB: with the hole, it ends below 2^40, which every CPU with nested paging can address but those with 39 bits.</summary>
    public const ulong MaxRam = 512UL << 30;

    // --- The first MiB ---------------------------------------------------------------------------------------
    //
    //   0x00500  GDT, four entries            0x09000  PML4, then the PDPT and four page directories to 0x0EFFF
    //   0x00520  IDT, empty                   0x20000  command line, to 0x2FFFF
    //   0x06000  PVH start info, its lists    0x9FC00  end of RAM in e820; all below 1 MiB from here is reserved
    //   0x07000  zero page                    0xE0000  RSDP and the ACPI tables, to 0xEFFFF
    //   0x08FF0  the entry's stack, downwards 0xF0000  MP floating pointer and table, to 0xFFFFF
    //
    // The zero page, the command line and the tables are read by the kernel before it allocates memory; Linux
    // reserves the first 64 KiB for itself and copies the command line early, so plain RAM serves for them.

    /// <summary>GDT of the entry state. Above the real-mode vectors and the BIOS data area (0x400–0x4FF), which stay zero: no EBDA.</summary>
    public const ulong Gdt = 0x500;

    /// <summary>IDT of the entry state: one null gate; the kernel loads its own before it enables interrupts.</summary>
    public const ulong Idt = 0x520;

    /// <summary>PVH's hvm_start_info, module list and memory map, instead of the zero page.</summary>
    public const ulong PvhStartInfo = 0x6000;

    /// <summary>struct boot_params of the Linux boot protocol (a page), in RSI at the 64-bit entry.</summary>
    public const ulong ZeroPage = 0x7000;

    /// <summary>Initial stack pointer. The boot protocol needs none; a page fault before the kernel sets its own has a place to push to.</summary>
    public const ulong BootStack = 0x8FF0;

    /// <summary>First of the six pages of the identity map of 4 GiB in 2 MiB pages: PML4, PDPT, four page directories.</summary>
    public const ulong Pml4 = 0x9000;

    /// <summary>The command line, null-terminated.</summary>
    public const ulong CommandLine = 0x2_0000;

    /// <summary>Room for the command line with its null: more than any kernel takes (x86 Linux: 2048).</summary>
    public const int CommandLineRoom = 0x1_0000;

    /// <summary>End of the RAM below 1 MiB in the memory map: 639 KiB, where the last KiB was a PC's EBDA. Linux keeps off it in any case.</summary>
    public const ulong LowMemoryEnd = 0x9_FC00;

    /// <summary>The RSDP, then the ACPI tables. Kernels that aren't told (acpi_rsdp_addr) scan 0xE0000–0xFFFFF for it.</summary>
    public const ulong AcpiTables = 0xE_0000;

    /// <summary>Room for the ACPI tables: MADT of 254 CPUs (2 KiB), a DSDT with a device for each that may come (28 KiB).</summary>
    public const int AcpiTablesRoom = 0xF000;

    /// <summary>The page of the generation id (VMGENID), reserved as all of this: <see cref="Boot.GenerationId"/>.</summary>
    public const ulong GenerationId = AcpiTables + AcpiTablesRoom;

    /// <summary>MP floating pointer, then the table. Linux scans 0xF0000–0xFFFFF for it; 254 CPUs take 5 KiB, more than an EBDA's KiB.</summary>
    public const ulong MpTable = 0xF_0000;

    /// <summary>Room for the MP table.</summary>
    public const int MpTableRoom = 0xFFF0;

    /// <summary>F000:FFF0, where a PC's BIOS is entered. Code of ours resets the machine there.</summary>
    public const ulong ResetVector = 0xF_FFF0;

    /// <summary>1 MiB: first address that a kernel or initrd may be loaded to.</summary>
    public const ulong HighMemoryStart = 0x10_0000;

    // --- Memory-mapped devices -------------------------------------------------------------------------------

    /// <summary>First virtio-mmio transport; StratoVirt's address, which users have on kernel command lines.</summary>
    public const ulong VirtioMmio = 0xF010_0000;

    /// <summary>Registers and configuration space of one transport, in bytes.</summary>
    public const ulong VirtioMmioLength = 0x200;

    /// <summary>Slots whose interrupts are the ISA lines 5–15, as StratoVirt has them.</summary>
    public const int ClassicalSlots = 11;

    /// <summary>All slots: after the classical ones, those on GSIs 17–23.</summary>
    public const int VirtioSlots = ClassicalSlots + 7;

    /// <summary>Registers of the IOAPIC that KVM_CREATE_IRQCHIP makes; the address can't be chosen.</summary>
    public const uint IoApic = 0xFEC0_0000;

    /// <summary>Registers of each CPU's local APIC after reset.</summary>
    public const uint LocalApic = 0xFEE0_0000;

    /// <summary>KVM_SET_IDENTITY_MAP_ADDR: one page for real mode without paging on Intel, in the hole, where no RAM or device is.</summary>
    public const ulong IdentityMap = 0xFEF0_C000;

    /// <summary>KVM_SET_TSS_ADDR: three pages, right after <see cref="IdentityMap"/>.</summary>
    public const ulong Tss = 0xFEF0_D000;

    // --- I/O ports -------------------------------------------------------------------------------------------

    /// <summary>COM1, a 16550A, eight ports.</summary>
    public const ushort Com1 = 0x3F8;

    /// <summary>Ports of COM1.</summary>
    public const int Com1Length = Serial16550.Length;

    /// <summary>The keyboard controller's status and command port: only 0xFE, "pulse the reset line", does something.</summary>
    public const ushort I8042Command = 0x64;

    /// <summary>The power device, which the FADT and the DSDT speak of. Its registers: <see cref="PowerControl"/>.</summary>
    /// <remarks>Chosen clear of the ports that Linux and ACPICA probe or protect (DMA, PIC, PIT, 8042, CMOS, FPU, PCI at 0xCF8).</remarks>
    public const ushort Power = 0x600;

    /// <summary>Ports of the power device.</summary>
    public const int PowerLength = PowerControl.Length;

    /// <summary>Offset of RESET_REG.</summary>
    public const int PowerReset = PowerControl.ResetOffset;

    /// <summary>What resets the machine when written to RESET_REG.</summary>
    public const byte PowerResetValue = PowerControl.ResetValue;

    /// <summary>Offset of SLEEP_CONTROL_REG.</summary>
    public const int PowerSleepControl = PowerControl.SleepControlOffset;

    /// <summary>SLP_TYP of S5 in the DSDT's <c>_S5_</c>.</summary>
    public const byte PowerSleepTypeS5 = PowerControl.SleepTypeS5;

    /// <summary>Offset of SLEEP_STATUS_REG.</summary>
    public const int PowerSleepStatus = PowerControl.SleepStatusOffset;

    /// <summary>Offset of the 32-bit register of pending GED events.</summary>
    public const int PowerGedEvents = PowerControl.EventsOffset;

    /// <summary>GED event: the power button was pressed (system_powerdown).</summary>
    public const uint GedPowerButton = (uint)PowerEvents.PowerButton;

    /// <summary>GED event: CPUs came, or are asked to go.</summary>
    public const uint GedCpuHotplug = (uint)PowerEvents.CpuHotplug;

    /// <summary>GED event: the generation id has changed.</summary>
    public const uint GedGeneration = (uint)PowerEvents.Generation;

    /// <summary>CPUs that come and go, which the DSDT speaks of: <see cref="Devices.CpuHotplug"/>.</summary>
    public const ushort CpuHotplug = Power + PowerLength;

    // --- Interrupt lines (GSIs, which are the IOAPIC's pins) --------------------------------------------------
    //
    //   0 PIT   4 COM1   5–15 virtio slots 0–10   16 GED   17–23 virtio slots 11–17
    //
    // KVM's default routing joins GSI n to IOAPIC pin n for 0–23 (and to the PICs below 16), the PIT's line 0
    // included, so the tables have no override of IRQ 0 to pin 2 as PCs do. All of ours are edges, active high,
    // which is also what ISA lines are without an override.

    /// <summary>Pins of KVM's IOAPIC.</summary>
    public const int IoApicPins = 24;

    /// <summary>COM1's line.</summary>
    public const uint Com1Gsi = 4;

    /// <summary>Line of the generic event device: the first that isn't an ISA line.</summary>
    public const uint GedGsi = 16;

    /// <summary>Most CPUs: APIC ids 0–253; the in-kernel IOAPIC addresses 8-bit ids, of which 255 means all.</summary>
    public const int MaxCpus = 254;

    /// <summary>Address of virtio slot <paramref name="slot"/>, 0 to <see cref="VirtioSlots"/> - 1.</summary>
    public static ulong VirtioMmioBase(int slot) => VirtioMmio + (VirtioMmioLength * (ulong)CheckSlot(slot));

    /// <summary>Line of virtio slot <paramref name="slot"/>, 0 to <see cref="VirtioSlots"/> - 1.</summary>
    public static uint VirtioMmioGsi(int slot) =>
        CheckSlot(slot) < ClassicalSlots ? 5 + (uint)slot : GedGsi + 1 + (uint)(slot - ClassicalSlots);

    /// <summary>Where <paramref name="bytes"/> of RAM lie, by rising address: one range, or two around the hole.</summary>
    /// <param name="bytes">A multiple of 4096 from <see cref="MinRam"/> to <see cref="MaxRam"/>; options were checked before.</param>
    public static (ulong Start, ulong Length)[] RamRanges(ulong bytes)
    {
        if (bytes is < MinRam or > MaxRam || bytes % 4096 != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(bytes), bytes, "RAM is 256 MiB to 512 GiB in whole pages");
        }

        return bytes <= LowRamEnd ? [(0, bytes)] : [(0, LowRamEnd), (HighRamStart, bytes - LowRamEnd)];
    }

    private static int CheckSlot(int slot) =>
        slot is >= 0 and < VirtioSlots
            ? slot
            : throw new ArgumentOutOfRangeException(nameof(slot), slot, $"virtio slots are 0 to {VirtioSlots - 1}");
}
