using System;
using System.Collections.Generic;
using Strato.Engine.Block;
using Strato.Engine.Linux;
using Strato.Engine.Virtio;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Machine;

/// <summary>The machine's disks and network interfaces, which come and go while it runs, and their backends that no device has yet.</summary>
/// <remarks>
/// On the main loop's thread. Slots are there from the start: Linux finds virtio-mmio devices once. A device is put behind the
/// registers of an empty slot, and a device that does nothing in its place again; see <see cref="VirtioDevice.HandOver"/>.
/// Each call does all that it is asked or nothing; what goes wrong is a <see cref="UserErrorException"/>, of the id
/// DeviceNotFound where something of that name isn't there.
/// </remarks>
internal sealed class HotPlug : IDisposable
{
    /// <summary>Empty slots for disks, where a machine has fewer than <see cref="ConfigurationLimits.MaxDrives"/>.</summary>
    public const int SpareDisks = 4;

    private readonly List<DiskSlot> _disks = [];
    private readonly List<NetSlot> _nets = [];
    private readonly List<(DriveConfiguration Drive, DiskImage Image)> _nodes = [];
    private readonly List<OpenedNetdev> _netdevs = [];
    private readonly EventLoop _loop;
    private readonly IReadOnlyList<IoThread> _ioThreads;
    private readonly Predicate<string> _isOther;

    /// <param name="loop">The main loop.</param>
    /// <param name="ioThreads">The machine's, which devices may name.</param>
    /// <param name="isOther">Whether an id is that of a device of another kind.</param>
    public HotPlug(EventLoop loop, IReadOnlyList<IoThread> ioThreads, Predicate<string> isOther)
    {
        _loop = loop;
        _ioThreads = ioThreads;
        _isOther = isOther;
    }

    /// <summary>A device has gone: its id.</summary>
    public Action<string> Deleted { get; set; } = _ => { };

    /// <summary>As <see cref="BlockDevice.Failed"/>, of disks that were plugged in.</summary>
    public Action<BlockDevice, BlockFailure> DiskFailed { get; set; } = (_, _) => { };

    /// <summary>The host's side of an interface that was plugged in has gone. On the thread that serves it.</summary>
    public Action<NetdevConfiguration> NetLost { get; set; } = _ => { };

    /// <summary>How many slots for disks there are.</summary>
    public int DiskSlots => _disks.Count;

    /// <summary>How many slots for network interfaces there are.</summary>
    public int NetSlots => _nets.Count;

    /// <summary>In the order in which the guest sees them.</summary>
    public IReadOnlyList<DriveStatus> Drives => _disks.FindAll(slot => slot.Image is not null).ConvertAll(slot => slot.Drive);

    /// <summary>The same with what each has done since it came, and the id of its device.</summary>
    public IReadOnlyList<(DriveStatus Drive, string Device, BlockStatistics Statistics)> DriveStatistics =>
        _disks.FindAll(slot => slot.Image is not null).ConvertAll(slot => (slot.Drive, slot.DeviceId!, slot.Disk.Statistics));

    /// <summary>Drives that no device has yet, in the order in which they came.</summary>
    public IReadOnlyList<DriveStatus> Nodes => _nodes.ConvertAll(node => DiskSlot.StatusOf(node.Drive, node.Image));

    /// <summary>In the order in which the guest sees them.</summary>
    public IReadOnlyList<NetStatus> Nets => _nets.FindAll(slot => slot.Netdev is not null).ConvertAll(slot => slot.Status);

    public IReadOnlyList<string> NetNames => _nets.FindAll(slot => slot.Netdev is not null).ConvertAll(slot => slot.DeviceId!);

    /// <summary>Disks' first.</summary>
    public IReadOnlyList<SlotStatus> Slots
    {
        get
        {
            List<SlotStatus> slots = _disks.ConvertAll(slot => new SlotStatus(true, slot.Address, slot.GuestName, slot.DeviceId)
            {
                Backend = slot.Image is null ? null : slot.Drive.Id,
                IsSeen = slot.IsSeen,
                NeedsReset = slot.NeedsReset,
                IsReadOnly = slot.IsReadOnly,
            });
            slots.AddRange(_nets.ConvertAll(slot => new SlotStatus(false, slot.Address, slot.GuestName, slot.DeviceId)
            {
                Backend = slot.Netdev?.Id,
                IsSeen = slot.IsSeen,
                NeedsReset = slot.NeedsReset,
                Mac = slot.Mac,
            }));
            return slots;
        }
    }

    /// <summary>Adds the next slot for a disk, when the machine is built.</summary>
    public DiskSlot AddDiskSlot(MmioTransport transport)
    {
        DiskSlot slot = new(transport, _disks.Count);
        _disks.Add(slot);
        return slot;
    }

    /// <summary>Adds the next slot for a network interface, when the machine is built.</summary>
    public NetSlot AddNetSlot(MmioTransport transport)
    {
        NetSlot slot = new(transport, _nets.Count);
        _nets.Add(slot);
        return slot;
    }

    /// <summary>What a snapshot has to know of what is behind a transport, which may be any device's.</summary>
    public SlotState Describe(MmioTransport transport) =>
        _disks.Find(slot => slot.IsBehind(transport)) is { } disk ? new SlotState(SlotKind.Disk, disk.DeviceId ?? "", "")
        : _nets.Find(slot => slot.IsBehind(transport)) is { } net ? new SlotState(SlotKind.Net, net.DeviceId ?? "", net.Mac)
        : new SlotState(SlotKind.Device, transport.Device.Id, "");

    /// <summary>The options of the disk or network interface that is behind a transport; null for other devices.</summary>
    public IReadOnlyList<(string Name, string Value)>? OptionsOf(MmioTransport transport) =>
        _disks.Find(slot => slot.IsBehind(transport)) is { Wish: { } drive } disk ? DeviceOptions.Of(drive, disk.Drive)
        : _nets.Find(slot => slot.IsBehind(transport)) is { Netdev: { } netdev } net ? DeviceOptions.Of(netdev, net.Mac)
        : null;

    /// <summary>The disk of an id; null when there is none.</summary>
    public BlockDevice? FindDisk(string id) => _disks.Find(slot => slot.DeviceId == id)?.Disk;

    /// <summary>Whether a disk is in the machine still, and not one that was taken out.</summary>
    public bool Has(BlockDevice disk) => _disks.Exists(slot => slot.Disk == disk);

    /// <summary>Changes a disk's limit of requests a second; false when there is no such disk.</summary>
    public bool SetDriveIops(string id, int iops)
    {
        DiskSlot? slot = _disks.Find(slot => slot.Image is not null && slot.Drive.Id == id);
        slot?.SetIops(iops);
        return slot is not null;
    }

    /// <summary>Takes a link up or down; false when no interface has the name, nor its netdev.</summary>
    public bool SetLink(string name, bool up)
    {
        NetSlot? slot = _nets.Find(slot => slot.Netdev is not null && (slot.DeviceId == name || slot.Netdev.Id == name));
        slot?.SetLink(up);
        return slot is not null;
    }

    /// <summary>Opens a drive's image for a device to come (blockdev-add).</summary>
    public void AddNode(DriveConfiguration drive)
    {
        CheckFree(drive.Id, "drive", _nodes.Exists(node => node.Drive.Id == drive.Id) || _disks.Exists(slot => slot.Image is not null && slot.Drive.Id == drive.Id));
        _nodes.Add((drive, Allowed(() => OpenImage(drive))));
    }

    /// <summary>Closes an image that no device has (blockdev-del).</summary>
    public void RemoveNode(string id)
    {
        int at = FindNode(id);
        _nodes[at].Image.Dispose();
        _nodes.RemoveAt(at);
    }

    /// <summary>Opens the host's side of an interface to come (netdev_add).</summary>
    /// <param name="netdev">Checked. Descriptors that were passed are owned from now on.</param>
    public void AddNetdev(NetdevConfiguration netdev) => _netdevs.Add(Allowed(() => OpenedNetdev.Open(netdev, netdev.Id)));

    /// <summary>Whether a netdev of the id can be added; else an error.</summary>
    public void CheckNetdev(string id) =>
        CheckFree(id, "netdev", _netdevs.Exists(netdev => netdev.Configuration.Id == id) || _nets.Exists(slot => slot.Netdev?.Id == id));

    /// <summary>Closes the host's side of an interface that no device has (netdev_del).</summary>
    public void RemoveNetdev(string id)
    {
        int at = FindNetdev(id);
        _netdevs[at].Dispose();
        _netdevs.RemoveAt(at);
    }

    /// <summary>Plugs a disk in, of a node that is there; the guest is told.</summary>
    public void AddDisk(DeviceRequest request)
    {
        int at = FindNode(request.Backend ?? request.Id);
        (DriveConfiguration drive, DiskImage image) = _nodes[at];
        CheckDeviceId(request.Id);
        drive.Apply(request);
        EventLoop loop = LoopOf(request.IoThread);
        DiskSlot slot = Choose(_disks, "disk", request, candidate => candidate.Misfit(drive, image));
        BlockDevice device = Allowed(() => slot.CreateDevice(request.Id, drive, image));
        device.Failed = failure => DiskFailed(device, failure);

        // From here on the device owns the image, whatever comes.
        _nodes.RemoveAt(at);
        Allowed(() => slot.Fill(request.Id, device, drive, image, loop), $" Drive '{drive.Id}' is closed again.");
    }

    /// <summary>Plugs a network interface in, of a netdev that is there; the guest is told.</summary>
    public void AddNic(DeviceRequest request)
    {
        int at = FindNetdev(request.Backend ?? request.Id);
        OpenedNetdev netdev = _netdevs[at];
        CheckDeviceId(request.Id);
        EventLoop loop = LoopOf(request.IoThread);
        NetSlot slot = Choose(_nets, "network interface", request, candidate => candidate.Misfit(netdev, request.Mac));
        NetInterface device = Allowed(() => slot.CreateDevice(request.Id, netdev));
        device.Lost = () => NetLost(netdev.Configuration);
        device.SetLink(request.LinkUp);

        // From here on the device owns the netdev, whatever comes.
        _netdevs.RemoveAt(at);
        Allowed(() => slot.Fill(request.Id, device, netdev.Configuration, loop), $" Netdev '{netdev.Configuration.Id}' is closed again.");
    }

    /// <summary>Takes a disk or network interface out and closes its backend: requests under way are finished, and the guest is told (device_del).</summary>
    public void Remove(string id)
    {
        DeviceSlot? slot = (DeviceSlot?)_disks.Find(disk => disk.DeviceId == id) ?? _nets.Find(net => net.DeviceId == id);
        if (slot is null)
        {
            List<string> ids = [.. Names(_disks), .. Names(_nets)];
            throw _isOther(id)
                ? new UserErrorException("NotHotPluggable", $"Device '{ConfigurationLimits.Printable(id)}' can't be taken out while the machine runs; disks and network interfaces can.")
                : NotFound("Device", id, ids, "the machine has no disk or network interface");
        }

        VirtioDevice device = Allowed(slot.Clear);
        Deleted(id);
        device.Dispose();
    }

    public void Dispose()
    {
        _nodes.ForEach(node => node.Image.Dispose());
        _netdevs.ForEach(netdev => netdev.Dispose());
        _nodes.Clear();
        _netdevs.Clear();
    }

    /// <summary>What the host refuses is the caller's trouble, and not the machine's.</summary>
    private static T Allowed<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (LinuxException e)
        {
            throw Refused(e, "");
        }
    }

    /// <param name="work">What is asked of the host.</param>
    /// <param name="consequence">What the user is told beside that the host refuses: a sentence.</param>
    private static void Allowed(Action work, string consequence)
    {
        try
        {
            work();
        }
        catch (LinuxException e)
        {
            throw Refused(e, consequence);
        }
    }

    private static UserErrorException Refused(LinuxException e, string consequence) => new("HostRefused", $"The host refuses: {e.Message}.{consequence}", "", e);

    private DiskImage OpenImage(DriveConfiguration drive)
    {
        try
        {
            DiskImage image = DriveSetup.Open(drive);
            if (!drive.IsFileReadOnly && FindOwn(image.IsSameFile) is { } other)
            {
                // What stands on one open file (/dev/fdset/N) shares its lock.
                image.Dispose();
                throw DriveSetup.InUse(drive, other);
            }

            return image;
        }
        catch (UserErrorException e) when (e.Id == "DriveLocked" && FindOwn(image => image.IsFile(drive.File)) is { } own)
        {
            throw DriveSetup.InUse(drive, own, e);
        }
    }

    /// <summary>The id of a drive of ours that stands on an open file; null when none does.</summary>
    public string? FindDrive(int fd) => FindOwn(image => image.IsFile(fd));

    /// <summary>The id of a drive of ours that stands on the file; null when none does.</summary>
    private string? FindOwn(Predicate<DiskImage> isSame) =>
        _disks.Find(slot => slot.Image is { } image && isSame(image))?.Drive.Id ?? _nodes.Find(node => isSame(node.Image)).Drive?.Id;

    private EventLoop LoopOf(string? ioThread)
    {
        if (ioThread is null)
        {
            return _loop;
        }

        foreach (IoThread thread in _ioThreads)
        {
            if (thread.Id == ioThread)
            {
                return thread.Loop;
            }
        }

        List<string> ids = [];
        foreach (IoThread thread in _ioThreads)
        {
            ids.Add(thread.Id);
        }

        throw NotFound("Iothread", ioThread, ids, "the machine has none");
    }

    private static TSlot Choose<TSlot>(List<TSlot> slots, string kind, DeviceRequest request, Func<TSlot, string?> misfit)
        where TSlot : DeviceSlot
    {
        List<TSlot> free = slots.FindAll(slot => slot.DeviceId is null && !slot.NeedsReset);
        string frees = free.Count == 0 ? "none is free" : $"free: {string.Join(", ", free.ConvertAll(NameOf))}";
        if (request.Address is { } address)
        {
            if (address < 0 || address >= slots.Count)
            {
                throw new UserErrorException("SlotUnknown", $"Address 0x{address:x} is none of the machine's; {AllOf(slots, kind)}, and {frees}.");
            }

            TSlot wanted = slots[(int)address];
            free = wanted.DeviceId is { } other ? throw new UserErrorException("SlotTaken", $"Address {NameOf(wanted)} is taken by the {kind} '{other}'; {frees}.")
                : wanted.NeedsReset ? throw new UserErrorException("SlotBroken", $"Address {NameOf(wanted)} waits for a reset by the guest's driver, which broke a rule of virtio; {frees}.")
                : [wanted];
        }

        if (free.Count == 0)
        {
            int broken = slots.FindAll(slot => slot.DeviceId is null).Count;
            string wait = broken == 0 ? "" : $" {broken} {(broken == 1 ? "waits" : "wait")} for a reset by the guest's driver, which broke a rule of virtio.";
            throw new UserErrorException("SlotsTaken", $"No slot for a {kind} is free; {AllOf(slots, kind)}.{wait} device_del makes one free; -machine hotplug=off leaves the spare ones out.");
        }

        return free.Find(slot => misfit(slot) is null)
            ?? throw new UserErrorException(
                "SlotMisfit",
                $"The {kind} '{request.Id}' doesn't fit into {NameOf(free[0])}: {misfit(free[0])}. A driver asks for that once, when it finds the slot.");
    }

    private static string NameOf(DeviceSlot slot) => $"{slot.Address} ({slot.GuestName})";

    private static string AllOf<TSlot>(List<TSlot> slots, string kind)
        where TSlot : DeviceSlot =>
        slots.Count == 0 ? $"there is no slot for a {kind}" : $"slots for a {kind} are {slots[0].Address} to {slots[^1].Address}";

    private int FindNode(string id)
    {
        int at = _nodes.FindIndex(node => node.Drive.Id == id);
        return at >= 0 ? at
            : _disks.Find(slot => slot.Image is not null && slot.Drive.Id == id) is { } user ? throw Busy("Drive", id, user)
            : throw NotFound("Drive", id, _nodes.ConvertAll(node => node.Drive.Id), "blockdev-add adds one, and device_del takes it away with its device");
    }

    private int FindNetdev(string id)
    {
        int at = _netdevs.FindIndex(netdev => netdev.Configuration.Id == id);
        return at >= 0 ? at
            : _nets.Find(slot => slot.Netdev?.Id == id) is { } user ? throw Busy("Netdev", id, user)
            : throw NotFound("Netdev", id, _netdevs.ConvertAll(netdev => netdev.Configuration.Id), "netdev_add adds one, and device_del takes it away with its device");
    }

    /// <summary>Refuses an id that no device may have, or that one has, of whatever kind.</summary>
    public void CheckDeviceId(string id) =>
        CheckFree(id, "device", _isOther(id) || _disks.Exists(slot => slot.DeviceId == id) || _nets.Exists(slot => slot.DeviceId == id));

    private static void CheckFree(string id, string kind, bool isTaken)
    {
        ConfigurationLimits.CheckId(id, "id");
        if (isTaken)
        {
            throw new UserErrorException("DuplicateId", $"The id '{ConfigurationLimits.Printable(id)}' is that of another {kind}; ids are unique.");
        }
    }

    private static UserErrorException Busy(string kind, string id, DeviceSlot user) =>
        new("InUse", $"{kind} '{ConfigurationLimits.Printable(id)}' is in use by the device '{user.DeviceId}'; device_del takes both away.");

    private static List<string> Names<TSlot>(List<TSlot> slots)
        where TSlot : DeviceSlot =>
        slots.FindAll(slot => slot.DeviceId is not null).ConvertAll(slot => slot.DeviceId!);

    private static UserErrorException NotFound(string kind, string id, List<string> known, string otherwise) => new(
        "DeviceNotFound",
        $"{kind} '{ConfigurationLimits.Printable(id)}' not found; {(known.Count == 0 ? otherwise : "allowed: " + string.Join(", ", known.ConvertAll(ConfigurationLimits.Printable)))}");
}
