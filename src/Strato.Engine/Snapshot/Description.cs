using System;
using System.Buffers;
using System.Collections.Generic;
using System.Text.Json;
using Strato.Engine.Machine;
using Strato.Protocol;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Snapshot;

/// <summary>What a snapshot tells of itself to those who list it: a JSON object, which the engine itself doesn't read.</summary>
internal static class Description
{
    /// <param name="machine">Held.</param>
    /// <param name="hostKernel">Version of the host's kernel; null where it isn't known.</param>
    /// <param name="ran">Whether it ran until now.</param>
    public static SnapshotSection Of(IMachineControl machine, string? hostKernel, bool ran)
    {
        ArrayBufferWriter<byte> text = new();
        using (Utf8JsonWriter json = new(text))
        {
            json.WriteStartObject();
            json.WriteString("engine", StratoVersion.Number);
            json.WriteString("saved", DateTimeOffset.UtcNow);
            json.WriteString("host-kernel", hostKernel);
            json.WriteString("name", machine.Name);
            json.WriteString("machine", machine.MachineType);
            json.WriteBoolean("running", ran);
            json.WriteNumber("memory", (long)machine.GuestMemory.Size);
            json.WriteNumber("cpus", machine.Cpus.Count);
            json.WriteNumber("max-cpus", machine.Topology.Count);
            json.WriteStartArray("drives");
            foreach (DriveStatus drive in machine.HotPlug.Drives)
            {
                Write(json, drive);
            }

            json.WriteEndArray();
            json.WriteStartArray("nets");
            foreach (NetStatus net in machine.HotPlug.Nets)
            {
                json.WriteStartObject();
                json.WriteString("id", net.Id);
                json.WriteString("mac", net.Mac);
                json.WriteString("netdev", net.Netdev);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            MachineDescription description = machine.Describe();
            WriteHost(json, description);
            WriteDevices(json, description.Devices);
            json.WriteEndObject();
        }

        return new SnapshotSection(SnapshotDescription.SectionName, 1, text.WrittenMemory.ToArray());
    }

    private static void WriteHost(Utf8JsonWriter json, MachineDescription description)
    {
        json.WriteStartObject("cpu");
        json.WriteString("vendor", description.CpuVendor);
        json.WriteString("model", description.CpuModel);
        json.WriteStartArray("features");
        foreach (string feature in description.CpuFeatures)
        {
            json.WriteStringValue(feature);
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteStartObject("kvm");
        foreach (KvmCapability capability in description.Capabilities)
        {
            json.WriteNumber(capability.Name, capability.Value);
        }

        json.WriteEndObject();
    }

    private static void WriteDevices(Utf8JsonWriter json, IReadOnlyList<DeviceDescription> devices)
    {
        json.WriteStartArray("devices");
        foreach (DeviceDescription device in devices)
        {
            json.WriteStartObject();
            json.WriteNumber("slot", device.Slot);
            json.WriteString("driver", device.Driver);
            json.WriteString("id", device.Id);
            json.WriteNumber("queues", device.Queues);
            json.WriteNumber("queue-size", device.QueueSize);
            json.WriteStartObject("options");
            foreach ((string name, string value) in device.Options)
            {
                json.WriteString(name, value);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter json, in DriveStatus drive)
    {
        json.WriteStartObject();
        json.WriteString("id", drive.Id);
        json.WriteString("file", drive.File);
        json.WriteBoolean("read-only", drive.ReadOnly);
        json.WriteNumber("size", drive.Length);
        json.WriteEndObject();
    }
}
