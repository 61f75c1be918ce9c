using System;
using System.Collections.Generic;
using System.Formats.Tar;
using System.IO;
using System.IO.Compression;
using System.Threading;

namespace Strato.Client.Images;

/// <summary>The files of a tar archive, read where they lie: nothing of it is unpacked under its own name.</summary>
internal sealed class ImageArchive
{
    private const int MaximumLinks = 10;

    /// <summary>Most bytes of a JSON file.</summary>
    private const int MaximumJson = 16 << 20;

    private readonly string _path;

    // A file's own name, or the name it is a link to.
    private readonly Dictionary<string, string?> _names = new(StringComparer.Ordinal);

    /// <param name="path">The archive; one packed by gzip is unpacked into the work folder first.</param>
    /// <param name="work">A folder of our own.</param>
    /// <param name="token">Ends it.</param>
    /// <exception cref="StratoException">ImageDamaged.</exception>
    internal ImageArchive(string path, string work, CancellationToken token)
    {
        _path = Compression.Unpack(path, Path.Combine(work, "archive"), token);
        using FileStream file = File.OpenRead(_path);
        using TarEntries entries = new(file);
        while (entries.Next() is { } entry)
        {
            token.ThrowIfCancellationRequested();
            _names[Clean(entry.Name)] = entry.EntryType switch
            {
                TarEntryType.SymbolicLink => Clean(Path.Combine("/", Path.GetDirectoryName(Clean(entry.Name)) ?? "", entry.LinkName)),
                TarEntryType.HardLink => Clean(entry.LinkName),
                _ => null,
            };
        }
    }

    /// <summary>The archive itself, not compressed.</summary>
    internal string TarPath => _path;

    internal bool Has(string name) => _names.ContainsKey(name);

    /// <summary>Opens a file of the archive. Error ImageDamaged when it isn't there.</summary>
    internal Stream Open(string name)
    {
        string real = Clean(name);
        for (int i = 0; _names.TryGetValue(real, out string? target) && target is not null; i++)
        {
            real = i < MaximumLinks ? target : throw RootTree.Damaged($"'{TerminalText.Plain(name)}' is a link to a link without end");
        }

        FileStream file = File.OpenRead(_path);
        TarEntries entries = new(file);
        try
        {
            while (entries.Next() is { } entry)
            {
                if (Clean(entry.Name) == real && entry.EntryType is TarEntryType.RegularFile or TarEntryType.V7RegularFile)
                {
                    return new Member(file, entries, entry.DataStream ?? Stream.Null);
                }
            }

            throw RootTree.Damaged($"it has no '{TerminalText.Plain(name)}'");
        }
        catch
        {
            entries.Dispose();
            file.Dispose();
            throw;
        }
    }

    /// <summary>A small file. Error ImageDamaged when it isn't there, or not small.</summary>
    internal byte[] ReadSmall(string name)
    {
        using Stream stream = Open(name);
        using MemoryStream content = new();
        byte[] buffer = new byte[64 * 1024];
        int read;
        while ((read = TarEntries.Read(stream, buffer)) > 0)
        {
            content.Write(buffer, 0, read);
            if (content.Length > MaximumJson)
            {
                throw RootTree.Damaged($"'{TerminalText.Plain(name)}' has more than {MaximumJson >> 20} MiB, and is a description");
            }
        }

        return content.ToArray();
    }

    // The names are keys here, and never paths of the host's.
    private static string Clean(string name)
    {
        List<string> parts = [];
        foreach (string part in name.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part == ".." && parts.Count > 0)
            {
                parts.RemoveAt(parts.Count - 1);
            }
            else if (part is not ("." or ".."))
            {
                parts.Add(part);
            }
        }

        return string.Join('/', parts);
    }

    /// <summary>A file of the archive, with what it is read by.</summary>
    private sealed class Member(FileStream file, TarEntries entries, Stream data) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count) => data.Read(buffer, offset, count);

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                entries.Dispose();
                file.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}

/// <summary>How a file or layer is packed, told by its first bytes.</summary>
internal static class Compression
{
    /// <summary>The file itself, or what it unpacks to.</summary>
    /// <param name="path">The file.</param>
    /// <param name="target">Where it is unpacked to, where it is packed.</param>
    /// <param name="token">Ends it.</param>
    /// <exception cref="StratoException">ImageDamaged; ProgramNotFound where zstd or xz is needed and isn't there.</exception>
    internal static string Unpack(string path, string target, CancellationToken token)
    {
        byte[] first = new byte[6];
        using (FileStream file = File.OpenRead(path))
        {
            _ = file.ReadAtLeast(first, first.Length, throwOnEndOfStream: false);
        }

        switch (first)
        {
            case [0x1f, 0x8b, ..]:
                using (FileStream packed = File.OpenRead(path))
                using (GZipStream plain = new(packed, CompressionMode.Decompress))
                using (FileStream file = File.Create(target))
                {
                    Copy(plain, file, token);
                }

                return target;
            case [0x28, 0xb5, 0x2f, 0xfd, ..]:
                HostTool.Run(HostTool.Find("zstd", "zstd"), ["-q", "-d", "-f", "-o", target, "--", path], "Unpacking a layer", token);
                return target;
            case [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]:
                HostTool.Run(HostTool.Find("sh", "dash"), ["-c", "exec xz -dc -- \"$1\" >\"$2\"", "sh", path, target], "Unpacking", token);
                return target;
            default:
                return path;
        }
    }

    /// <summary>Copies what may be damaged. Error ImageDamaged.</summary>
    internal static void Copy(Stream from, Stream to, CancellationToken token)
    {
        byte[] buffer = new byte[128 * 1024];
        int read;
        while ((read = TarEntries.Read(from, buffer)) > 0)
        {
            token.ThrowIfCancellationRequested();
            to.Write(buffer, 0, read);
        }
    }
}
