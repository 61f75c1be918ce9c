using System.Collections.Generic;
using System.IO;
using System.Threading;
using Strato.Client.Linux;

namespace Strato.Client.Images;

/// <summary>A root file system's names and contents as real files, for mke2fs to read; owners and permissions come later, into the image.</summary>
/// <remarks>Every path is made of folders that were made here, and links are never followed. Contents are moved, not copied.</remarks>
internal sealed class StagedTree(CancellationToken token)
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly Dictionary<Node, string> _files = [];

    /// <summary>Bytes of all contents, each rounded up to blocks.</summary>
    internal long Bytes { get; private set; }

    /// <summary>Folders, files and links.</summary>
    internal long Count { get; private set; } = 1;

    internal void Write(Node folder, string path)
    {
        token.ThrowIfCancellationRequested();
        Directory.CreateDirectory(path, OwnerOnly);
        foreach ((string name, Node child) in folder.Children)
        {
            string target = Path.Combine(path, name);
            Count++;
            Bytes += Ext4Image.BlockSize;
            switch (child.Kind)
            {
                case NodeKind.Directory:
                    Write(child, target);
                    break;
                case NodeKind.Link:
                    File.CreateSymbolicLink(target, child.Target);
                    break;
                default:
                    WriteFile(child, target);
                    break;
            }
        }
    }

    private void WriteFile(Node file, string path)
    {
        if (_files.TryGetValue(file, out string? first))
        {
            if (!Libc.TryLink(first, path))
            {
                throw new IOException($"'{path}' can't be linked to '{first}': {Errno.Text(Errno.Last)}");
            }

            return;
        }

        if (file.Content is null)
        {
            File.Create(path).Dispose();
        }
        else
        {
            File.Move(file.Content, path);
        }

        _files.Add(file, path);
        Bytes += (file.Size + Ext4Image.BlockSize - 1) / Ext4Image.BlockSize * Ext4Image.BlockSize;
    }
}
