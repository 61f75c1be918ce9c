using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Strato.Engine.Block;
using Strato.Engine.Kvm;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.Engine.Snapshot;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Protocol.Snapshots;
using Xunit;

namespace Strato.Tests.Unit.Machine;

/// <summary>A whole machine that is saved, and one that goes on from there.</summary>
public sealed class RestoredMachineTests : MachineTests
{
    /// <summary>Of the IOAPIC's 24 pins one that nothing of the board uses.</summary>
    private const int Pin = 3;
    private const int Vector = 0x41;

    private const int LapicIrr = 0x200;
    private const int LapicSpurious = 0xF0;

    private MicroVm? _restored;

    /// <summary>The check of KVM's speed runs code of its own there. A guest that was restored has run before.</summary>
    [Fact]
    public void ItsFirstPagesAreTheGuests()
    {
        VirtualMachine machine = Start();
        machine.Pause();
        byte[] used = [.. Enumerable.Range(1, 64 << 10).Select(i => (byte)((i % 255) + 1))];
        Assert.True(Board!.GuestMemory.TryWrite(0, used));
        string folder = Save(machine);
        Restore(folder, force: false);
        byte[] found = new byte[used.Length];
        Assert.True(_restored!.GuestMemory.TryRead(0, found));
        Assert.True(found.AsSpan().SequenceEqual(used), "the guest's memory has changed");
    }

    /// <summary>What the IOAPIC delivers while the machine is read is in the local APICs then: those are read later. The file has the order of reading.</summary>
    [Fact]
    public void InterruptControllersAreReadBeforeTheLocalApics()
    {
        StateFile state = ReadState(Save(Start()));
        List<string> names = [.. state.Sections.Select(section => section.Name)];
        Assert.InRange(names.IndexOf("interrupts"), 0, names.IndexOf("cpu 0") - 1);
    }

    /// <summary>What the IOAPIC holds it delivers when it is set: to local APICs that have to be there by then.</summary>
    [Fact]
    public void AnInterruptThatTheIoapicHeldIsDeliveredWhenItIsRestored()
    {
        string folder = Save(Start());
        StateFile state = ReadState(folder);
        Assert.Equal(0, Requests(state));
        Rewrite(folder, state, "interrupts", HoldInterrupt);
        Rewrite(folder, ReadState(folder), "cpu 0", EnableLapic);
        Restore(folder, force: true);
        VirtualMachine machine = new(Test.Loop, null, _restored!, noReboot: false, noShutdown: true);
        machine.StartThreads();
        Assert.Equal(1 << (Vector % 32), Requests(new StateFile(Guid.Empty, _restored!.Save())));
    }

    [Fact]
    public void AValueThatKvmRefusesIsNamed()
    {
        string folder = Save(Start());
        Rewrite(folder, ReadState(folder), "cpu 0", data =>
        {
            // LSTAR, which has to be canonical.
            int at = data.AsSpan().LastIndexOf((ReadOnlySpan<byte>)[0x82, 0, 0, 0xC0, 0, 0, 0, 0]);
            BitConverter.TryWriteBytes(data.AsSpan(at + 8), 0x1234_5678_0000_0000);
        });
        UserErrorException error = Assert.Throws<UserErrorException>(() => Restore(folder, force: true));
        Assert.Equal(("SnapshotMismatch", "This host's KVM refuses the snapshot's value 0x1234567800000000 of MSR 0xc0000082 of CPU 0."), (error.Id, error.Message));
    }

    [Fact]
    public void AStateThatKvmRefusesIsNamed()
    {
        string folder = Save(Start());
        Rewrite(folder, ReadState(folder), "cpu 0", data => Change(data, cpu =>
        {
            // Long mode is active, and paging isn't on.
            KvmSregs sregs = cpu.Sregs;
            (sregs.Cr0, sregs.Efer) = (1, 0x500);
            cpu.Sregs = sregs;
        }));
        UserErrorException error = Assert.Throws<UserErrorException>(() => Restore(folder, force: true));
        Assert.Equal("SnapshotMismatch", error.Id);
        Assert.StartsWith("This host's KVM refuses the snapshot's state of CPU 0: KVM_SET_SREGS", error.Message, StringComparison.Ordinal);
    }

    /// <summary>By what the snapshot itself says, which is told before anything else of its guest is looked at.</summary>
    [Fact]
    public void ACapabilityThatThisHostHasntGotIsNamed()
    {
        string folder = Save(Start());
        byte[] wanted = KvmCapability.ToSection([new("KVM_CAP_OF_A_DREAM", 999_999, 1, true)]).Data.ToArray();
        StateFile state = ReadState(folder);
        File.WriteAllBytes(Path.Combine(folder, "state"), new StateFile(state.Id, [.. state.Sections.Select(section => section.Name == KvmCapability.SectionName ? section with { Data = wanted } : section)]).ToBytes());
        UserErrorException error = Assert.Throws<UserErrorException>(() => Restore(folder, force: true));
        Assert.Equal(("SnapshotMismatch", "The snapshot's guest stands on KVM_CAP_OF_A_DREAM, which this host's KVM doesn't have."), (error.Id, error.Message));
    }

    /// <summary>A snapshot of an engine that told nothing of KVM.</summary>
    [Fact]
    public void AnOlderEnginesSnapshotGoesOn()
    {
        string folder = Save(Start());
        StateFile state = ReadState(folder);
        File.WriteAllBytes(Path.Combine(folder, "state"), new StateFile(state.Id, [.. state.Sections.Where(section => section.Name != KvmCapability.SectionName)]).ToBytes());
        Restore(folder, force: true);
        Assert.True(_restored!.IsRestored);
    }

    /// <summary>What the guest's memory is mapped from nobody may write; nor what its disks stand on.</summary>
    [Fact]
    public void ItKnowsTheFilesThatItStandsOn()
    {
        VirtualMachine machine = Start();
        string image = Test.Path("image");
        File.WriteAllBytes(image, new byte[4096]);
        machine.HotPlug.AddNode(new DriveConfiguration { Id = "d", File = image });
        string folder = Save(machine);
        Restore(folder, force: true);
        using FileDescriptor memory = Open(Path.Combine(folder, "memory"));
        using FileDescriptor state = Open(Path.Combine(folder, "state"));
        using FileDescriptor disk = Open(image);
        Assert.Equal("the memory that the machine was restored from and reads still", _restored!.UseOf(memory.Value));
        Assert.Null(_restored.UseOf(state.Value));
        Assert.Null(_restored.UseOf(disk.Value));
        Assert.Null(machine.UseOf(memory.Value));
        Assert.Equal("the image of the drive 'd'", machine.UseOf(disk.Value));
        machine.HotPlug.AddDisk(new DeviceRequest("d", null, null));
        Assert.Equal("the image of the drive 'd'", machine.UseOf(disk.Value));
        machine.HotPlug.Remove("d");
        Assert.Null(machine.UseOf(disk.Value));
        Assert.Null(machine.UseOf(-1));
    }

    /// <summary>A copy of the memory leaves the file alone.</summary>
    [Fact]
    public void SharedMemoryDoesntStandOnTheFile()
    {
        string folder = Save(Start());
        Restore(folder, force: true, memShare: true);
        using FileDescriptor memory = Open(Path.Combine(folder, "memory"));
        Assert.Null(_restored!.UseOf(memory.Value));
    }

    /// <summary>The processor, KVM and devices as the guest and the user know them.</summary>
    [Fact]
    public void ItTellsWhatItIs()
    {
        VirtualMachine machine = Start();
        string image = Test.Path("image");
        File.WriteAllBytes(image, new byte[4096]);
        machine.HotPlug.AddNode(new DriveConfiguration { Id = "d", File = image, Aio = DriveAio.Threads, Discard = DriveDiscard.Unmap });
        machine.HotPlug.AddDisk(new DeviceRequest("d", null, null) { Serial = "s1" });
        SnapshotDescription description = SnapshotDescription.Parse(ReadState(Save(machine)));
        Assert.NotEmpty(description.Cpu!.Vendor);
        Assert.Contains("fpu", description.Cpu.Features);
        Assert.True(description.Kvm["KVM_CAP_IRQCHIP"] > 0);
        SnapshotDevice disk = Assert.Single(description.Devices);
        Assert.Equal(("virtio-blk-device", "d", 1, 256), (disk.Driver, disk.Id, disk.Queues, disk.QueueSize));
        Assert.Equal([("aio", "threads"), ("discard", "unmap"), ("drive", "d"), ("readonly", "off"), ("serial", "s1")], disk.Options.OrderBy(option => option.Key, StringComparer.Ordinal).Select(option => (option.Key, option.Value)));
    }

    /// <summary>A disk that says stop, and whose failure comes while the machine is saved: it isn't lost, and the machine doesn't go on.</summary>
    [Fact]
    public void AFailureOfADiskThatComesDuringASaveCountsAfterIt()
    {
        VirtualMachine machine = Start();
        string image = Test.Path("image");
        File.WriteAllBytes(image, new byte[4096]);
        machine.HotPlug.AddNode(new DriveConfiguration { Id = "d", File = image });
        machine.HotPlug.AddDisk(new DeviceRequest("d", null, null));
        using Migration migration = new(Test.Loop, machine);
        migration.Begin(SnapshotFolder.Open(Test.Path("snapshot")), staysPaused: false, owner: null);
        Test.Until(() => migration.State == MigrationState.Active, "a machine that stands still");
        Board!.DiskFailed(machine.HotPlug.FindDisk("d")!, new BlockFailure("d", Writes: true, Errno.ENOSPC, DriveErrorAction.Stop));
        Test.Until(() => !migration.IsActive, "a saved machine");
        Test.Settle();
        Assert.Equal((MigrationState.Completed, RunState.IoError), (migration.State, machine.State));
        Assert.Contains(Events, told => told.StartsWith("BLOCK_IO_ERROR", StringComparison.Ordinal));
    }

    protected override void DisposeMore() => _restored?.Dispose();

    private VirtualMachine Start() => Start([0xFA, 0xF4, 0xEB, 0xFC], noShutdown: false);

    private string Save(VirtualMachine machine)
    {
        string folder = Test.Path("snapshot");
        using Migration migration = new(Test.Loop, machine);
        migration.Begin(SnapshotFolder.Open(folder), staysPaused: true, owner: null);
        Test.Until(() => !migration.IsActive, "a saved machine");
        Assert.Equal((MigrationState.Completed, null), (migration.State, migration.Error));
        return folder;
    }

    private void Restore(string folder, bool force, bool memShare = false)
    {
        RestoredMachine restored = SnapshotFiles.Open(IncomingSnapshot.Parse($"file:{folder}", keepsTime: false));
        using FileDescriptor memory = restored.MemoryFile;
        VmConfiguration configuration = new() { Kernel = Test.Path("kernel"), Force = force, MemShare = memShare };
        _restored = new MicroVm(Kvm, configuration, Test.Loop, serial: null, restored);
    }

    private static StateFile ReadState(string folder) => StateFile.Parse(File.ReadAllBytes(Path.Combine(folder, "state")));

    private static void Rewrite(string folder, StateFile state, string name, Action<byte[]> change)
    {
        List<SnapshotSection> sections = [];
        foreach (SnapshotSection section in state.Sections)
        {
            byte[] data = section.Data.ToArray();
            if (section.Name == name)
            {
                change(data);
            }

            sections.Add(section with { Data = data });
        }

        File.WriteAllBytes(Path.Combine(folder, "state"), new StateFile(state.Id, sections).ToBytes());
    }

    /// <summary>struct kvm_ioapic_state behind two PICs: the pin's request, and its entry: fixed, edge, to the CPU 0, not masked.</summary>
    private static void HoldInterrupt(byte[] data)
    {
        // Each chip has its 520 bytes behind their number.
        int ioapic = (2 * (4 + 520)) + 4 + 8;
        BitConverter.TryWriteBytes(data.AsSpan(ioapic + 16), 1u << Pin);
        BitConverter.TryWriteBytes(data.AsSpan(ioapic + 24 + (8 * Pin)), (ulong)Vector);
    }

    private static void EnableLapic(byte[] data) => Change(data, cpu =>
    {
        KvmLapic lapic = cpu.Lapic;
        lapic[LapicSpurious + 1] |= 1;
        cpu.Lapic = lapic;
    });

    private static void Change(byte[] data, Action<VcpuState> change)
    {
        StateReader reader = new SnapshotSection("cpu 0", 1, data).Read();
        string id = reader.Text();
        VcpuState cpu = VcpuState.Parse(reader);
        change(cpu);
        StateWriter writer = new();
        writer.Text(id);
        cpu.Write(writer);
        writer.ToSection("cpu 0").Data.CopyTo(data);
    }

    /// <summary>The local APIC's requests of the vectors around the one.</summary>
    private static int Requests(StateFile state)
    {
        StateReader reader = state.Require("cpu 0").Read();
        _ = reader.Text();
        KvmLapic lapic = VcpuState.Parse(reader).Lapic;
        return BitConverter.ToInt32(((ReadOnlySpan<byte>)lapic)[(LapicIrr + (Vector / 32 * 16))..]);
    }

    private static FileDescriptor Open(string path) => new(Libc.Open(path, Libc.O_RDWR));
}
