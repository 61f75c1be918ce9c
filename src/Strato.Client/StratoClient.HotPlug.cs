using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text.Json;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Strato.Client.Switches;
using Strato.Protocol.Configuration;

namespace Strato.Client;

/// <remarks>Devices of a running VM: its engine first, and then the definition.</remarks>
public sealed partial class StratoClient
{
    // How often a wait asks the engine.
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(50);

    /// <summary>Adds a device to the definition, to the running VM, or to both; then waits for the guest. What fails leaves both as they were.</summary>
    /// <param name="id">The VM's.</param>
    /// <param name="options">Which of them.</param>
    /// <param name="prepare">Checks the device, and gives it its id, which isn't that of a device or backend in a slot.</param>
    /// <param name="plug">Plugs it into the running VM.</param>
    /// <param name="define">Gives the definition as it will be; the slots are the running VM's, with the device, and none where it doesn't run.</param>
    /// <param name="token">Ends the waits.</param>
    private void AddDevice(
        string id,
        HotPlugOptions options,
        Func<VmDefinition, IReadOnlyList<HotPlugSlot>, string> prepare,
        Action<PlugSession> plug,
        Func<VmDefinition, IReadOnlyList<HotPlugSlot>, VmDefinition> define,
        CancellationToken token)
    {
        PlugSession? session = null;
        HotPlugSlot? filled = null;
        try
        {
            Store.Update(
                id,
                rename: false,
                before =>
                {
                    using EngineProcess? process = OpenEngine(before, options);
                    if (process is null)
                    {
                        prepare(before, []);
                        return define(before, []);
                    }

                    session = new PlugSession(OpenQmp(id, token), !process.Run.Sandboxed, token);
                    string device = prepare(before, session.Slots);
                    plug(session);
                    List<HotPlugSlot> slots = session.Slots;
                    filled = slots.Find(slot => slot.Device == device);
                    token.ThrowIfCancellationRequested();
                    return options.Transient ? before : define(before, slots);
                },
                token);
        }
        catch
        {
            session?.Undo();
            throw;
        }
        finally
        {
            session?.Dispose();
        }

        WaitUntilSeen(id, filled, options, token);
    }

    /// <summary>Removes a device from the definition, from the running VM (which may not have it), or from both; then waits for the guest.</summary>
    /// <param name="id">The VM's.</param>
    /// <param name="deviceId">The device's.</param>
    /// <param name="options">Which of them.</param>
    /// <param name="define">Gives the definition as it will be.</param>
    /// <param name="token">Ends the waits.</param>
    private void RemoveDevice(string id, string deviceId, HotPlugOptions options, Func<VmDefinition, VmDefinition> define, CancellationToken token)
    {
        HotPlugSlot? emptied = null;
        try
        {
            Store.Update(
                id,
                rename: false,
                before =>
                {
                    VmDefinition after = define(before);
                    using EngineProcess? process = OpenEngine(before, options);
                    if (process is null)
                    {
                        return after;
                    }

                    using PlugSession session = new(OpenQmp(id, token), !process.Run.Sandboxed, token);
                    int at = session.Slots.FindIndex(slot => slot.Device is not null && SameId(slot.Device, deviceId));
                    HotPlugSlot? slot = at < 0 ? null : session.Slots[at];
                    if (slot is not null || options.Transient)
                    {
                        session.Do("device_del", json => json.WriteString("id", slot?.Device ?? deviceId));
                        emptied = slot;
                    }

                    return options.Transient ? before : after;
                },
                token);
        }
        catch (StratoException e) when (emptied is not null)
        {
            throw new StratoException(e.Kind, e.Id, $"{e.Message} The running VM has lost '{deviceId}' all the same; its definition has it still.", e)
            {
                VmName = e.VmName,
                Where = e.Where,
                RecommendedAction = e.RecommendedAction,
            };
        }

        WaitUntilSeen(id, emptied, options, token);
    }

    /// <summary>The engine of a VM that runs; null for one that doesn't, whose definition alone can change.</summary>
    private EngineProcess? OpenEngine(VmDefinition vm, HotPlugOptions options) => Registry.TryOpen(vm.Id) ?? (!options.Transient
        ? null
        : throw new StratoException(StratoErrorKind.InvalidState, "VmNotRunning", $"The VM '{vm.Name}' is not running, so nothing of it changes but its definition.") { VmName = vm.Name, Where = "-Transient" });

    /// <summary>Puts a device where the guest of a running VM sees it, so that those of its kind have the same order at the next start; else behind all.</summary>
    private static T[] Insert<T>(IReadOnlyList<T> devices, T added, Func<T, string> idOf, IReadOnlyList<HotPlugSlot> slots)
    {
        int SlotOf(T device)
        {
            string id = idOf(device);
            for (int i = 0; i < slots.Count; i++)
            {
                if (slots[i].Device == id)
                {
                    return i;
                }
            }

            return -1;
        }

        int own = SlotOf(added);
        List<T> all = [.. devices];
        int at = own < 0 ? -1 : all.FindIndex(device => SlotOf(device) > own);
        all.Insert(at < 0 ? all.Count : at, added);
        return [.. all];
    }

    private static void Plug(PlugSession session, DriveDefinition drive)
    {
        if (session.TakesPaths)
        {
            Plug(session, drive, drive.Path, null);
            return;
        }

        using FileDescriptor file = HostFiles.OpenDisk(drive);
        using FileDescriptor? changes = HostFiles.OpenChanges(drive);
        session.WithFile(file, drive.Path, path =>
        {
            if (changes is null)
            {
                Plug(session, drive, path, null);
            }
            else
            {
                session.WithFile(changes, $"the changes of {drive.Path}", changesPath => Plug(session, drive, path, changesPath));
            }
        });
    }

    private static void Plug(PlugSession session, DriveDefinition drive, string path, string? changesPath)
    {
        DriveIo io = drive.Io;
        bool direct = io.Direct ?? io.Cache is DriveCache.None or DriveCache.DirectSync;
        session.Do(
            "blockdev-add",
            json =>
            {
                json.WriteString("node-name", drive.Id);
                json.WriteStartObject("file");
                json.WriteString("driver", "file");
                json.WriteString("filename", path);
                json.WriteEndObject();
                json.WriteStartObject("cache");
                json.WriteBoolean("direct", direct);
                json.WriteBoolean("no-flush", io.Cache == DriveCache.Unsafe);
                json.WriteEndObject();
                json.WriteBoolean("read-only", drive.ReadOnly);
                WriteText(json, "aio", io.Aio is { } aio ? DriveNames.Of(aio) : null);
                WriteText(json, "discard", io.Discard is { } discard ? DriveNames.Discard[(int)discard] : null);
                WriteText(json, "detect-zeroes", io.DetectZeroes is { } zeroes ? DriveNames.DetectZeroes[(int)zeroes] : null);
                json.WriteBoolean("snapshot", io.Snapshot ?? false);
                WriteText(json, "snapshot-file", changesPath);
                WriteNumber(json, "iops", io.Iops);
            },
            ("blockdev-del", "node-name", drive.Id));
        session.Do(
            "device_add",
            json =>
            {
                json.WriteString("id", drive.Id);
                json.WriteString("driver", "virtio-blk-mmio");
                json.WriteString("write-cache", io.Cache is DriveCache.Writethrough or DriveCache.DirectSync ? "off" : "on");
                WriteText(json, "serial", drive.Serial);
                WriteText(json, "iothread", io.IoThread);
                WriteNumber(json, "num-queues", io.QueueCount);
                WriteNumber(json, "queue-size", io.QueueSize);
                WriteText(json, "werror", io.WriteErrorAction is { } write ? DriveNames.Of(write) : null);
                WriteText(json, "rerror", io.ReadErrorAction is { } read ? DriveNames.Of(read) : null);
            },
            ("device_del", "id", drive.Id));
    }

    private void Plug(PlugSession session, string id, NetworkAdapterDefinition adapter)
    {
        NetworkAdapterSettings settings = adapter.Settings;
        List<string> files = [], vhostFiles = [];
        if (settings.LeadsToUser)
        {
            // The engine may start no program while it runs.
            PortForward[] forwards = Array.ConvertAll<string, PortForward>([.. settings.PortForward ?? []], forward => PortForward.Parse(forward, "-PortForward"));
            files = Pass(session, "file", [PasstStarter.Start(forwards, ProgramPath.Folders, adapter.Id, Deadline.Never, session.Token)]);
        }
        else if (!session.TakesPaths || settings.SwitchName is not null)
        {
            int queues = settings.QueueCount ?? 1;
            files = Pass(session, "file", settings.TapName is { } tap ? HostFiles.OpenTap(tap, queues) : SwitchTap.Open(Paths, id, adapter, session.Token));
            vhostFiles = Pass(session, "vhost", settings.Vhost == true ? HostFiles.OpenVhostNet(queues) : []);
        }

        session.Do(
            "netdev_add",
            json =>
            {
                json.WriteString("id", adapter.Id);
                if (settings.LeadsToUser)
                {
                    json.WriteString("type", "stream");
                    json.WriteStartObject("addr");
                    json.WriteString("type", "fd");
                    json.WriteString("str", files[0]);
                    json.WriteEndObject();
                    return;
                }

                if (files.Count > 0)
                {
                    json.WriteString("type", "tap");
                    json.WriteString("fds", string.Join(':', files));
                    json.WriteBoolean("vhost", settings.Vhost ?? false);
                    WriteText(json, "vhostfds", string.Join(':', vhostFiles));
                    return;
                }

                json.WriteString("type", "tap");
                json.WriteString("ifname", settings.TapName);
                WriteNumber(json, "queues", settings.QueueCount);
                json.WriteBoolean("vhost", settings.Vhost ?? false);
            },
            ("netdev_del", "id", adapter.Id));
        session.Do(
            "device_add",
            json =>
            {
                json.WriteString("id", adapter.Id);
                json.WriteString("driver", "virtio-net-mmio");
                WriteText(json, "mac", settings.MacAddress);
                WriteText(json, "iothread", settings.IoThread);
                if (IsDisconnected(adapter))
                {
                    json.WriteBoolean("up", false);
                }
            },
            ("device_del", "id", adapter.Id));
    }

    /// <summary>Gives the engine descriptors, and closes them here.</summary>
    /// <returns>The names that they have there.</returns>
    private static List<string> Pass(PlugSession session, string prefix, List<FileDescriptor> files)
    {
        try
        {
            List<string> names = [];
            foreach (FileDescriptor file in files)
            {
                names.Add(string.Create(CultureInfo.InvariantCulture, $"{prefix}{names.Count}"));
                session.PassNamed(file, names[^1]);
            }

            return names;
        }
        finally
        {
            files.ForEach(file => file.Dispose());
        }
    }

    /// <summary>With <c>-Wait</c>, waits until the guest has looked at what is in a slot now, or no longer is.</summary>
    private void WaitUntilSeen(string id, HotPlugSlot? slot, HotPlugOptions options, CancellationToken token)
    {
        if (!options.Wait || slot is not { } changed)
        {
            return;
        }

        Deadline deadline = Deadline.After(options.Timeout);
        string name = Store.NameOf(id);
        try
        {
            using QmpConnection qmp = OpenQmp(id, token);
            while (!IsSeen(qmp, changed, name, token))
            {
                if (deadline.Passed)
                {
                    throw new StratoException(
                        StratoErrorKind.Timeout,
                        "WaitTimeout",
                        string.Create(CultureInfo.InvariantCulture, $"The guest of VM '{name}' has not looked at the change within {options.Timeout!.Value.TotalSeconds:0.###} seconds; the change stays."))
                    {
                        VmName = name,
                        RecommendedAction = "A guest without a driver for the device, or a paused VM, doesn't look.",
                    };
                }

                _ = qmp.ReadEvent(Deadline.After(LookInterval).Sooner(deadline).Remaining, token);
            }
        }
        catch (StratoException e) when (e.Kind == StratoErrorKind.Connection)
        {
            throw new StratoException(StratoErrorKind.Ended, "VmEnded", $"The VM '{name}' ended before its guest looked at the change.", e) { VmName = name };
        }
    }

    private static bool IsSeen(QmpConnection qmp, HotPlugSlot changed, string name, CancellationToken token)
    {
        HotPlugSlot now = HotPlugSlot.Query(qmp, token).Find(slot => (slot.Driver, slot.Address) == (changed.Driver, changed.Address));
        return now.NeedsReset
            ? throw new StratoException(StratoErrorKind.InvalidState, "DeviceNeedsReset", $"The guest of VM '{name}' will not look at the change: its driver broke a rule of virtio, and has not reset the device; the change stays.")
            {
                VmName = name,
                RecommendedAction = "Restart-StratoVm resets all of the guest.",
            }
            : now.IsSeen;
    }

    private static void WriteText(Utf8JsonWriter json, string name, string? value)
    {
        if (!string.IsNullOrEmpty(value))
        {
            json.WriteString(name, value);
        }
    }

    private static void WriteNumber(Utf8JsonWriter json, string name, int? value)
    {
        if (value is { } number)
        {
            json.WriteNumber(name, number);
        }
    }
}
