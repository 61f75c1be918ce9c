using System;
using System.Collections.Generic;
using System.Formats.Tar;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Strato.Tests.Unit.Client.Images;

/// <summary>Writes archives as container tools do.</summary>
internal static class Archives
{
    internal const string Config = """{"architecture":"amd64","os":"linux","config":{"Entrypoint":["/bin/echo"],"Cmd":["hello"],"Env":["A=b"],"WorkingDir":"/srv","User":"web"},"rootfs":{"type":"layers","diff_ids":[DIFFS]}}""";

    internal static PaxTarEntry File(string name, string content, int mode = 0x1a4, int uid = 0, int gid = 0) => new(TarEntryType.RegularFile, name)
    {
        DataStream = new MemoryStream(Encoding.UTF8.GetBytes(content)),
        Mode = (UnixFileMode)mode,
        Uid = uid,
        Gid = gid,
        ModificationTime = DateTimeOffset.FromUnixTimeSeconds(1_600_000_000),
    };

    internal static PaxTarEntry Folder(string name, int mode = 0x1ed, int uid = 0) =>
        new(TarEntryType.Directory, name) { Mode = (UnixFileMode)mode, Uid = uid, ModificationTime = DateTimeOffset.FromUnixTimeSeconds(1_600_000_000) };

    internal static PaxTarEntry Link(string name, string target) => new(TarEntryType.SymbolicLink, name) { LinkName = target };

    internal static PaxTarEntry HardLink(string name, string target) => new(TarEntryType.HardLink, name) { LinkName = target };

    /// <summary>One entry as POSIX.1-1988 (ustar) has it, with anything in its fields: a header, and data in blocks.</summary>
    internal static byte[] RawTar(char kind, string name, string target, byte[]? data = null)
    {
        byte[] tar = new byte[512 + (((data?.Length ?? 0) + 511) / 512 * 512)];
        void Put(int at, string text) => Encoding.UTF8.GetBytes(text, tar.AsSpan(at));
        Put(0, name);
        Put(100, "0000644\0" + "0000000\0" + "0000000\0" + Convert.ToString(data?.Length ?? 0, 8).PadLeft(11, '0') + "\0" + "00000000000\0" + "        " + kind);
        Put(157, target);
        Put(257, kind is 'S' or 'L' or 'K' ? "ustar  \0" : "ustar\0" + "00");
        int sum = tar.Sum(static b => b);
        Put(148, Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ");
        data?.CopyTo(tar, 512);
        return tar;
    }

    /// <summary>An attribute of the entry behind it (POSIX.1-2001, pax).</summary>
    internal static byte[] Pax(string name, string value, char kind = 'x')
    {
        int length = name.Length + value.Length + 3;
        length += $"{length + $"{length}".Length}".Length;
        return RawTar(kind, "attributes", "", Encoding.UTF8.GetBytes($"{length} {name}={value}\n"));
    }

    internal static byte[] Tar(params TarEntry[] entries)
    {
        using MemoryStream tar = new();
        using (TarWriter writer = new(tar, leaveOpen: true))
        {
            foreach (TarEntry entry in entries)
            {
                writer.WriteEntry(entry);
            }
        }

        return tar.ToArray();
    }

    internal static byte[] Zip(byte[] plain)
    {
        using MemoryStream packed = new();
        using (GZipStream stream = new(packed, CompressionMode.Compress))
        {
            stream.Write(plain);
        }

        return packed.ToArray();
    }

    internal static string Digest(byte[] content) => "sha256:" + Convert.ToHexString(SHA256.HashData(content)).ToLowerInvariant();

    /// <summary>An OCI layout in an archive.</summary>
    /// <param name="layers">Not packed.</param>
    /// <param name="pack">Packs one.</param>
    /// <param name="config">The configuration, with DIFFS for the layers' digests.</param>
    internal static byte[] Oci(IReadOnlyList<byte[]> layers, Func<byte[], byte[]>? pack = null, string config = Config)
    {
        Dictionary<string, byte[]> blobs = [];
        string Add(byte[] content)
        {
            string digest = Digest(content);
            blobs[digest] = content;
            return digest;
        }

        string configuration = Add(Encoding.UTF8.GetBytes(config.Replace("DIFFS", Quoted(layers.Select(Digest)), StringComparison.Ordinal)));
        string described = string.Join(',', layers.Select(layer => $$"""{"digest":"{{Add(pack is null ? layer : pack(layer))}}"}"""));
        string manifest = Add(Encoding.UTF8.GetBytes($$"""{"schemaVersion":2,"config":{"digest":"{{configuration}}"},"layers":[{{described}}]}"""));
        string unknown = $"sha256:{new string('0', 64)}";
        string index = $$"""{"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{{manifest}}"},{"digest":"{{unknown}}","platform":{"os":"unknown","architecture":"unknown"} }]}""";
        return Tar(
        [
            File("oci-layout", """{"imageLayoutVersion":"1.0.0"}"""),
            File("index.json", index),
            .. blobs.Select(blob => Raw($"blobs/sha256/{blob.Key[7..]}", blob.Value)),
        ]);
    }

    /// <summary>What docker save wrote before it wrote OCI layouts; the second of two equal layers is a link to the first.</summary>
    internal static byte[] Saved(IReadOnlyList<byte[]> layers)
    {
        byte[] config = Encoding.UTF8.GetBytes(Config.Replace("DIFFS", Quoted(layers.Select(Digest)), StringComparison.Ordinal));
        string name = Digest(config)[7..] + ".json";
        List<TarEntry> entries = [Raw(name, config)];
        for (int i = 0; i < layers.Count; i++)
        {
            int same = layers.ToList().FindIndex(layer => layer.AsSpan().SequenceEqual(layers[i]));
            entries.Add(same < i ? Link($"l{i}/layer.tar", $"../l{same}/layer.tar") : Raw($"l{i}/layer.tar", layers[i]));
        }

        entries.Add(File("manifest.json", $$"""[{"Config":"{{name}}","RepoTags":["web:1"],"Layers":[{{Quoted(layers.Select((_, i) => $"l{i}/layer.tar"))}}]}]"""));
        return Tar([.. entries]);
    }

    private static string Quoted(IEnumerable<string> texts) => string.Join(',', texts.Select(text => JsonSerializer.Serialize(text)));

    private static PaxTarEntry Raw(string name, byte[] content) => new(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content) };
}
