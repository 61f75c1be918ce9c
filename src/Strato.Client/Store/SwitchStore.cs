using System;
using System.Buffers;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Threading;
using Strato.Client.Linux;

namespace Strato.Client.Store;

/// <summary>Definitions of switches on disk: one file each. Who makes, removes or takes up a switch holds the lock of all.</summary>
internal sealed class SwitchStore(StratoPaths paths)
{
    private const int Version = 1;
    private const string Suffix = ".json";
    private const string IdLetters = "abcdefghijkmnpqrstuvwxyz23456789";
    private static readonly TimeSpan LockLimit = TimeSpan.FromSeconds(30);
    private static readonly JsonWriterOptions WriterOptions = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Sorted by name; without those that can't be read.</summary>
    internal List<SwitchDefinition> List() => Read().Definitions;

    /// <summary>All, and why some can't be read: errors <c>SwitchDefinitionDamaged</c>.</summary>
    internal (List<SwitchDefinition> Definitions, List<StratoException> Damaged) Read()
    {
        List<SwitchDefinition> all = [];
        List<StratoException> damaged = [];
        try
        {
            foreach (string file in Directory.EnumerateFiles(paths.SwitchesDirectory, $"*{Suffix}"))
            {
                try
                {
                    if (!Path.GetFileName(file).StartsWith('.') && TryRead(file) is { } found)
                    {
                        all.Add(found);
                    }
                }
                catch (StratoException e)
                {
                    damaged.Add(e);
                }
            }
        }
        catch (DirectoryNotFoundException)
        {
            // None was made yet.
        }
        catch (UnauthorizedAccessException e)
        {
            throw new StratoException(StratoErrorKind.Permission, "StoreNotReadable", $"The folder '{paths.SwitchesDirectory}' can't be read: {e.Message}", e);
        }

        all.Sort(static (a, b) => string.Compare(a.Name, b.Name, StringComparison.OrdinalIgnoreCase));
        return (all, damaged);
    }

    /// <summary>Those that a name or a wildcard means.</summary>
    internal List<SwitchDefinition> Find(string pattern)
    {
        List<SwitchDefinition> all = List();
        return all.Find(found => VmStore.SameName(found.Name, pattern)) is { } exact ? [exact] : all.FindAll(found => Wildcard.Matches(pattern, found.Name));
    }

    /// <summary>The switch of exactly that name; error <c>SwitchNotFound</c>, <c>SwitchDefinitionDamaged</c> where it may be one that can't be read.</summary>
    internal SwitchDefinition Get(string name)
    {
        (List<SwitchDefinition> all, List<StratoException> damaged) = Read();
        return all.Find(found => VmStore.SameName(found.Name, name)) ?? throw (damaged.Count > 0 ? damaged[0] : new StratoException(
            StratoErrorKind.NotFound,
            "SwitchNotFound",
            $"There is no switch '{name}'; {(all.Count == 0 ? "there is none at all" : $"there are {string.Join(", ", all.ConvertAll(found => $"'{found.Name}'"))}")}.")
        {
            Where = "-SwitchName",
            RecommendedAction = $"New-StratoSwitch '{name}' makes one, as root.",
        });
    }

    /// <summary>Held while a switch is made, removed or taken up. The deadline is the caller's, at most half a minute. Error <c>StoreBusy</c>.</summary>
    internal FileLock Lock(CancellationToken token)
    {
        Guard(() =>
        {
            const UnixFileMode ownerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
            Directory.CreateDirectory(paths.StateRoot, ownerOnly);
            Directory.CreateDirectory(paths.SwitchesDirectory, ownerOnly);
        });
        string path = Path.Combine(paths.SwitchesDirectory, "lock");
        return FileLock.TryTake(path, Deadline.After(LockLimit), token)
            ?? throw new StratoException(StratoErrorKind.Busy, "StoreBusy", $"Another command has held the lock '{path}' for {LockLimit.TotalSeconds} seconds.");
    }

    /// <summary>An id that no switch has.</summary>
    internal string FreeId()
    {
        string id;
        do
        {
            id = RandomNumberGenerator.GetString(IdLetters, 8);
        }
        while (File.Exists(FileOf(id)));
        return id;
    }

    /// <summary>Under the lock.</summary>
    internal void Write(SwitchDefinition definition) => Guard(() =>
    {
        // Each switch has a file of its own: what a writer who died has left beside it, nobody else writes again.
        AtomicFile.RemoveLeftovers(Path.Combine(paths.SwitchesDirectory, "*"));
        AtomicFile.Write(FileOf(definition.Id), Json(definition));
    });

    /// <summary>Under the lock.</summary>
    internal void Delete(SwitchDefinition definition) => Guard(() =>
    {
        AtomicFile.RemoveLeftovers(Path.Combine(paths.SwitchesDirectory, "*"));
        File.Delete(FileOf(definition.Id));
        AtomicFile.SyncDirectory(paths.SwitchesDirectory);
    });

    private string FileOf(string id) => Path.Combine(paths.SwitchesDirectory, id + Suffix);

    private static byte[] Json(SwitchDefinition definition)
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter writer = new(buffer, WriterOptions))
        {
            writer.WriteStartObject();
            writer.WriteNumber("version", Version);
            writer.WriteString("name", definition.Name);
            writer.WriteString("id", definition.Id);
            writer.WriteString("type", definition.SwitchType);
            writer.WriteString("bridge", definition.BridgeName);
            if (definition.NetAdapterName is not null)
            {
                writer.WriteString("netAdapter", definition.NetAdapterName);
            }

            if (definition.Subnet is not null)
            {
                writer.WriteString("subnet", definition.Subnet);
            }

            writer.WriteBoolean("nat", definition.Nat);
            writer.WriteBoolean("noDhcp", definition.NoDhcp);
            writer.WriteString("runtime", definition.Runtime);
            writer.WriteString("created", definition.Created.ToString("O", CultureInfo.InvariantCulture));
            DefinitionJson.WriteExtra(writer, definition.Extra);
            writer.WriteEndObject();
        }

        buffer.Write("\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Null if it was removed meanwhile.</summary>
    private static SwitchDefinition? TryRead(string file)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(file));
            Fields fields = new(document.RootElement, "");
            long version = fields.Integer("version");
            if (version != Version)
            {
                throw new FormatException($"version is {version}; this module knows {Version}");
            }

            SwitchDefinition known = new()
            {
                Name = fields.Text("name"),
                Id = fields.Text("id"),
                SwitchType = fields.Text("type"),
                BridgeName = fields.Text("bridge"),
                NetAdapterName = fields.OptionalText("netAdapter"),
                Subnet = fields.OptionalText("subnet") is { } subnet ? Switches.Ipv4Subnet.Parse(subnet).ToString() : null,
                Nat = fields.Flag("nat"),
                NoDhcp = fields.Flag("noDhcp"),
                Runtime = fields.Text("runtime"),
                Created = DateTimeOffset.TryParse(fields.Text("created"), CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out DateTimeOffset time)
                    ? time
                    : throw new FormatException("created is no time"),
            };
            if ((known.SwitchType, known.Subnet is null) is not ((SwitchType.Internal, false) or (SwitchType.Private or SwitchType.External, true)))
            {
                throw new FormatException($"type is '{known.SwitchType}' {(known.Subnet is null ? "without" : "with")} a subnet; an Internal one has one, a Private and an External one has none");
            }

            return known with { Extra = fields.Rest() };
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is JsonException or FormatException or StratoException or IOException or UnauthorizedAccessException)
        {
            throw new StratoException(StratoErrorKind.InvalidData, "SwitchDefinitionDamaged", $"The definition of a switch is damaged: in '{file}', {e.Message}", e)
            {
                Where = file,
                RecommendedAction = "Mend the file; or remove it, and the bridge by ip link del.",
            };
        }
    }

    private void Guard(Action action)
    {
        try
        {
            action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw VmStore.NotWritable(paths, e);
        }
    }
}
