using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;

namespace Strato.Client.Images;

/// <summary>Writes an initial RAM disk: a cpio archive of the kind newc (Documentation/driver-api/early-userspace/buffer-format.rst), not compressed.</summary>
internal sealed class CpioWriter(Stream stream)
{
    private readonly HashSet<string> _folders = [];
    private uint _inode;
    private long _position;

    internal void AddFile(string name, ReadOnlySpan<byte> content, bool executable) => Add(name, executable ? 0x81edu : 0x81a4u, content); // S_IFREG

    internal void AddLink(string name, string target) => Add(name, 0xa1ff, Encoding.UTF8.GetBytes(target)); // S_IFLNK

    internal void AddFolder(string name)
    {
        if (_folders.Add(name))
        {
            Put(name, 0x41ed, []); // S_IFDIR
        }
    }

    /// <summary>Ends the archive.</summary>
    internal void Finish()
    {
        Put("TRAILER!!!", 0, []);
        Pad(512);
    }

    private void Add(string name, uint mode, ReadOnlySpan<byte> content)
    {
        for (int slash = name.IndexOf('/'); slash > 0; slash = name.IndexOf('/', slash + 1))
        {
            AddFolder(name[..slash]);
        }

        Put(name, mode, content);
    }

    private void Put(string name, uint mode, ReadOnlySpan<byte> content)
    {
        byte[] path = Encoding.UTF8.GetBytes(name);
        StringBuilder header = new("070701");

        // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
        foreach (uint field in (ReadOnlySpan<uint>)[++_inode, mode, 0, 0, 1, 0, (uint)content.Length, 0, 0, 0, 0, (uint)path.Length + 1, 0])
        {
            header.Append(field.ToString("X8", CultureInfo.InvariantCulture));
        }

        Write(Encoding.ASCII.GetBytes(header.ToString()));
        Write(path);
        Write([0]);
        Pad(4);
        Write(content);
        Pad(4);
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        stream.Write(bytes);
        _position += bytes.Length;
    }

    private void Pad(int boundary) => Write(new byte[(int)((boundary - (_position % boundary)) % boundary)]);
}
