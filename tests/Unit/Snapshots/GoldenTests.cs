using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.CompilerServices;
using Strato.Engine.Boot;
using Strato.Engine.Bus;
using Strato.Engine.Devices;
using Strato.Engine.Kvm;
using Strato.Engine.Machine;
using Strato.Engine.Virtio;
using Strato.Protocol.Snapshots;
using Strato.Tests.Unit.Devices;
using Strato.Tests.Unit.Driver;
using Strato.Tests.Unit.Machine;
using Strato.Tests.Unit.Virtio;
using Xunit;
using MemoryMap = Strato.Protocol.Snapshots.MemoryMap;

namespace Strato.Tests.Unit.Snapshots;

/// <summary>States that were saved once, in golden/*.state, are restored by the code of today.</summary>
/// <remarks>
/// Where a section gets another layout it gets another version, and these files stay: they are what users have on their disks.
/// STRATO_WRITE_DOCS=1 writes those that aren't there yet (a new kind of device); one that is there has to be removed by hand first.
/// A device's file was saved by the driver of <see cref="Drive"/>, which therefore stays as it is.
/// </remarks>
public sealed class GoldenTests
{
    private static readonly Guid Id = new("51a70000-0000-0000-0000-000000000001");

    public static TheoryData<string> Kinds => [.. DeviceCatalogue.Names.Where(name => name is not ("fs" or "echo"))];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void ADeviceGoesOn(string kind)
    {
        using TemporaryFile file = new(64 << 10);
        using MmioDriver driver = DeviceCatalogue.Open(kind, file);
        Drive(driver);
        SnapshotSection now = driver.Save();
        SnapshotSection saved = Load(kind, () => [now]).Require(now.Name);
        ushort[] used = [.. driver.Queues.Select(queue => queue.UsedIndex)];
        DeviceCatalogue.Restore(kind, file, driver, saved);
        Assert.Equal(VirtioStatus.Acknowledge | VirtioStatus.Driver | VirtioStatus.FeaturesOk | VirtioStatus.DriverOk, driver.Status);
        Assert.Equal(driver.Features, driver.Device.Features);
        driver.Device.Resume();
        driver.Run();

        // What was answered isn't answered again; what comes now is.
        foreach (DriverQueue queue in driver.Queues)
        {
            if (used[queue.Index] == 1)
            {
                Assert.Equal(1, queue.UsedIndex);
                Add(driver, queue);
                driver.Run();
                Assert.Equal(2, queue.UsedIndex);
            }
        }

        Assert.False(driver.NeedsReset);
        Assert.Contains(used, index => index == 1);
        driver.Start(4);
        Assert.False(driver.NeedsReset);
    }

    [Fact]
    public void ABoardIsThere()
    {
        StateFile state = Load("board", SaveBoard);
        BoardState board = BoardState.Parse(state);
        Assert.Equal((new CpuTopology(2, 1, 1), Announcement.Acpi, true), (board.Topology, board.AnnouncedBy, board.HasSerial));
        Assert.Equal([new(SlotKind.Disk, "rootfs", ""), new(SlotKind.Device, "rng0", ""), new(SlotKind.Net, "", "02:00:00:00:00:01")], board.Slots);
        SnapshotDescription description = SnapshotDescription.Parse(state);
        Assert.Equal(("web", "microvm", 268435456L, 2, 4), (description.Name, description.Machine, description.Memory, description.Cpus, description.MaxCpus));
        Assert.Equal(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero), description.Saved);
        Assert.Equal([new SnapshotDrive("rootfs", "/root.ext4", false, 65536)], description.Drives);
        Assert.Equal([new SnapshotNet("net0", "02:00:00:00:00:01", "nd0")], description.Nets);
        Assert.Equal(new GuestClock(123_456_789, 1_767_323_045_000_000_000), GuestClock.Parse(state));
        MemoryMap memory = MemoryMap.Parse(state);
        Assert.Equal([(0ul, 3ul << 30), (4ul << 30, 1ul << 20)], memory.Ranges);
        Assert.Equal((3073, 7u), (memory.Checksums.Length, memory.Checksums[7]));
        UartPort uart = new();
        uart.Device.Restore(state.Require("serial").Read());
        Assert.Equal((UartPort.RDI, 0xCC, (byte)'a', (byte)'b'), (uart[UartPort.IER], uart[UartPort.IIR], uart[UartPort.RX], uart[UartPort.RX]));
        Line line = new();
        new PowerControl(line, () => { }, () => { }).Restore(state.Require("power").Read());
        Assert.True(line.IsHigh);
        CpuHotplug cpus = new(2, 6, () => { });
        cpus.Restore(state.Require("cpu-hotplug").Read());
        Assert.Equal([true, true, false, true, false, false], Enumerable.Range(0, 6).Select(cpus.IsThere));
    }

    /// <summary>What is told since 0.2: the processor, KVM's capabilities, devices with their options.</summary>
    [Fact]
    public void AHostIsThere()
    {
        StateFile state = Load("host", SaveHost);
        SnapshotDescription description = SnapshotDescription.Parse(state);
        Assert.Equal(("GenuineIntel", "Xeon"), (description.Cpu!.Vendor, description.Cpu.Model));
        Assert.Equal(["sse", "avx2", "kvmclock"], description.Cpu.Features);
        Assert.Equal(1, description.Kvm["KVM_CAP_XSAVE"]);
        SnapshotDevice disk = description.Devices[0];
        Assert.Equal((0, "virtio-blk-device", "rootfs", 2, 128, "on"), (disk.Slot, disk.Driver, disk.Id, disk.Queues, disk.QueueSize, disk.Options["readonly"]));
        Assert.Equal([new KvmCapability("KVM_CAP_XSAVE", 55, 1, true), new KvmCapability("KVM_CAP_TSC_CONTROL", 60, 1, false)], KvmCapability.Parse(state));
    }

    /// <summary>Of a processor only that it is understood: not each host can be that one.</summary>
    [Fact]
    public void AProcessorIsUnderstood()
    {
        StateFile state = Load("cpu", SaveCpu);
        StateReader reader = state.Require("cpu 0").Read();
        Assert.Equal("cpu0", reader.Text());
        VcpuState cpu = VcpuState.Parse(reader);
        reader.End();
        Assert.Contains(cpu.Msrs.ToArray(), msr => msr.Index == VcpuState.TimeStampCounter);
        Assert.Contains(cpu.Msrs.ToArray(), msr => msr.Index == 0xC0000082 && msr.Data == 0xffffffff81000000);
        StateReader interrupts = state.Require("interrupts").Read();
        _ = InterruptState.Parse(interrupts);
        interrupts.End();
        StateReader cpuid = state.Require("cpuid").Read();
        KvmCpuidEntry[] entries = cpuid.Structs<KvmCpuidEntry>();
        cpuid.End();
        CpuFilter.CheckSame(entries, entries);
    }

    /// <summary>Frozen: a start, and one request to each queue, which for every kind is one that it can answer or keep.</summary>
    private static void Drive(MmioDriver driver)
    {
        driver.Start(4);
        foreach (DriverQueue queue in driver.Queues)
        {
            Add(driver, queue);
        }

        driver.Run();
    }

    private static void Add(MmioDriver driver, DriverQueue queue)
    {
        ulong at = driver.Allocate(128);
        queue.Add(new DriverBuffer(at, 64, false), new DriverBuffer(at + 64, 64, true));
        queue.Kick();
    }

    private static IReadOnlyList<SnapshotSection> SaveBoard()
    {
        UartPort uart = new();
        uart[UartPort.FCR] = 0x81;
        uart[UartPort.IER] = UartPort.RDI;
        uart.Input((byte)'a', (byte)'b');
        PowerControl power = new(new Line(), () => { }, () => { });
        power.Raise(PowerEvents.PowerButton);
        CpuHotplug cpus = new(2, 6, () => { });
        cpus.Insert(3);
        uint[] checksums = [.. Enumerable.Range(0, 3073).Select(i => (uint)i)];
        return
        [
            new SnapshotSection(
                SnapshotDescription.SectionName,
                1,
                """
                {"engine":"0.1.0","saved":"2026-01-02T03:04:05+00:00","host-kernel":"6.1.0","name":"web","machine":"microvm","running":true,"memory":268435456,"cpus":2,"max-cpus":4,"drives":[{"id":"rootfs","file":"/root.ext4","read-only":false,"size":65536}],"nets":[{"id":"net0","mac":"02:00:00:00:00:01","netdev":"nd0"}]}
                """u8.ToArray()),
            new BoardState(new CpuTopology(2, 1, 1), Announcement.Acpi, HasSerial: true, [new(SlotKind.Disk, "rootfs", ""), new(SlotKind.Device, "rng0", ""), new(SlotKind.Net, "", "02:00:00:00:00:01")]).ToSection(),
            new GuestClock(123_456_789, 1_767_323_045_000_000_000).ToSection(),
            Section("serial", uart.Device.Save),
            Section("power", power.Save),
            Section("cpu-hotplug", cpus.Save),
            new MemoryMap([(0, 3UL << 30), (4UL << 30, 1 << 20)], checksums).ToSection(),
        ];
    }

    private static IReadOnlyList<SnapshotSection> SaveHost() =>
    [
        new SnapshotSection(
            SnapshotDescription.SectionName,
            1,
            """
            {"engine":"0.2.0","saved":"2026-01-02T03:04:05+00:00","host-kernel":"6.1.0","name":"web","machine":"microvm","running":true,"memory":268435456,"cpus":2,"max-cpus":4,"drives":[],"nets":[],"cpu":{"vendor":"GenuineIntel","model":"Xeon","features":["sse","avx2","kvmclock"]},"kvm":{"KVM_CAP_XSAVE":1},"devices":[{"slot":0,"driver":"virtio-blk-device","id":"rootfs","queues":2,"queue-size":128,"options":{"readonly":"on"}}]}
            """u8.ToArray()),
        KvmCapability.ToSection([new("KVM_CAP_XSAVE", 55, 1, true), new("KVM_CAP_TSC_CONTROL", 60, 1, false)]),
    ];

    private static IReadOnlyList<SnapshotSection> SaveCpu()
    {
        using PayloadVm vm = new([0xF4]);
        KvmVcpu vcpu = vm.Threads[0].Vcpu;
        KvmMsr[] entry = [new(0xC0000082, 0xffffffff81000000)];
        Assert.Equal(1, vcpu.SetMsrs(entry));
        VcpuState cpu = VcpuState.Read(vm.System, vcpu, VcpuState.ListMsrs(vm.System), hasNested: true);
        InterruptState interrupts = InterruptState.Read(vm.Vm);
        return
        [
            Section("cpuid", writer => writer.Structs<KvmCpuidEntry>(vm.Cpuid)),
            Section("cpu 0", writer =>
            {
                writer.Text("cpu0");
                cpu.Write(writer);
            }),
            Section("interrupts", interrupts.Write),
        ];
    }

    private static SnapshotSection Section(string name, Action<StateWriter> save)
    {
        StateWriter writer = new();
        save(writer);
        return writer.ToSection(name);
    }

    private static StateFile Load(string name, Func<IReadOnlyList<SnapshotSection>> save, [CallerFilePath] string here = "")
    {
        string path = Path.Combine(Path.GetDirectoryName(here)!, "golden", $"{name}.state");
        if (Environment.GetEnvironmentVariable("STRATO_WRITE_DOCS") == "1" && !File.Exists(path))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(path, new StateFile(Id, save()).ToBytes());
        }

        StateFile state = StateFile.Parse(File.ReadAllBytes(path));
        Assert.Equal(Id, state.Id);
        return state;
    }

    private sealed class Line : ILevelInterruptLine
    {
        public bool IsHigh { get; private set; }

        public void Set(bool asserted) => IsHigh = asserted;
    }
}
