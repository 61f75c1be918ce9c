using System;
using System.Collections.Generic;
using Strato.Engine.Memory;

namespace Strato.Engine.Boot;

/// <summary>How the kernel learns of CPUs and devices: by one way only, or it would find each device twice.</summary>
internal enum Announcement
{
    Acpi,

    /// <summary>MP table, and <c>virtio_mmio.device=</c> words on the command line.</summary>
    CommandLine,
}

/// <summary>What to boot, on what machine.</summary>
internal sealed class BootRequest
{
    public required ImageFile Kernel { get; init; }

    public ImageFile? Initrd { get; init; }

    /// <summary>The user's words for the kernel.</summary>
    public string CommandLine { get; init; } = "";

    /// <summary>The option or JSON path that <see cref="CommandLine"/> came from.</summary>
    public string CommandLineWhere { get; init; } = "-append";

    public required CpuTopology Topology { get; init; }

    /// <summary>Whether a CPU is there, by its number; null for those of power-on.</summary>
    public Predicate<int>? IsThere { get; set; }

    /// <summary>The virtio-mmio slots there are (0 to <see cref="Layout.VirtioSlots"/> - 1), in the order their devices shall be found.</summary>
    public int[] VirtioSlots { get; init; } = [];

    /// <summary>Whether there is a COM1.</summary>
    public bool HasSerial { get; init; } = true;
}

/// <summary>What was put into guest memory.</summary>
/// <param name="Entry">The first CPU's registers.</param>
/// <param name="AnnouncedBy">How the kernel learns of devices.</param>
/// <param name="CommandLine">The kernel's whole command line.</param>
/// <param name="KernelFormat">What the kernel file was, such as "bzImage, protocol 2.15".</param>
/// <param name="Initrd">Where the initrd is, if there is one.</param>
internal sealed record BootResult(EntryState Entry, Announcement AnnouncedBy, string CommandLine, string KernelFormat, AddressRange? Initrd);

/// <summary>Puts a kernel and all that it is told at its start into guest memory.</summary>
internal static class BootLoader
{
    /// <summary>Loads everything; for the first boot, and again for each reset.</summary>
    /// <param name="memory">RAM as <see cref="Layout.RamRanges"/> has it, all zeros: freshly mapped, or discarded (MADV_DONTNEED) at a reset.</param>
    /// <param name="request">What to boot; its files stay the caller's.</param>
    /// <exception cref="Protocol.UserErrorException">A file or the command line can't be booted on this machine; ids begin with Kernel, Initrd or CommandLine.</exception>
    public static BootResult Load(GuestMemory memory, BootRequest request)
    {
        LoadedKernel kernel = KernelImage.Load(memory, request.Kernel);
        Announcement announcement = kernel.WantsDevicesOnCommandLine || KernelCommandLine.Has(request.CommandLine, "acpi=off")
            ? Announcement.CommandLine
            : Announcement.Acpi;
        string commandLine = announcement == Announcement.CommandLine
            ? KernelCommandLine.WithDevices(request.CommandLine, request.VirtioSlots)
            : request.CommandLine;
        KernelCommandLine.Write(memory, commandLine, request.CommandLine, kernel, request.CommandLineWhere);
        AddressRange? initrd = request.Initrd is { } file ? Initrd.Load(memory, file, kernel) : null;

        ulong rsdp = 0;
        Predicate<int> isThere = request.IsThere ?? (cpu => cpu < request.Topology.Present);
        if (announcement == Announcement.Acpi)
        {
            rsdp = AcpiTables.Write(memory, request.Topology, isThere, request.VirtioSlots, request.HasSerial);
            GenerationId.Write(memory);
        }
        else
        {
            MpTable.Write(memory, request.Topology, isThere);
        }

        ResetVector.Write(memory);
        List<MemoryMapEntry> map = MemoryMap.Of(memory);
        if (kernel.Kind == EntryKind.Pvh)
        {
            PvhStartInfo.Write(memory, initrd, map, rsdp);
        }
        else
        {
            ZeroPage.Write(memory, kernel, initrd, map, rsdp);
        }

        EntryState entry = new(kernel.Kind, kernel.Entry);
        entry.WriteTables(memory);
        return new BootResult(entry, announcement, commandLine, kernel.Format, initrd);
    }
}
