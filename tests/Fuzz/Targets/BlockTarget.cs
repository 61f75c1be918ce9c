using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using Strato.Engine.Block;
using Strato.Engine.Virtio;
using Strato.Engine.Virtio.Queue;
using Strato.Tests.Unit.Driver;

namespace Strato.Tests.Fuzz.Targets;

/// <summary>A hostile driver before a virtio disk: registers, rings and doorbells in any order. After a reset the disk works again.</summary>
/// <remarks>
/// An input is a program: each step is a byte that says what is done (modulo the number of steps there are), and its
/// arguments. What is missing at the end is zeros.
/// </remarks>
internal sealed class BlockTarget : FuzzTarget
{
    private const ulong Table = 0x10_000;
    private const ulong Available = 0x11_000;
    private const ulong Used = 0x12_000;
    private const ulong Header = 0x13_000;
    private const ulong Data = 0x14_000;
    private const ulong Status = 0x15_000;
    private const uint Addresses = 20 << 20;
    private const uint Ready = (uint)(VirtioStatus.Acknowledge | VirtioStatus.Driver | VirtioStatus.FeaturesOk);

    private readonly TemporaryFile _file = new(64 << 10);
    private readonly MmioDriver _driver;

    public BlockTarget()
    {
        DiskImage disk = DiskOpener.Open(new DriveOptions("fuzz", _file.Path));
        _driver = new MmioDriver(new BlockDevice("fuzz", disk));
        ulong features = _driver.ReadOffer();
        Seeds =
        [
            Seed(features, BlockLayout.TypeIn, indirect: false),
            Seed(features, BlockLayout.TypeOut, indirect: false),
            Seed(features, BlockLayout.TypeIn, indirect: true),
            Seed(features & ~VirtioFeature.EventIndex, BlockLayout.TypeFlush, indirect: false),
            Seed(features, BlockLayout.TypeGetId, indirect: true),
        ];
    }

    private enum Step
    {
        WriteRegister,
        WriteMemory,
        Store16,
        Notify,
        Serve,
        ReadAny,
        WriteAny,
    }

    public override IReadOnlyList<byte[]> Seeds { get; }

    public override string Run(byte[] input)
    {
        _driver.Memory.Discard();
        Span<byte> bytes = stackalloc byte[256];
        Reader reader = new(input);
        while (!reader.AtEnd)
        {
            switch ((Step)(reader.Number(1) % 7))
            {
                case Step.WriteRegister:
                    _driver.Write((uint)reader.Number(2) % (uint)MmioTransport.Length & ~3u, (uint)reader.Number(4));
                    break;
                case Step.WriteMemory:
                    ulong address = reader.Number(4) % Addresses;
                    Span<byte> content = bytes[..(int)reader.Number(1)];
                    reader.Take(content);
                    _ = _driver.Memory.TryWrite(address, content);
                    break;
                case Step.Store16:
                    _ = _driver.Memory.TryStore16(reader.Number(4) % Addresses, (ushort)reader.Number(2));
                    break;
                case Step.Notify:
                    _driver.Notify((uint)reader.Number(1));
                    break;
                case Step.Serve:
                    _driver.Run();
                    break;
                case Step.ReadAny:
                    _driver.Transport.Read(reader.Number(2) % MmioTransport.Length, bytes[..((int)reader.Number(1) % 9)]);
                    break;
                case Step.WriteAny:
                    ulong offset = reader.Number(2) % MmioTransport.Length;
                    Span<byte> value = bytes[..((int)reader.Number(1) % 9)];
                    reader.Take(value);
                    _driver.Transport.Write(offset, value);
                    break;
            }
        }

        _driver.Run();
        string outcome = $"{_driver.Status}, fault {_driver.Device.Queues[0].Fault}, status {_driver.Ram(Status, 1)[0]}, used {_driver.Ram(Used + RingLayout.IndexOffset, 1)[0]}";
        _driver.Memory.Discard();
        _driver.Start();
        Require(Works(), $"after a reset the disk doesn't work; before: {outcome}");
        _driver.Write(MmioRegister.Status, 0);
        _driver.Run();
        return outcome;
    }

    protected override void Dispose(bool disposing)
    {
        _driver.Dispose();
        _file.Dispose();
    }

    /// <summary>Whether the disk, started, reads a sector.</summary>
    private bool Works()
    {
        ulong status = _driver.Allocate(1);
        _driver.Ram(status, 1)[0] = BlockClient.Unanswered;
        ulong header = _driver.Allocate(BlockClient.HeaderBytes);
        BlockClient.WriteHeader(_driver.Ram(header, BlockClient.HeaderBytes), BlockLayout.TypeIn, 1);
        DriverQueue queue = _driver.Queues[0];
        queue.Add(new DriverBuffer(header, BlockClient.HeaderBytes, false), new DriverBuffer(_driver.Allocate(512), 512, true), new DriverBuffer(status, 1, true));
        queue.Kick();
        _driver.Run();
        return queue.TryTake(out _, out _) && _driver.Ram(status, 1)[0] == BlockLayout.StatusOk;
    }

    /// <summary>A start as Linux writes it, and one request.</summary>
    private static byte[] Seed(ulong features, uint type, bool indirect)
    {
        const int size = 8;
        ulong table = indirect ? Data + 0x800 : Table;
        uint written = type == BlockLayout.TypeOut ? 0u : RingLayout.DescriptorWrite;
        byte[] header = new byte[BlockClient.HeaderBytes];
        BlockClient.WriteHeader(header, type, 1);
        Writer program = new();
        program.Register(MmioRegister.Status, 0);
        program.Register(MmioRegister.Status, (uint)(VirtioStatus.Acknowledge | VirtioStatus.Driver));
        program.Register(MmioRegister.DriverFeaturesSelect, 0);
        program.Register(MmioRegister.DriverFeatures, (uint)features);
        program.Register(MmioRegister.DriverFeaturesSelect, 1);
        program.Register(MmioRegister.DriverFeatures, (uint)(features >> 32));
        program.Register(MmioRegister.Status, Ready);
        program.Register(MmioRegister.QueueSelect, 0);
        program.Register(MmioRegister.QueueSize, size);
        program.Register(MmioRegister.DescriptorLow, (uint)Table);
        program.Register(MmioRegister.AvailableLow, (uint)Available);
        program.Register(MmioRegister.UsedLow, (uint)Used);
        program.Register(MmioRegister.QueueReady, 1);
        program.Register(MmioRegister.Status, Ready | (uint)VirtioStatus.DriverOk);
        program.Memory(Header, header);
        program.Memory(table, Descriptor(Header, BlockClient.HeaderBytes, RingLayout.DescriptorNext, 1));
        program.Memory(table + 16, Descriptor(Data, type == BlockLayout.TypeGetId ? 20u : 512u, RingLayout.DescriptorNext | written, 2));
        program.Memory(table + 32, Descriptor(Status, 1, RingLayout.DescriptorWrite, 0));
        if (type == BlockLayout.TypeFlush)
        {
            program.Memory(table, Descriptor(Header, BlockClient.HeaderBytes, RingLayout.DescriptorNext, 2));
        }

        if (indirect)
        {
            program.Memory(Table, Descriptor(table, 48, RingLayout.DescriptorIndirect, 0));
        }

        program.Store(Available + RingLayout.IndexOffset, 1);
        program.Notify(0);
        program.Serve();
        return program.ToArray();
    }

    private static byte[] Descriptor(ulong address, uint length, uint flags, ushort next)
    {
        byte[] descriptor = new byte[RingLayout.DescriptorBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(descriptor, address);
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor.AsSpan(8), length);
        BinaryPrimitives.WriteUInt16LittleEndian(descriptor.AsSpan(12), (ushort)flags);
        BinaryPrimitives.WriteUInt16LittleEndian(descriptor.AsSpan(14), next);
        return descriptor;
    }

    /// <summary>Takes a program apart.</summary>
    private ref struct Reader(ReadOnlySpan<byte> input)
    {
        private ReadOnlySpan<byte> _rest = input;

        public readonly bool AtEnd => _rest.IsEmpty;

        public ulong Number(int width)
        {
            Span<byte> bytes = stackalloc byte[sizeof(ulong)];
            bytes.Clear();
            Take(bytes[..width]);
            return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        }

        public void Take(scoped Span<byte> target)
        {
            target.Clear();
            int count = Math.Min(target.Length, _rest.Length);
            _rest[..count].CopyTo(target);
            _rest = _rest[count..];
        }
    }

    /// <summary>Puts a program together.</summary>
    private sealed class Writer
    {
        private readonly List<byte> _bytes = [];

        public void Register(uint register, uint value) => Add(Step.WriteRegister, register, 2, value, 4);

        public void Memory(ulong address, byte[] content)
        {
            Add(Step.WriteMemory, (uint)address, 4, (uint)content.Length, 1);
            _bytes.AddRange(content);
        }

        public void Store(ulong address, ushort value) => Add(Step.Store16, (uint)address, 4, value, 2);

        public void Notify(byte queue) => Add(Step.Notify, queue, 1, 0, 0);

        public void Serve() => _bytes.Add((byte)Step.Serve);

        public byte[] ToArray() => [.. _bytes];

        private void Add(Step step, uint first, int firstWidth, uint second, int secondWidth)
        {
            _bytes.Add((byte)step);
            _bytes.AddRange(BitConverter.GetBytes(first).AsSpan(0, firstWidth));
            _bytes.AddRange(BitConverter.GetBytes(second).AsSpan(0, secondWidth));
        }
    }
}
