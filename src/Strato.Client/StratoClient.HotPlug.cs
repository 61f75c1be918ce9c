using System;
using System.Buffers;
using System.Globalization;
using System.Text.Json;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Strato.Protocol.Configuration;

namespace Strato.Client;

/// <remarks>Devices of a running VM: its engine first, and then the definition.</remarks>
public sealed partial class StratoClient
{
    // How often a wait asks the engine.
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(50);

    /// <summary>A change of the devices: of the definition, of the running VM, or of both; then the wait for the guest.</summary>
    /// <param name="id">The VM's.</param>
    /// <param name="options">Which of them.</param>
    /// <param name="change">Gives the definition as it will be.</param>
    /// <param name="plug">Does it to the running VM, and gives the slot's driver and address.</param>
    /// <param name="token">Ends the waits.</param>
    private void ChangeDevices(string id, HotPlugOptions options, Func<VmDefinition, VmDefinition> change, Func<QmpConnection, (string Driver, string Address)?> plug, CancellationToken token)
    {
        (string Driver, string Address)? slot = null;
        Store.Update(
            id,
            rename: false,
            before =>
            {
                VmDefinition after = change(before);
                using EngineProcess? process = Registry.TryOpen(id);
                if (process is null)
                {
                    return !options.Transient
                        ? after
                        : throw new StratoException(StratoErrorKind.InvalidState, "VmNotRunning", $"The VM '{before.Name}' is not running, so nothing of it changes but its definition.") { VmName = before.Name, Where = "-Transient" };
                }

                using QmpConnection qmp = OpenQmp(id, token);
                slot = plug(qmp);
                return options.Transient ? before : after;
            },
            token);
        if (options.Wait && slot is { } changed)
        {
            WaitUntilSeen(id, changed.Driver, changed.Address, options.Timeout, token);
        }
    }

    private static (string Driver, string Address)? Plug(QmpConnection qmp, DriveDefinition drive, CancellationToken token)
    {
        DriveIo io = drive.Io;
        bool direct = io.Direct ?? io.Cache is DriveCache.None or DriveCache.DirectSync;
        Execute(qmp, "blockdev-add", token, json =>
        {
            json.WriteString("node-name", drive.Id);
            json.WriteStartObject("file");
            json.WriteString("driver", "file");
            json.WriteString("filename", drive.Path);
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
        });
        try
        {
            Execute(qmp, "device_add", token, json =>
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
            });
        }
        catch (StratoException)
        {
            Execute(qmp, "blockdev-del", token, json => json.WriteString("node-name", drive.Id));
            throw;
        }

        if (io.Iops is > 0 and { } iops)
        {
            Execute(qmp, "block_set_io_throttle", token, json =>
            {
                json.WriteString("id", drive.Id);
                json.WriteNumber("iops", iops);
            });
        }

        return SlotOf(qmp, drive.Id, token);
    }

    private static (string Driver, string Address)? Plug(QmpConnection qmp, NetworkAdapterDefinition adapter, CancellationToken token)
    {
        NetworkAdapterSettings settings = adapter.Settings;
        Execute(qmp, "netdev_add", token, json =>
        {
            json.WriteString("id", adapter.Id);
            json.WriteString("type", settings.TapName is null ? "user" : "tap");
            WriteText(json, "ifname", settings.TapName);
            WriteNumber(json, "queues", settings.QueueCount);
            json.WriteBoolean("vhost", settings.Vhost ?? false);
            json.WriteStartArray("hostfwd");
            foreach (string forward in settings.PortForward ?? [])
            {
                json.WriteStartObject();
                json.WriteString("str", forward);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        });
        try
        {
            Execute(qmp, "device_add", token, json =>
            {
                json.WriteString("id", adapter.Id);
                json.WriteString("driver", "virtio-net-mmio");
                WriteText(json, "mac", settings.MacAddress);
                WriteText(json, "iothread", settings.IoThread);
            });
        }
        catch (StratoException)
        {
            Execute(qmp, "netdev_del", token, json => json.WriteString("id", adapter.Id));
            throw;
        }

        if (IsDisconnected(adapter))
        {
            SetLink(qmp, adapter, token);
        }

        return SlotOf(qmp, adapter.Id, token);
    }

    /// <summary>Takes a device out of a running VM, which may not have it.</summary>
    private static (string Driver, string Address)? Unplug(QmpConnection qmp, string deviceId, bool mayLack, CancellationToken token)
    {
        (string Driver, string Address)? slot = SlotOf(qmp, deviceId, token);
        if (slot is not null || !mayLack)
        {
            Execute(qmp, "device_del", token, json => json.WriteString("id", deviceId));
        }

        return slot;
    }

    private static (string Driver, string Address)? SlotOf(QmpConnection qmp, string deviceId, CancellationToken token)
    {
        foreach (JsonElement slot in qmp.Execute("query-hotplug-slots", token: token).EnumerateArray())
        {
            if (slot.TryGetProperty("device", out JsonElement device) && device.GetString() == deviceId)
            {
                return (slot.GetProperty("driver").GetString()!, slot.GetProperty("addr").GetString()!);
            }
        }

        return null;
    }

    private void WaitUntilSeen(string id, string driver, string address, TimeSpan? timeout, CancellationToken token)
    {
        Deadline deadline = Deadline.After(timeout);
        string name = Store.NameOf(id);
        try
        {
            using QmpConnection qmp = OpenQmp(id, token);
            while (!IsSeen(qmp, driver, address, token))
            {
                if (deadline.Passed)
                {
                    throw new StratoException(
                        StratoErrorKind.Timeout,
                        "WaitTimeout",
                        string.Create(CultureInfo.InvariantCulture, $"The guest of VM '{name}' has not looked at the change within {timeout!.Value.TotalSeconds:0.###} seconds; the change stays."))
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

    private static bool IsSeen(QmpConnection qmp, string driver, string address, CancellationToken token)
    {
        foreach (JsonElement slot in qmp.Execute("query-hotplug-slots", token: token).EnumerateArray())
        {
            if (slot.GetProperty("driver").GetString() == driver && slot.GetProperty("addr").GetString() == address)
            {
                return slot.GetProperty("seen").GetBoolean();
            }
        }

        return true;
    }

    private static void Execute(QmpConnection qmp, string command, CancellationToken token, Action<Utf8JsonWriter> write)
    {
        ArrayBufferWriter<byte> arguments = new();
        using (Utf8JsonWriter json = new(arguments))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        using JsonDocument document = JsonDocument.Parse(arguments.WrittenMemory);
        qmp.Execute(command, document.RootElement, token: token);
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
