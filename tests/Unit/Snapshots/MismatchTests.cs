using System;
using System.Collections.Generic;
using System.Linq;
using Strato.Engine.Boot;
using Strato.Engine.Kvm;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Protocol.Snapshots;
using Xunit;
using MemoryMap = Strato.Protocol.Snapshots.MemoryMap;

namespace Strato.Tests.Unit.Snapshots;

/// <summary>A configuration that isn't the snapshot's machine is refused by what differs.</summary>
public sealed class MismatchTests
{
    private const long Mebibyte = 1 << 20;

    [Fact]
    public void EachDeviceComesWhereItsGuestFoundIt()
    {
        VmConfiguration configuration = Configuration("b", "a");
        configuration.Devices.Add(new RngConfiguration { Id = "rng0" });
        configuration.Devices.Add(Net("net0", null));
        List<PlannedSlot> plan = SlotPlan.Of(
            configuration,
            Board(new(SlotKind.Disk, "a", ""), new(SlotKind.Disk, "", ""), new(SlotKind.Net, "net0", "02:00:00:00:00:07"), new(SlotKind.Disk, "b", ""), new(SlotKind.Device, "rng0", ""), new(SlotKind.Net, "", "02:00:00:00:00:09")));
        Assert.Equal(
            [(SlotKind.Disk, 1, -1), (SlotKind.Disk, -1, -1), (SlotKind.Net, -1, 1), (SlotKind.Disk, 0, -1), (SlotKind.Device, -1, 0), (SlotKind.Net, -1, -1)],
            plan.Select(slot => (slot.Kind, slot.Drive, slot.Device)));
        Assert.Equal([2, 0, 0, 0, 0, 9], plan[5].Mac);

        // An address that isn't given is the snapshot's.
        Assert.Equal("02:00:00:00:00:07", ((NetConfiguration)configuration.Devices[1]).Mac);
    }

    /// <summary>What a machine that boots is wired like is what it is restored as.</summary>
    [Fact]
    public void APlanOfAMachineIsThatOfItsSnapshot()
    {
        VmConfiguration configuration = Configuration("rootfs", "data");
        configuration.Devices.Add(new RngConfiguration { Id = "rng0" });
        configuration.Devices.Add(Net("net0", "02:00:00:00:00:01"));
        List<PlannedSlot> booted = SlotPlan.Of(configuration);
        SlotState[] slots =
        [
            .. booted.Select(slot => new SlotState(
                slot.Kind,
                slot.Drive >= 0 ? configuration.Drives[slot.Drive].Id : slot.Device >= 0 ? configuration.Devices[slot.Device].Name : "",
                slot.Kind == SlotKind.Net ? slot.Device >= 0 ? "02:00:00:00:00:01" : MacAddress.Format(slot.Mac) : "")),
        ];
        List<PlannedSlot> restored = SlotPlan.Of(configuration, Board(slots));
        Assert.Equal(booted.Select(Describe), restored.Select(Describe));

        static string Describe(PlannedSlot slot) => $"{slot.Kind} {slot.Drive} {slot.Device} {Convert.ToHexString(slot.Mac)}";
    }

    [Fact]
    public void ADeviceThatIsMissingOrTooManyIsNamed()
    {
        Refused(Configuration(), Board(new SlotState(SlotKind.Disk, "rootfs", "")), "has the disk 'rootfs', which isn't configured", "-drive");
        Refused(Configuration(), Board(new SlotState(SlotKind.Device, "rng0", "")), "has the device 'rng0', which isn't configured", "-device");
        Refused(Configuration(), Board(new SlotState(SlotKind.Net, "net0", "02:00:00:00:00:01")), "has the network interface 'net0', which isn't configured", "-device");
        Refused(Configuration("rootfs", "more"), Board(new SlotState(SlotKind.Disk, "rootfs", "")), "The disk 'more' is configured, and the snapshot's machine hasn't got it", "-drive");
        Refused(Configuration("rootfs"), Board(new(SlotKind.Disk, "rootfs", ""), new(SlotKind.Disk, "rootfs", "")), "has the disk 'rootfs', which isn't configured", "-drive");
        VmConfiguration rng = Configuration();
        rng.Devices.Add(new RngConfiguration { Id = "rng0" });
        Refused(rng, Board(), "The device 'rng0' is configured, and the snapshot's machine hasn't got it", "-device");

        // An id that is another kind's is none.
        Refused(rng, Board(new SlotState(SlotKind.Net, "rng0", "02:00:00:00:00:01")), "has the network interface 'rng0'", "-device");

        static void Refused(VmConfiguration configuration, BoardState board, string reason, string where)
        {
            UserErrorException error = Assert.Throws<UserErrorException>(() => SlotPlan.Of(configuration, board));
            Assert.Equal(("SnapshotMismatch", where), (error.Id, error.Where));
            Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void AnAddressThatIsNoneIsDamage() =>
        Assert.Throws<UserErrorException>(() => SlotPlan.Of(Configuration(), Board(new SlotState(SlotKind.Net, "", "garbage"))));

    [Fact]
    public void AnotherMachineIsRefusedByWhatDiffers()
    {
        CpuTopology topology = new(2, 1, 1);
        VmConfiguration configuration = Configuration();
        configuration.Memory = 512 * Mebibyte;
        RestoreCheck.Check(Restored(512, topology, true), configuration, topology, hasSerial: true);
        Refused(Restored(256, topology, true), topology, true, "has 256 MiB of memory, and 512 MiB are configured", "-m");
        Refused(Restored(512, new CpuTopology(4, 1, 1), true), topology, true, "has 4 CPUs of 4", "-smp");
        Refused(Restored(512, new CpuTopology(1, 2, 1), true), topology, true, "are configured", "-smp");
        Refused(Restored(512, topology with { Present = 1 }, true), topology, true, "has 1 CPUs of 2", "-smp");
        Refused(Restored(512, topology, false), topology, true, "has no serial port, and one is configured", "-serial");
        Refused(Restored(512, topology, true), topology, false, "has a serial port, and none is configured", "-serial");
        Refused(Restored([(0, 256UL << 20), (1UL << 32, 256UL << 20)], topology), topology, true, "has its memory at other addresses", "-incoming");
        Refused(Restored([(4096, 512UL << 20)], topology), topology, true, "has its memory at other addresses", "-incoming");

        void Refused(RestoredMachine restored, CpuTopology here, bool hasSerial, string reason, string where)
        {
            UserErrorException error = Assert.Throws<UserErrorException>(() => RestoreCheck.Check(restored, configuration, here, hasSerial));
            Assert.Equal(("SnapshotMismatch", where), (error.Id, error.Where));
            Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void TheBoardIsReadAsItWasWritten()
    {
        BoardState board = new(new CpuTopology(2, 3, 2) with { Present = 5 }, Announcement.CommandLine, HasSerial: true, [new(SlotKind.Disk, "größe", ""), new(SlotKind.Net, "", "02:00:00:00:00:01")]);
        BoardState read = BoardState.Parse(new StateFile(Guid.Empty, [board.ToSection()]));
        Assert.Equal((board.Topology, board.AnnouncedBy, board.HasSerial), (read.Topology, read.AnnouncedBy, read.HasSerial));
        Assert.Equal(board.Slots, read.Slots);
        Assert.True(read.Slots[1].IsEmpty);
        Assert.False(new SlotState(SlotKind.Device, "", "").IsEmpty);
    }

    [Fact]
    public void ABoardThatCantBeIsDamaged()
    {
        byte[] good = Board(new SlotState(SlotKind.Device, "x", "")).ToSection().Data.ToArray();
        for (int at = 0; at < good.Length; at++)
        {
            foreach (byte value in (byte[])[0xFF, 0x80])
            {
                byte[] bytes = [.. good];
                bytes[at] = value;
                Parse(bytes);
            }

            Assert.Equal("SnapshotDamaged", Assert.Throws<UserErrorException>(() => Read(good[..at])).Id);
        }

        byte[] huge = [.. good];
        foreach (int at in (int[])[0, 4, 8, 12])
        {
            huge[at] = 254;
        }

        Assert.Equal("SnapshotDamaged", Assert.Throws<UserErrorException>(() => Read(huge)).Id);

        static BoardState Read(byte[] bytes) => BoardState.Parse(new StateFile(Guid.Empty, [new SnapshotSection(BoardState.SectionName, 1, bytes)]));

        static void Parse(byte[] bytes)
        {
            try
            {
                _ = Read(bytes);
            }
            catch (UserErrorException error)
            {
                Assert.Equal("SnapshotDamaged", error.Id);
            }
        }
    }

    [Fact]
    public void AProcessorOfAnotherMakerIsRefused()
    {
        KvmCpuidEntry[] intel = Cpuid("GenuineIntel");
        UserErrorException error = Assert.Throws<UserErrorException>(() => CpuFilter.CheckSame(Cpuid("AuthenticAMD"), intel));
        Assert.Equal(("SnapshotMismatch", "The snapshot's processor is of 'AuthenticAMD', and this host's of 'GenuineIntel'."), (error.Id, error.Message));
        CpuFilter.CheckSame(intel, intel);
    }

    [Fact]
    public void AFeatureThatIsMissingIsNamed()
    {
        KvmCpuidEntry[] saved = Cpuid("GenuineIntel", "avx2", "sha-ni", "aes");
        KvmCpuidEntry[] here = Cpuid("GenuineIntel", "avx2");
        UserErrorException error = Assert.Throws<UserErrorException>(() => CpuFilter.CheckSame(saved, here));
        Assert.Equal("SnapshotMismatch", error.Id);
        Assert.Contains("a processor with aes, sha-ni, which", error.Message, StringComparison.Ordinal);

        // More than the guest was told is no harm.
        CpuFilter.CheckSame(here, saved);
    }

    [Fact]
    public void EachFeatureCounts() => Assert.All(CpuFeature.All, feature =>
    {
        CpuFilter.CheckSame(Cpuid("AuthenticAMD", feature.Name), Cpuid("AuthenticAMD", feature.Name));
        UserErrorException error = Assert.Throws<UserErrorException>(() => CpuFilter.CheckSame(Cpuid("AuthenticAMD", feature.Name), Cpuid("AuthenticAMD")));
        Assert.Contains($" {feature.Name}, which", error.Message, StringComparison.Ordinal);
    });

    [Fact]
    public void StateThatThisHostDoesntKeepIsRefused()
    {
        KvmCpuidEntry[] saved = [.. Cpuid("GenuineIntel"), new() { Function = 0xD, Eax = 0xE7 }];
        KvmCpuidEntry[] here = [.. Cpuid("GenuineIntel"), new() { Function = 0xD, Eax = 7 }];
        CpuFilter.CheckSame(here, saved);
        Assert.Contains("XCR0 bits 0xe0", Assert.Throws<UserErrorException>(() => CpuFilter.CheckSame(saved, here)).Message, StringComparison.Ordinal);
        Assert.Contains("XCR0 bits 0xe7", Assert.Throws<UserErrorException>(() => CpuFilter.CheckSame(saved, Cpuid("GenuineIntel"))).Message, StringComparison.Ordinal);
    }

    private static KvmCpuidEntry[] Cpuid(string vendor, params string[] features)
    {
        byte[] text = System.Text.Encoding.ASCII.GetBytes(vendor);
        List<KvmCpuidEntry> entries = [new() { Function = 0, Ebx = BitConverter.ToUInt32(text), Edx = BitConverter.ToUInt32(text, 4), Ecx = BitConverter.ToUInt32(text, 8) }];
        foreach (CpuFeature feature in CpuFeature.All)
        {
            int at = entries.FindIndex(entry => entry.Function == feature.Leaf && entry.Index == feature.Index);
            KvmCpuidEntry entry = at >= 0 ? entries[at] : new() { Function = feature.Leaf, Index = feature.Index };
            uint bit = features.Contains(feature.Name) ? 1u << feature.Bit : 0;
            entry = feature.Register switch
            {
                CpuidRegister.Eax => entry with { Eax = entry.Eax | bit },
                CpuidRegister.Ebx => entry with { Ebx = entry.Ebx | bit },
                CpuidRegister.Ecx => entry with { Ecx = entry.Ecx | bit },
                _ => entry with { Edx = entry.Edx | bit },
            };
            if (at >= 0)
            {
                entries[at] = entry;
            }
            else
            {
                entries.Add(entry);
            }
        }

        return [.. entries];
    }

    private static VmConfiguration Configuration(params string[] drives)
    {
        VmConfiguration configuration = new() { Name = "web" };
        foreach (string drive in drives)
        {
            configuration.Drives.Add(new DriveConfiguration { Id = drive, File = $"/{drive}" });
        }

        return configuration;
    }

    private static NetConfiguration Net(string id, string? mac) => new() { Id = id, Mac = mac, Netdev = new() { Id = "nd" } };

    private static BoardState Board(params SlotState[] slots) => new(new CpuTopology(1, 1, 1), Announcement.Acpi, HasSerial: true, slots);

    private static RestoredMachine Restored(int mebibytes, CpuTopology topology, bool hasSerial) =>
        Restored([(0, (ulong)mebibytes << 20)], topology, hasSerial);

    private static RestoredMachine Restored((ulong, ulong)[] ranges, CpuTopology topology, bool hasSerial = true)
    {
        MemoryMap map = new(ranges, []);
        StateFile state = new(Guid.Empty, [new BoardState(topology, Announcement.Acpi, hasSerial, []).ToSection()]);
        return new RestoredMachine(state, map, Libc.CreateEventFd(), KeepsTime: false);
    }
}
