using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using Strato.Engine.Block;
using Strato.Engine.Boot;
using Strato.Engine.Bus;
using Strato.Engine.Chardev;
using Strato.Engine.Devices;
using Strato.Engine.Kvm;
using Strato.Engine.Machine;
using Strato.Engine.Net;
using Strato.Engine.Virtio;
using Strato.Protocol.Configuration;
using Strato.Protocol.Snapshots;
using Strato.Tests.Unit.Driver;
using MemoryMap = Strato.Protocol.Snapshots.MemoryMap;

namespace Strato.Tests.Fuzz.Targets;

/// <summary>Snapshots whose checksums are right and whose contents aren't. The first byte says what is read: the whole state, one of its sections, or a device.</summary>
internal sealed class SnapshotTarget : FuzzTarget
{
    private const int DiskBytes = 64 << 10;

    /// <summary>Turns of the loop in which a device that was restored does what it can.</summary>
    private const int Turns = 64;

    private static readonly byte[] Mac = [2, 0, 0, 0, 0, 1];

    private readonly TemporaryFile _file = new(DiskBytes);
    private readonly (string Name, Func<byte[]> Seed, Func<byte[], string> Run)[] _readers;

    public SnapshotTarget()
    {
        _readers =
        [
            ("state", () => Sample.ToBytes(), ReadState),
            ("board", () => Section(Sample, BoardState.SectionName), data => Read(BoardState.SectionName, data, state => BoardState.Parse(state).Slots.Count)),
            ("memory", () => Section(Sample, MemoryMap.SectionName), data => Read(MemoryMap.SectionName, data, state => MemoryMap.Parse(state).Ranges.Count)),
            ("description", () => Section(Sample, SnapshotDescription.SectionName), data => Read(SnapshotDescription.SectionName, data, state => SnapshotDescription.Parse(state).Nets.Count)),
            ("kvm", () => Section(Sample, KvmCapability.SectionName), data => Read(KvmCapability.SectionName, data, state => KvmCapability.Parse(state).Count)),
            ("place", () => SaveDevice(Disk), ReadPlace),
            ("clock", () => Section(Sample, GuestClock.SectionName), data => Read(GuestClock.SectionName, data, state => (long)GuestClock.Parse(state).Nanoseconds)),
            ("cpuid", SaveCpuid, data => Read("cpuid", data, state => CpuSet.ParseCpuid(state, []).Length)),
            ("cpu", SaveCpu, ReadCpu),
            ("interrupts", SaveInterrupts, ReadInterrupts),
            ("serial", () => Save(new Serial16550(new Line(), new FakeBackend()).Save), RestoreSerial),
            ("power", () => Save(new PowerControl(new Line(), () => { }, () => { }).Save), data => Restore(new PowerControl(new Line(), () => { }, () => { }).Restore, data)),
            ("cpus", () => Save(new CpuHotplug(2, 6, () => { }).Save), RestoreCpus),
            ("disk", () => SaveDevice(Disk), data => RestoreDevice(Disk, data)),
            ("rng", () => SaveDevice(Rng), data => RestoreDevice(Rng, data)),
            ("net", () => SaveDevice(Net), data => RestoreDevice(Net, data)),
            ("console", () => SaveDevice(Console), data => RestoreDevice(Console, data)),
            ("balloon", () => SaveDevice(Balloon), data => RestoreDevice(Balloon, data)),
            ("vsock", () => SaveDevice(Vsock), data => RestoreDevice(Vsock, data)),
        ];
        Seeds = Array.ConvertAll(_readers, reader => (byte[])[(byte)Array.IndexOf(_readers, reader), .. reader.Seed()]);
    }

    public override IReadOnlyList<byte[]> Seeds { get; }

    public override IReadOnlyList<byte[]> Words { get; } = ["\"nets\":[{"u8.ToArray(), "null"u8.ToArray(), "board"u8.ToArray(), "STRATOVM"u8.ToArray()];

    private static StateFile Sample { get; } = new(
        Guid.Empty,
        [
            new SnapshotSection(
                SnapshotDescription.SectionName,
                1,
                """
                {"engine":"1.0","saved":"2026-01-02T03:04:05+00:00","host-kernel":null,"name":"web","machine":"microvm","running":true,"memory":268435456,"cpus":1,"max-cpus":4,
                "drives":[{"id":"rootfs","file":"/root.ext4","read-only":false,"size":65536}],"nets":[{"id":"net0","mac":"02:00:00:00:00:01","netdev":"nd0"}]}
                """u8.ToArray()),
            new BoardState(new CpuTopology(2, 1, 1), Announcement.Acpi, HasSerial: true, [new(SlotKind.Disk, "rootfs", ""), new(SlotKind.Net, "", "02:00:00:00:00:01")]).ToSection(),
            KvmCapability.ToSection([new("KVM_CAP_XSAVE", 55, 1, true)]),
            new GuestClock(123, 456).ToSection(),
            new MemoryMap([(0, 3 << 20)], [1, 2, 3]).ToSection(),
        ]);

    public override string Run(byte[] input)
    {
        if (input.Length == 0)
        {
            return "nothing";
        }

        (string name, _, Func<byte[], string> run) = _readers[input[0] % _readers.Length];
        return $"{name}: {run(input[1..])}";
    }

    protected override void Dispose(bool disposing) => _file.Dispose();

    private static string ReadState(byte[] data)
    {
        Seal(data);
        StateFile state = StateFile.Parse(data);
        Require(state.ToBytes().AsSpan().SequenceEqual(data), "what is read isn't what is written");
        return $"{state.Sections.Count} sections";
    }

    /// <summary>Makes the checksums right, as far as the sections' lengths lead.</summary>
    private static void Seal(byte[] bytes)
    {
        if (bytes.Length < 44)
        {
            return;
        }

        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(16), bytes.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(40), Checksum.Of(bytes.AsSpan(0, 40)));
        for (int at = 44; at + 8 <= bytes.Length;)
        {
            long end = at + 8L + BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at)) + BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(at + 6));
            if (end + 4 > bytes.Length)
            {
                return;
            }

            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan((int)end), Checksum.Of(bytes.AsSpan(at, (int)end - at)));
            at = (int)end + 4;
        }
    }

    private static string Read(string name, byte[] data, Func<StateFile, long> read) =>
        $"{read(new StateFile(Guid.Empty, [new SnapshotSection(name, 1, data)])) != 0}";

    private static string Restore(Action<StateReader> restore, byte[] data)
    {
        restore(new SnapshotSection("s", 1, data).Read());
        return "restored";
    }

    private static string ReadPlace(byte[] data)
    {
        DeviceShape shape = DeviceShape.Read(new SnapshotSection("s", 1, data).Read());
        using BlockDevice disk = DiskSlot.CreateSpare(0, shape);
        using NetDevice net = NetSlot.CreateSpare(0, Mac, shape);
        return $"{disk.Options.QueueCount != 1} {net.Pairs != 1}";
    }

    private static byte[] SaveCpuid() => Save(writer => writer.Structs<KvmCpuidEntry>([default, new() { Function = 7 }, new() { Function = 0xD }]));

    /// <summary>As VcpuState.Write has them; the last is the state of a guest's own virtualization.</summary>
    private static byte[] SaveCpu() => Save(writer =>
    {
        writer.U32(0);
        writer.U32(2_000_000);
        writer.Struct(default(KvmRegs));
        writer.Struct(default(KvmSregs));
        writer.Struct(default(KvmXsave));
        writer.Struct(default(KvmXcrs));
        writer.Struct(default(KvmDebugRegs));
        writer.Struct(default(KvmLapic));
        writer.Struct(default(KvmVcpuEvents));
        writer.Structs<KvmMsr>([new(VcpuState.TimeStampCounter, 5), new(0x174, 8)]);
        writer.Struct(default(KvmNestedState));
    });

    private static string ReadCpu(byte[] data)
    {
        StateReader reader = new SnapshotSection("cpu 0", 1, data).Read();
        VcpuState cpu = VcpuState.Parse(reader);
        reader.End();
        Require(Save(cpu.Write).AsSpan().SequenceEqual(data), "what is read isn't what is written");
        return $"{cpu.Msrs.Length} MSRs";
    }

    private static byte[] SaveInterrupts() => Save(writer =>
    {
        for (uint chip = 0; chip < KvmVm.IrqchipCount; chip++)
        {
            writer.Struct(new KvmIrqchip { ChipId = chip });
        }

        writer.Struct(default(KvmPit));
    });

    private static string ReadInterrupts(byte[] data)
    {
        StateReader reader = new SnapshotSection("interrupts", 1, data).Read();
        InterruptState interrupts = InterruptState.Parse(reader);
        reader.End();
        Require(Save(interrupts.Write).AsSpan().SequenceEqual(data), "what is read isn't what is written");
        return "read";
    }

    private static string RestoreSerial(byte[] data)
    {
        Serial16550 serial = new(new Line(), new FakeBackend());
        string outcome = Restore(serial.Restore, data);
        byte[] registers = new byte[8];
        serial.Read(0, registers);
        serial.Receive([1, 2, 3]);
        serial.Write(0, registers);
        return outcome;
    }

    private static string RestoreCpus(byte[] data)
    {
        CpuHotplug cpus = new(2, 6, () => { });
        string outcome = Restore(cpus.Restore, data);
        byte[] register = new byte[4];
        for (int i = 0; i < 16; i++)
        {
            cpus.Read(CpuHotplug.EventOffset, register);
            cpus.Read(CpuHotplug.StatusOffset, register);
        }

        Require(cpus.IsThere(0) && cpus.IsThere(1), "a CPU that stays has gone");
        return outcome;
    }

    private byte[] SaveDevice(Func<MmioDriver?, VirtioDevice> make)
    {
        using MmioDriver driver = Drive(make);
        return driver.Save().Data.ToArray();
    }

    /// <summary>A device whose driver has set it up and has requests under way becomes what the input says, goes on, and works after a reset.</summary>
    private string RestoreDevice(Func<MmioDriver?, VirtioDevice> make, byte[] data)
    {
        using MmioDriver driver = Drive(make);
        driver.Device.Quiesce();
        driver.Restore(() => make(driver), new SnapshotSection("slot 0", 1, data));
        driver.Device.Resume();
        for (int turn = 0; turn < Turns && driver.Loop.RunOnce(0); turn++)
        {
        }

        string outcome = $"{driver.Status}";
        driver.Device.Quiesce();
        _ = driver.WriteState();
        driver.Device.Resume();
        driver.Write(MmioRegister.Status, 0);
        driver.Start(16);
        Require(!driver.NeedsReset, $"after a reset the device doesn't work; before: {outcome}");
        return outcome;
    }

    private static MmioDriver Drive(Func<MmioDriver?, VirtioDevice> make)
    {
        MmioDriver driver = new(make(null));
        if (driver.Device is VsockDevice)
        {
            // Its stand-in of the kernel has to know the driver, which comes after it.
            driver.Restore(() => make(driver), driver.Save());
            driver.Device.Resume();
        }

        driver.Start(16);
        for (int queue = 0; queue < driver.Queues.Count; queue++)
        {
            ulong at = driver.Allocate(512);
            driver.Queues[queue].Add(new DriverBuffer(at, 16, false), new DriverBuffer(at + 16, 64, true));
            driver.Queues[queue].Kick();
        }

        driver.Run();
        return driver;
    }

    private BlockDevice Disk(MmioDriver? driver) =>
        new("disk", DiskOpener.Open(new DriveOptions("disk", _file.Path) { Aio = DriveAio.Off }), new BlockOptions { QueueCount = 2, QueueSize = 64, WriteError = DriveErrorAction.Stop });

    private static RngDevice Rng(MmioDriver? driver) => new("rng", EntropySource.Open("/dev/urandom", "rng", "-device"));

    private static NetDevice Net(MmioDriver? driver) => new("net", [new NoBackend(true), new NoBackend(true)], Mac);

    private static ConsoleDevice Console(MmioDriver? driver) =>
        new("console", [new VirtioPort(0, isConsole: true, null, new FakeBackend()), new VirtioPort(1, isConsole: false, "agent", new FakeBackend { OutputRoom = 5 })], room: 3);

    private static BalloonDevice Balloon(MmioDriver? driver) => new("balloon", deflateOnOom: true, reporting: true);

    private static VsockDevice Vsock(MmioDriver? driver)
    {
        FakeVhost vhost = new();
        if (driver is not null)
        {
            vhost.Join(driver);
        }

        return new VsockDevice("vsock", 3, vhost);
    }

    private static byte[] Section(StateFile state, string name) => state.Require(name).Data.ToArray();

    private static byte[] Save(Action<StateWriter> save)
    {
        StateWriter writer = new();
        save(writer);
        return writer.ToSection("s").Data.ToArray();
    }

    private sealed class Line : ILevelInterruptLine, IInterruptLine
    {
        public void Set(bool asserted)
        {
        }

        public void Trigger()
        {
        }
    }
}
