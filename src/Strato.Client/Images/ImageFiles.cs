using System;
using System.Buffers;
using System.IO;
using System.Text.Encodings.Web;
using System.Text.Json;
using Strato.Client.Linux;

namespace Strato.Client.Images;

/// <summary>The files of an image that was made, in one folder.</summary>
internal static class ImageFiles
{
    internal const string Kernel = "vmlinuz";
    internal const string Initrd = "initrd.img";
    internal const string Root = "root.ext4";
    internal const string Description = "image.json";

    /// <summary>The description is the last one that comes: where it is, all are.</summary>
    internal static readonly string[] All = [Kernel, Initrd, Root, Description];

    private static readonly JsonWriterOptions Indented = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    internal static void Describe(string folder, string source, string? digest, ImageRun run)
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter json = new(buffer, Indented))
        {
            json.WriteStartObject();
            json.WriteString("source", source);
            json.WriteString("digest", digest);
            run.Write(json);
            json.WriteEndObject();
        }

        File.WriteAllBytes(Path.Combine(folder, Description), buffer.WrittenSpan.ToArray());
    }

    /// <summary>The image in a folder; null where there is none.</summary>
    internal static GuestImageInfo? Load(string folder)
    {
        if (!Array.TrueForAll(All, name => File.Exists(Path.Combine(folder, name))))
        {
            return null;
        }

        byte[] description = File.ReadAllBytes(Path.Combine(folder, Description));
        using JsonDocument document = OciImage.Parse(description, $"'{Path.Combine(folder, Description)}'");
        JsonElement root = document.RootElement;
        return new GuestImageInfo
        {
            Kernel = Path.Combine(folder, Kernel),
            Initrd = Path.Combine(folder, Initrd),
            Root = Path.Combine(folder, Root),
            Source = OciImage.Text(root, "source") ?? "",
            Digest = OciImage.Text(root, "digest"),
            Size = new FileInfo(Path.Combine(folder, Root)).Length,
            Run = ImageRun.Read(root),
        };
    }

    /// <summary>What a folder's files take of the disk; holes take nothing.</summary>
    internal static long AllocatedBytes(string folder)
    {
        long bytes = 0;
        foreach (string path in Directory.EnumerateFiles(folder))
        {
            bytes += Libc.TryStat(path, out Libc.statx_t stat) ? (long)stat.stx_blocks * 512 : 0;
        }

        return bytes;
    }
}
