using System;
using System.Collections.Generic;
using System.Formats.Tar;
using System.IO;
using System.Threading;

namespace Strato.Client.Images;

/// <summary>What a name in a root file system means.</summary>
internal enum NodeKind
{
    Directory,
    File,
    Link,
}

/// <summary>A folder, file or symbolic link of a root file system. A file with several names is one node in several folders.</summary>
internal sealed class Node
{
    internal required NodeKind Kind { get; init; }

    /// <summary>Permissions with set-id and sticky bits, 07777.</summary>
    internal int Mode { get; set; }

    internal int Uid { get; set; }

    internal int Gid { get; set; }

    /// <summary>Seconds since 1970.</summary>
    internal long Time { get; set; }

    /// <summary>Of a symbolic link.</summary>
    internal string Target { get; init; } = "";

    /// <summary>The file that has the content; null for an empty one.</summary>
    internal string? Content { get; init; }

    /// <summary>Bytes of a file.</summary>
    internal long Size { get; init; }

    /// <summary>The last layer that had it or something below it.</summary>
    internal int Layer { get; set; }

    internal SortedDictionary<string, Node> Children { get; } = new(StringComparer.Ordinal);
}

/// <summary>A root file system in memory, put together from layers; contents lie in numbered files.</summary>
/// <remarks>
/// Names of an archive never reach the host's file system, so none can lead out of a folder there: they are looked up here, symbolic links too,
/// with this tree's root as the root of all. Whiteouts as in the OCI image specification, "Layer Filesystem Changeset".
/// </remarks>
internal sealed class RootTree(string contentFolder)
{
    private const string Whiteout = ".wh.";
    private const string Opaque = ".wh..wh..opq";
    private const int MaximumLinks = 40;
    private const int MaximumName = 255;
    private const int MaximumTarget = 4095;

    /// <summary>More would be an attack on the host's memory.</summary>
    private const int MaximumEntries = 5_000_000;

    /// <summary>PATH_MAX of linux/limits.h.</summary>
    private const int MaximumPath = 4096;

    private int _layer;
    private int _entries;
    private int _contents;

    internal Node Root { get; } = Folder();

    /// <summary>Device nodes, sockets and pipes that were left out: the guest's devtmpfs has its own.</summary>
    internal int LeftOut { get; private set; }

    /// <summary>Puts a layer over what is there.</summary>
    /// <param name="tar">Not compressed.</param>
    /// <param name="token">Ends it.</param>
    /// <exception cref="StratoException">ImageDamaged, ImageUnsafe.</exception>
    internal void Apply(Stream tar, CancellationToken token)
    {
        _layer++;
        using TarEntries entries = new(tar);
        while (entries.Next() is { } entry)
        {
            token.ThrowIfCancellationRequested();
            Count();
            Apply(entry, token);
        }
    }

    private void Count()
    {
        if (++_entries > MaximumEntries)
        {
            throw Unsafe($"it has more than {MaximumEntries} entries");
        }
    }

    /// <summary>The lines of a file; none where it isn't there, or isn't small.</summary>
    /// <param name="path">Relative to the root.</param>
    internal string[] ReadLines(string path)
    {
        const int Most = 1 << 20;
        List<string> parts = TargetParts(path);
        return Enter(parts[..^1], path, create: false) is { } folder && folder.Children.TryGetValue(parts[^1], out Node? file) && file is { Content: { } content, Size: < Most }
            ? File.ReadAllLines(content)
            : [];
    }

    private void Apply(TarEntry entry, CancellationToken token)
    {
        List<string> parts = Split(entry.Name);
        if (parts.Count == 0)
        {
            if (entry.EntryType == TarEntryType.Directory)
            {
                SetAttributes(Root, entry);
            }

            return;
        }

        string name = parts[^1];
        parts.RemoveAt(parts.Count - 1);
        if (name.StartsWith(Whiteout, StringComparison.Ordinal))
        {
            Remove(parts, name, entry.Name);
            return;
        }

        switch (entry.EntryType)
        {
            case TarEntryType.Directory:
                Node parent = Enter(parts, entry.Name, create: true)!;
                if (!parent.Children.TryGetValue(name, out Node? folder) || folder.Kind != NodeKind.Directory)
                {
                    parent.Children[name] = folder = Folder();
                }

                SetAttributes(folder, entry);
                break;
            case TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile:
                RefuseSparse(entry);
                parent = Enter(parts, entry.Name, create: true)!;
                parent.Children[name] = SetAttributes(Store(entry, token), entry);
                break;
            case TarEntryType.SymbolicLink:
                if (System.Text.Encoding.UTF8.GetByteCount(entry.LinkName) is 0 or > MaximumTarget || entry.LinkName.Contains('\0', StringComparison.Ordinal))
                {
                    throw Unsafe($"the symbolic link '{Shown(entry.Name)}' has a target that is empty, has more than {MaximumTarget} bytes or a zero among them");
                }

                parent = Enter(parts, entry.Name, create: true)!;
                parent.Children[name] = SetAttributes(new Node { Kind = NodeKind.Link, Target = entry.LinkName }, entry);
                break;
            case TarEntryType.HardLink:
                List<string> to = Split(entry.LinkName);
                Node? target = null;
                if (to.Count > 0 && Enter(to[..^1], entry.Name, create: false) is { } folderOfTarget)
                {
                    folderOfTarget.Children.TryGetValue(to[^1], out target);
                }

                if (target is null || target.Kind == NodeKind.Directory)
                {
                    throw Damaged($"the hard link '{Shown(entry.Name)}' leads to '{Shown(entry.LinkName)}', which is no file of it");
                }

                parent = Enter(parts, entry.Name, create: true)!;
                parent.Children[name] = target;
                target.Layer = _layer;
                break;
            case TarEntryType.CharacterDevice or TarEntryType.BlockDevice or TarEntryType.Fifo:
                LeftOut++;
                break;
        }
    }

    /// <summary>A whiteout hides what layers below have, never what this one has.</summary>
    private void Remove(List<string> parts, string name, string entry)
    {
        if (Enter(parts, entry, create: false) is not { } parent)
        {
            return;
        }

        if (name == Opaque)
        {
            Prune(parent);
            return;
        }

        string hidden = name[Whiteout.Length..];
        if (hidden is "" or "." or "..")
        {
            throw Unsafe($"'{Shown(entry)}' hides no name");
        }

        if (!parent.Children.TryGetValue(hidden, out Node? child))
        {
            return;
        }

        if (child.Layer < _layer)
        {
            parent.Children.Remove(hidden);
        }
        else if (child.Kind == NodeKind.Directory)
        {
            Prune(child);
        }
    }

    private void Prune(Node folder)
    {
        foreach ((string name, Node child) in (KeyValuePair<string, Node>[])[.. folder.Children])
        {
            if (child.Layer < _layer)
            {
                folder.Children.Remove(name);
            }
            else if (child.Kind == NodeKind.Directory)
            {
                Prune(child);
            }
        }
    }

    /// <summary>The folder of a path, by symbolic links of this tree, which can't lead out of it.</summary>
    /// <returns>Null where it isn't there and isn't to be made.</returns>
    private Node? Enter(List<string> parts, string entry, bool create)
    {
        Stack<string> rest = new();
        Push(parts);
        List<Node> way = [Root];
        int links = 0;
        while (rest.TryPop(out string? part))
        {
            if (part == "..")
            {
                // Of a link's target; above the root there is the root.
                if (way.Count > 1)
                {
                    way.RemoveAt(way.Count - 1);
                }

                continue;
            }

            if (!way[^1].Children.TryGetValue(part, out Node? child))
            {
                if (!create)
                {
                    return null;
                }

                way[^1].Children[part] = child = Folder();
                Count();
            }

            switch (child.Kind)
            {
                case NodeKind.Directory:
                    way.Add(child);
                    break;
                case NodeKind.Link when ++links <= MaximumLinks:
                    if (child.Target.StartsWith('/'))
                    {
                        way = [Root];
                    }

                    Push(TargetParts(child.Target));
                    break;
                case NodeKind.Link:
                    throw Unsafe($"'{Shown(entry)}' lies behind more than {MaximumLinks} symbolic links");
                case NodeKind.File when !create:
                    return null;
                default:
                    throw Damaged($"'{Shown(entry)}' lies below a file");
            }
        }

        if (create)
        {
            way.ForEach(node => node.Layer = _layer);
        }

        return way[^1];

        void Push(List<string> names)
        {
            for (int i = names.Count - 1; i >= 0; i--)
            {
                rest.Push(names[i]);
            }
        }
    }

    private Node Store(TarEntry entry, CancellationToken token)
    {
        if (entry.Length == 0 || entry.DataStream is not { } data)
        {
            return new Node { Kind = NodeKind.File };
        }

        string path = Path.Combine(contentFolder, $"{_contents++:x}");
        using FileStream file = new(path, FileMode.CreateNew, FileAccess.Write);
        byte[] buffer = new byte[128 * 1024];
        long size = 0;
        int read;
        while ((read = TarEntries.Read(data, buffer)) > 0)
        {
            token.ThrowIfCancellationRequested();
            file.Write(buffer, 0, read);
            size += read;
        }

        return size == entry.Length
            ? new Node { Kind = NodeKind.File, Content = path, Size = size }
            : throw Damaged($"'{Shown(entry.Name)}' ends after {size} of its {entry.Length} bytes");
    }

    /// <summary>What GNU tar writes as a plain file with a map before its data, or in its attributes; older ones are of a kind that no reader takes.</summary>
    private static void RefuseSparse(TarEntry entry)
    {
        foreach (string attribute in entry is PaxTarEntry pax ? pax.ExtendedAttributes.Keys : [])
        {
            if (attribute.StartsWith("GNU.sparse.", StringComparison.Ordinal))
            {
                throw Damaged($"'{Shown(entry.Name)}' is a sparse file, of which tar keeps the data alone; make the archive without -S");
            }
        }
    }

    private Node SetAttributes(Node node, TarEntry entry)
    {
        node.Mode = (int)entry.Mode & 0xfff;
        node.Uid = entry.Uid;
        node.Gid = entry.Gid;
        node.Time = entry.ModificationTime.ToUnixTimeSeconds();
        node.Layer = _layer;
        return node;
    }

    private static Node Folder() => new() { Kind = NodeKind.Directory, Mode = 0x1ed };

    /// <summary>The parts of a name in an archive, which may not go up.</summary>
    private static List<string> Split(string name)
    {
        if (System.Text.Encoding.UTF8.GetByteCount(name) > MaximumPath)
        {
            throw Unsafe($"the name '{Shown(name)}' has more than {MaximumPath} bytes");
        }

        List<string> parts = TargetParts(name);
        foreach (string part in parts)
        {
            if (part == ".." || part.Contains('\0', StringComparison.Ordinal) || part.Contains('\ufffd', StringComparison.Ordinal) || System.Text.Encoding.UTF8.GetByteCount(part) > MaximumName)
            {
                throw Unsafe(part == ".."
                    ? $"the name '{Shown(name)}' leads out of the folder before it"
                    : $"the name '{Shown(name)}' has a part that isn't UTF-8 or has more than {MaximumName} bytes");
            }
        }

        return parts;
    }

    private static List<string> TargetParts(string path)
    {
        List<string> parts = [.. path.Split('/', StringSplitOptions.RemoveEmptyEntries)];
        parts.RemoveAll(static part => part == ".");
        return parts;
    }

    private static string Shown(string name) => TerminalText.Plain(name);

    internal static StratoException Damaged(string fault, Exception? inner = null) => new(StratoErrorKind.InvalidData, "ImageDamaged", $"The image is damaged: {fault}.", inner);

    internal static StratoException Unsafe(string fault) => new(StratoErrorKind.InvalidData, "ImageUnsafe", $"The image is refused: {fault}.");
}
