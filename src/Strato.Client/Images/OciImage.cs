using System;
using System.Collections.Generic;
using System.IO;
using System.Security.Cryptography;
using System.Text.Json;
using System.Threading;

namespace Strato.Client.Images;

/// <summary>An image in an archive: an OCI layout, what <c>docker save</c> writes, or a root file system alone.</summary>
/// <remarks>OCI image specification 1.1 (index, manifest, configuration); the layout's blobs are at <c>blobs/ALGORITHM/HEX</c>.</remarks>
internal sealed class OciImage
{
    private const string Algorithm = "sha256:";
    private const string HostArchitecture = "amd64";

    /// <summary>An index may name others; deeper than this is an attack.</summary>
    private const int MaximumDepth = 4;

    private readonly ImageArchive _archive;
    private readonly List<Layer> _layers = [];

    private OciImage(ImageArchive archive)
    {
        _archive = archive;
    }

    internal ImageConfig Config { get; private set; } = new();

    /// <summary>What tells it from every other: the digest of its manifest or configuration; null for a root file system alone.</summary>
    internal string? Digest { get; private set; }

    /// <param name="archive">The archive.</param>
    /// <exception cref="StratoException">ImageDamaged, ImageAmbiguous, ImageArchitecture.</exception>
    internal static OciImage Read(ImageArchive archive)
    {
        OciImage image = new(archive);
        if (archive.Has("index.json"))
        {
            image.ReadIndex(archive.ReadSmall("index.json"), 0);
        }
        else if (archive.Has("manifest.json"))
        {
            image.ReadSaved(archive.ReadSmall("manifest.json"));
        }
        else
        {
            return image;
        }

        if (image.Config.Architecture is { Length: > 0 } architecture && architecture != HostArchitecture)
        {
            throw OtherArchitecture(architecture);
        }

        return image;
    }

    /// <summary>Puts all layers into a tree; each is what its digest says, or it is refused.</summary>
    /// <param name="tree">An empty one.</param>
    /// <param name="work">A folder of our own.</param>
    /// <param name="token">Ends it.</param>
    /// <exception cref="StratoException">ImageDamaged, ImageUnsafe, ImageDigest.</exception>
    internal void Unpack(RootTree tree, string work, CancellationToken token)
    {
        if (Digest is null)
        {
            using FileStream whole = File.OpenRead(_archive.TarPath);
            tree.Apply(whole, token);
            return;
        }

        string packed = Path.Combine(work, "layer"), plain = Path.Combine(work, "layer.tar");
        foreach (Layer layer in _layers)
        {
            using (Stream blob = _archive.Open(layer.Name))
            using (FileStream file = File.Create(packed))
            {
                Compression.Copy(blob, file, token);
            }

            Check(packed, layer.Digest, layer.Name, token);
            string tar = Compression.Unpack(packed, plain, token);
            Check(tar, layer.DiffId, layer.Name, token);
            using (FileStream stream = File.OpenRead(tar))
            {
                tree.Apply(stream, token);
            }
        }

        File.Delete(packed);
        File.Delete(plain);
    }

    private void ReadIndex(byte[] json, int depth)
    {
        if (depth > MaximumDepth)
        {
            throw RootTree.Damaged("its indexes name each other without end");
        }

        using JsonDocument document = Parse(json, "its index");
        List<(string Digest, bool IsIndex)> found = [];
        List<string> others = [], names = [];
        foreach (JsonElement manifest in Items(document.RootElement, "manifests"))
        {
            string digest = Text(manifest, "digest") ?? throw RootTree.Damaged("its index names a manifest without a digest");
            JsonElement platform = Member(manifest, "platform");
            string architecture = Text(platform, "architecture") ?? HostArchitecture;
            if (architecture != HostArchitecture || (Text(platform, "os") ?? "linux") != "linux")
            {
                others.Add(architecture);
            }
            else if (!found.Exists(other => other.Digest == digest))
            {
                found.Add((digest, (Text(manifest, "mediaType") ?? "") is "application/vnd.oci.image.index.v1+json" or "application/vnd.docker.distribution.manifest.list.v2+json"));
                names.Add(Text(Member(manifest, "annotations"), "org.opencontainers.image.ref.name") ?? digest);
            }
        }

        if (found.Count == 0)
        {
            throw others.Count == 0 ? RootTree.Damaged("its index names no image") : OtherArchitecture(string.Join(", ", others));
        }

        if (found.Count > 1)
        {
            throw Ambiguous(names);
        }

        byte[] next = ReadBlob(found[0].Digest);
        if (found[0].IsIndex)
        {
            ReadIndex(next, depth + 1);
        }
        else
        {
            Digest = found[0].Digest;
            ReadManifest(next);
        }
    }

    private void ReadManifest(byte[] json)
    {
        using JsonDocument document = Parse(json, "its manifest");
        string config = Text(Member(document.RootElement, "config"), "digest") ?? throw RootTree.Damaged("its manifest names no configuration");
        Config = ImageConfig.Read(ReadBlob(config));
        foreach (JsonElement layer in Items(document.RootElement, "layers"))
        {
            string digest = Text(layer, "digest") ?? throw RootTree.Damaged("its manifest names a layer without a digest");
            _layers.Add(new Layer(BlobName(digest), digest, DiffId(_layers.Count)));
        }

        CheckLayers();
    }

    private void ReadSaved(byte[] json)
    {
        using JsonDocument document = Parse(json, "its manifest");
        if (document.RootElement.ValueKind != JsonValueKind.Array || document.RootElement.GetArrayLength() == 0)
        {
            throw RootTree.Damaged("its manifest names no image");
        }

        if (document.RootElement.GetArrayLength() > 1)
        {
            List<string> names = [];
            foreach (JsonElement each in document.RootElement.EnumerateArray())
            {
                names.Add(Texts(each, "RepoTags") is [{ } first, ..] ? first : Text(each, "Config") ?? "?");
            }

            throw Ambiguous(names);
        }

        JsonElement image = document.RootElement[0];
        byte[] config = _archive.ReadSmall(Text(image, "Config") ?? throw RootTree.Damaged("its manifest names no configuration"));
        Config = ImageConfig.Read(config);
        Digest = Algorithm + Hex(SHA256.HashData(config));
        foreach (string layer in Texts(image, "Layers"))
        {
            _layers.Add(new Layer(layer, null, DiffId(_layers.Count)));
        }

        CheckLayers();
    }

    private void CheckLayers()
    {
        if (_layers.Count != Config.DiffIds.Count)
        {
            throw RootTree.Damaged($"its manifest names {_layers.Count} layers, and its configuration {Config.DiffIds.Count}");
        }
    }

    private string? DiffId(int layer) => layer < Config.DiffIds.Count ? Config.DiffIds[layer] : null;

    private byte[] ReadBlob(string digest)
    {
        byte[] blob = _archive.ReadSmall(BlobName(digest));
        return Algorithm + Hex(SHA256.HashData(blob)) == digest ? blob : throw Differs(digest);
    }

    private static string BlobName(string digest) =>
        digest.StartsWith(Algorithm, StringComparison.Ordinal) && digest.Length == Algorithm.Length + 64
            ? $"blobs/sha256/{digest[Algorithm.Length..]}"
            : throw RootTree.Damaged($"the digest '{TerminalText.Plain(digest)}' isn't sha256 with 64 digits");

    private static void Check(string path, string? digest, string name, CancellationToken token)
    {
        if (digest is null)
        {
            return;
        }

        using FileStream file = File.OpenRead(path);
        if (Algorithm + HashOf(file, token) != digest)
        {
            throw Differs(name);
        }
    }

    /// <summary>SHA-256 of all that follows, in hexadecimal.</summary>
    internal static string HashOf(Stream stream, CancellationToken token)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[128 * 1024];
        int read;
        while ((read = stream.Read(buffer, 0, buffer.Length)) > 0)
        {
            token.ThrowIfCancellationRequested();
            hash.AppendData(buffer, 0, read);
        }

        return Hex(hash.GetHashAndReset());
    }

    internal static string Hex(byte[] hash) => Convert.ToHexString(hash).ToLowerInvariant();

    internal static JsonDocument Parse(byte[] json, string what)
    {
        try
        {
            return JsonDocument.Parse(json);
        }
        catch (JsonException e)
        {
            throw RootTree.Damaged($"{what} is no JSON", e);
        }
    }

    /// <summary>A member; undefined where there is none.</summary>
    internal static JsonElement Member(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement member) ? member : default;

    internal static string? Text(JsonElement element, string name) => Member(element, name) is { ValueKind: JsonValueKind.String } text ? ReadText(text) : null;

    internal static List<string> Texts(JsonElement element, string name)
    {
        List<string> texts = [];
        foreach (JsonElement item in Items(element, name))
        {
            texts.Add(item.ValueKind == JsonValueKind.String ? ReadText(item) : throw RootTree.Damaged($"'{name}' has an item that is no text"));
        }

        return texts;
    }

    private static string ReadText(JsonElement element)
    {
        try
        {
            return element.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            // Half of a surrogate pair, or bytes that are no UTF-8.
            throw RootTree.Damaged("a text of it is no text", e);
        }
    }

    private static IEnumerable<JsonElement> Items(JsonElement element, string name) =>
        Member(element, name) is { ValueKind: JsonValueKind.Array } array ? array.EnumerateArray() : [];

    private static StratoException Differs(string what) => new(StratoErrorKind.InvalidData, "ImageDigest", $"The image is damaged: '{TerminalText.Plain(what)}' isn't what its digest says.");

    private static StratoException Ambiguous(List<string> names) => new(
        StratoErrorKind.InvalidArgument, "ImageAmbiguous", $"The archive has {names.Count} images: {TerminalText.Plain(string.Join(", ", names))}; one is needed.")
    {
        RecommendedAction = "Save one image alone, such as by 'docker save NAME' or 'skopeo copy'.",
    };

    private static StratoException OtherArchitecture(string architecture) =>
        new(StratoErrorKind.InvalidArgument, "ImageArchitecture", $"The image is for {TerminalText.Plain(architecture)}; this host runs {HostArchitecture}.");

    /// <param name="Name">In the archive.</param>
    /// <param name="Digest">Of what is in the archive; null where nobody says it.</param>
    /// <param name="DiffId">Of the layer, not compressed.</param>
    private sealed record Layer(string Name, string? Digest, string? DiffId);
}
