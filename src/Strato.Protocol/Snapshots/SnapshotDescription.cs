using System;
using System.Collections.Generic;
using System.Text.Json;

namespace Strato.Protocol.Snapshots;

/// <summary>A disk that a snapshot's machine had.</summary>
/// <param name="Id">Of the drive.</param>
/// <param name="File">Path of its image then.</param>
/// <param name="ReadOnly">Whether the guest can't write.</param>
/// <param name="Size">Bytes.</param>
public sealed record SnapshotDrive(string Id, string File, bool ReadOnly, long Size);

/// <summary>A network interface that a snapshot's machine had.</summary>
/// <param name="Id">Of the device.</param>
/// <param name="Mac">Its address, which its guest's driver has read.</param>
/// <param name="Netdev">Id of where it led.</param>
public sealed record SnapshotNet(string Id, string Mac, string Netdev);

/// <summary>The processor that a snapshot's guest was told of.</summary>
/// <param name="Vendor">Who made it.</param>
/// <param name="Model">Its name; empty where it has none.</param>
/// <param name="Features">Names of its features, KVM's own among them.</param>
public sealed record SnapshotCpu(string Vendor, string Model, IReadOnlyList<string> Features);

/// <summary>A device that a snapshot's machine had.</summary>
/// <param name="Slot">Number of its virtio slot.</param>
/// <param name="Driver">What it is, as <c>-device</c> has it.</param>
/// <param name="Id">The user's name of it.</param>
/// <param name="Queues">Queues that the guest's driver finds.</param>
/// <param name="QueueSize">Entries of the first at most.</param>
/// <param name="Options">By their names and values on the command line.</param>
public sealed record SnapshotDevice(int Slot, string Driver, string Id, int Queues, int QueueSize, IReadOnlyDictionary<string, string> Options);

/// <summary>What a snapshot tells of itself.</summary>
/// <param name="Engine">Version of the engine that saved it.</param>
/// <param name="Saved">When that was.</param>
/// <param name="HostKernel">Version of the host's kernel.</param>
/// <param name="Name">The machine's; null for none.</param>
/// <param name="Machine">Its type.</param>
/// <param name="Running">Whether it ran until then.</param>
/// <param name="Memory">Bytes of RAM.</param>
/// <param name="Cpus">CPUs that were there.</param>
/// <param name="MaxCpus">CPUs that there can be.</param>
/// <param name="Drives">Its disks.</param>
/// <param name="Nets">Its network interfaces.</param>
public sealed record SnapshotDescription(
    string Engine,
    DateTimeOffset Saved,
    string? HostKernel,
    string? Name,
    string Machine,
    bool Running,
    long Memory,
    int Cpus,
    int MaxCpus,
    IReadOnlyList<SnapshotDrive> Drives,
    IReadOnlyList<SnapshotNet> Nets)
{
    /// <summary>The state's section that holds it, as JSON.</summary>
    public const string SectionName = "description";

    /// <summary>The guest's processor; null where an older engine didn't tell.</summary>
    public SnapshotCpu? Cpu { get; init; }

    /// <summary>What KVM of its host could do, by the names of linux/kvm.h; empty where an older engine didn't tell.</summary>
    public IReadOnlyDictionary<string, long> Kvm { get; init; } = new Dictionary<string, long>(StringComparer.Ordinal);

    /// <summary>Its devices by their slots; empty where an older engine didn't tell.</summary>
    public IReadOnlyList<SnapshotDevice> Devices { get; init; } = [];

    /// <exception cref="UserErrorException">SnapshotDamaged, SnapshotVersion.</exception>
    public static SnapshotDescription Parse(StateFile state)
    {
        SnapshotSection section = state.Require(SectionName);
        _ = section.Read();
        try
        {
            using JsonDocument document = JsonDocument.Parse(section.Data);
            JsonElement root = document.RootElement;
            List<SnapshotDrive> drives = [];
            foreach (JsonElement drive in root.GetProperty("drives").EnumerateArray())
            {
                drives.Add(new SnapshotDrive(
                    Text(drive, "id"), Text(drive, "file"), drive.GetProperty("read-only").GetBoolean(), drive.GetProperty("size").GetInt64()));
            }

            List<SnapshotNet> nets = [];
            foreach (JsonElement net in root.GetProperty("nets").EnumerateArray())
            {
                nets.Add(new SnapshotNet(Text(net, "id"), Text(net, "mac"), Text(net, "netdev")));
            }

            return new SnapshotDescription(
                Text(root, "engine"),
                root.GetProperty("saved").GetDateTimeOffset(),
                root.GetProperty("host-kernel").GetString(),
                root.GetProperty("name").GetString(),
                Text(root, "machine"),
                root.GetProperty("running").GetBoolean(),
                root.GetProperty("memory").GetInt64(),
                root.GetProperty("cpus").GetInt32(),
                root.GetProperty("max-cpus").GetInt32(),
                drives,
                nets)
            {
                Cpu = root.TryGetProperty("cpu", out JsonElement cpu) ? ParseCpu(cpu) : null,
                Kvm = root.TryGetProperty("kvm", out JsonElement kvm) ? ParseMembers(kvm, value => value.GetInt64()) : new Dictionary<string, long>(StringComparer.Ordinal),
                Devices = root.TryGetProperty("devices", out JsonElement devices) ? ParseDevices(devices) : [],
            };
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new UserErrorException("SnapshotDamaged", $"The snapshot's section '{SectionName}' is damaged: {error.Message}", "", error);
        }
    }

    private static SnapshotCpu ParseCpu(JsonElement cpu)
    {
        List<string> features = [];
        foreach (JsonElement feature in cpu.GetProperty("features").EnumerateArray())
        {
            features.Add(feature.GetString() ?? throw new FormatException("a feature is null."));
        }

        return new SnapshotCpu(Text(cpu, "vendor"), Text(cpu, "model"), features);
    }

    private static List<SnapshotDevice> ParseDevices(JsonElement all)
    {
        List<SnapshotDevice> devices = [];
        foreach (JsonElement device in all.EnumerateArray())
        {
            devices.Add(new SnapshotDevice(
                device.GetProperty("slot").GetInt32(),
                Text(device, "driver"),
                Text(device, "id"),
                device.GetProperty("queues").GetInt32(),
                device.GetProperty("queue-size").GetInt32(),
                ParseMembers(device.GetProperty("options"), value => value.GetString() ?? throw new FormatException("an option is null."))));
        }

        return devices;
    }

    private static Dictionary<string, T> ParseMembers<T>(JsonElement all, Func<JsonElement, T> parse)
    {
        Dictionary<string, T> members = new(StringComparer.Ordinal);
        foreach (JsonProperty member in all.EnumerateObject())
        {
            members[member.Name] = parse(member.Value);
        }

        return members;
    }

    private static string Text(JsonElement element, string name) =>
        element.GetProperty(name).GetString() ?? throw new FormatException($"'{name}' is null.");
}
