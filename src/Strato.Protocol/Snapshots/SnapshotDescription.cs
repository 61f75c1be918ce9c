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
                nets);
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new UserErrorException("SnapshotDamaged", $"The snapshot's section '{SectionName}' is damaged: {error.Message}", "", error);
        }
    }

    private static string Text(JsonElement element, string name) =>
        element.GetProperty(name).GetString() ?? throw new FormatException($"'{name}' is null.");
}
