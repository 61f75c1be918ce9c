using System;
using System.Buffers;
using System.Collections.Generic;
using System.IO;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Threading;
using Strato.Client.Disks;
using Strato.Client.Linux;
using Strato.Client.Store;

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

    /// <summary>As <see cref="Load"/>, but null also for one that is damaged, or is being removed.</summary>
    internal static GuestImageInfo? TryLoad(string folder)
    {
        try
        {
            return Load(folder);
        }
        catch (Exception e) when (e is StratoException or FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Brings the files of a folder to the disk: an image that has its name is whole, also after a power cut.</summary>
    internal static void Sync(string folder, CancellationToken token)
    {
        foreach (string name in All)
        {
            string path = Path.Combine(folder, name);
            using FileDescriptor file = new(Libc.Open(path, Libc.O_RDONLY));
            if (!file.IsInvalid)
            {
                PacedSync.Whole(file.Value, new FileInfo(path).Length, token);
            }

            if (file.IsInvalid || Libc.fsync(file.Value) != 0)
            {
                throw new IOException($"{path}: {Errno.Text(Errno.Last)}");
            }
        }

        AtomicFile.SyncDirectory(folder);
    }

    /// <summary>Moves the files of an image to their folder: all of them, or none.</summary>
    /// <param name="from">The folder that has them.</param>
    /// <param name="to">Where they belong, on the same file system.</param>
    /// <param name="aside">An empty folder for what was there.</param>
    /// <param name="replace">Whether there may be files.</param>
    /// <param name="token">Ends waiting for another that does so.</param>
    /// <exception cref="StratoException">FileExists; ImageBusy.</exception>
    internal static void Publish(string from, string to, string aside, bool replace, CancellationToken token)
    {
        using FileLock alone = FileLock.TryTakeFolder(to, Deadline.After(TimeSpan.FromSeconds(30)), token)
            ?? throw new StratoException(StratoErrorKind.Busy, "ImageBusy", $"Another command is writing an image to '{to}'.") { Where = to };
        foreach (string name in All)
        {
            string path = Path.Combine(to, name);
            if (!replace || Directory.Exists(path))
            {
                NewFile.RefuseExisting(path);
            }
        }

        Stack<(string From, string To)> moved = new();
        try
        {
            // The description goes first and comes last.
            for (int i = All.Length - 1; i >= 0; i--)
            {
                string path = Path.Combine(to, All[i]);
                if (File.Exists(path))
                {
                    Move(path, Path.Combine(aside, All[i]));
                }
            }

            foreach (string name in All)
            {
                Move(Path.Combine(from, name), Path.Combine(to, name));
            }
        }
        catch
        {
            while (moved.TryPop(out (string From, string To) back))
            {
                File.Move(back.To, back.From);
            }

            throw;
        }

        AtomicFile.SyncDirectory(to);

        void Move(string path, string target)
        {
            File.Move(path, target);
            moved.Push((path, target));
        }
    }

    /// <summary>The image in a folder; null where there is none.</summary>
    /// <exception cref="StratoException">ImageDamaged.</exception>
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
