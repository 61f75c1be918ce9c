using System;
using System.Collections.Generic;
using Strato.Engine.Block;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.Engine.Net;
using Strato.Engine.Virtio;
using Strato.Protocol.Configuration;
using EngineThread = Strato.Engine.Machine.IoThread;

namespace Strato.Tests.Unit.Driver;

/// <summary>A machine's slots without the machine: for disks and network interfaces, each with a guest's driver of its own. The first of each is filled from the start.</summary>
internal sealed class SlotBoard : IDisposable
{
    public static readonly byte[] Mac = [0x52, 0x54, 0, 1, 2, 3];

    private readonly TemporaryFile _root = new(1 << 30);
    private readonly List<EngineThread> _ioThreads = [];
    private readonly FileDescriptor _peer;

    /// <param name="ioThread">Whether there is an iothread "io".</param>
    public SlotBoard(bool ioThread = false)
    {
        if (ioThread)
        {
            _ioThreads.Add(new EngineThread("io"));
            _ioThreads[0].Start();
        }

        HotPlug = new HotPlug(Loop, _ioThreads, id => id == "rng0" || Ports!.Has(id)) { Deleted = Deleted.Add };
        Ports = new PortPlug(Loop, HotPlug.CheckDeviceId) { Deleted = Deleted.Add };
        Console = new MmioDriver(Ports.OpenConsole(new ConsoleConfiguration { Room = 3 }), Loop);
        DriveConfiguration drive = new() { Id = "rootfs", File = "/path/to/rootfs" };
        DiskImage image = DiskOpener.Open(new DriveOptions("rootfs", _root.Path));
        AddDisk(new BlockDevice("rootfs", image)).Describe(drive, image);
        for (int i = 1; i <= HotPlug.SpareDisks; i++)
        {
            AddDisk(DiskSlot.CreateSpare(i), isSpare: true);
        }

        Libc.CreateSocketPair(out FileDescriptor near, out _peer);
        AddNet(new NetDevice("net0", [new StreamBackend(near, "pair")], Mac)).Describe(new NetConfiguration { Id = "net0", Netdev = new() { Id = "nd0", Kind = NetdevKind.Stream } });
        AddNet(NetSlot.CreateSpare(1, [.. Mac[..5], 4]), isSpare: true);
    }

    public EventLoop Loop { get; } = new();

    public HotPlug HotPlug { get; }

    /// <summary>A console without ports, with room for three.</summary>
    public PortPlug Ports { get; }

    /// <summary>The console's driver.</summary>
    public MmioDriver Console { get; }

    /// <summary>Ids of the devices that have gone.</summary>
    public List<string> Deleted { get; } = [];

    public List<MmioDriver> Disks { get; } = [];

    public List<MmioDriver> Nets { get; } = [];

    /// <summary>The file of the disk that is there from the start.</summary>
    public string RootPath => _root.Path;

    public void Dispose()
    {
        _ioThreads.ForEach(thread => thread.Stop());
        Disks.ForEach(driver => driver.Dispose());
        Nets.ForEach(driver => driver.Dispose());
        Console.Dispose();
        Ports.Dispose();
        HotPlug.Dispose();
        _ioThreads.ForEach(thread => thread.Dispose());
        Loop.Dispose();
        _root.Dispose();
        _peer.Dispose();
    }

    private DiskSlot AddDisk(BlockDevice device, bool isSpare = false)
    {
        MmioDriver driver = new(device, Loop, isSpare: isSpare);
        Disks.Add(driver);
        return HotPlug.AddDiskSlot(driver.Transport);
    }

    private NetSlot AddNet(NetDevice device, bool isSpare = false)
    {
        MmioDriver driver = new(device, Loop, isSpare: isSpare);
        Nets.Add(driver);
        return HotPlug.AddNetSlot(driver.Transport);
    }
}
