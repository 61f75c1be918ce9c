using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.Text;
using System.Threading;

namespace Strato.Client.Images;

/// <summary>Writes owners, permissions and times into the inodes of an image that <see cref="Ext4Image"/> has made.</summary>
/// <remarks>
/// mke2fs takes them from the files that it reads, and only root could give those to others. debugfs could set them, but not for every name (it
/// reads commands line by line), and mke2fs reads archives only from 1.47.1 on. So the fields are written in their places, as
/// Documentation/filesystems/ext4 has them; the image has no checksums of inodes, and none of the features that would put them elsewhere.
/// </remarks>
internal sealed class Ext4Owners : IDisposable
{
    private const int SuperBlock = 1024;
    private const ushort Magic = 0xef53;
    private const uint KnownIncompatible = 0x0002 | 0x0040 | 0x0200; // filetype, extents, flex_bg
    private const uint MetadataChecksums = 0x0400 | 0x0010; // metadata_csum, gdt_csum (uninit_bg)
    private const int DescriptorSize = 32;
    private const uint RootInode = 2;
    private const uint ExtentsFlag = 0x80000;
    private const ushort ExtentMagic = 0xf30a;
    private const int MaximumDepth = 5;

    // Offsets in an inode.
    private const int Mode = 0, Uid = 2, AccessTime = 8, ChangeTime = 12, ModifyTime = 16, Gid = 24, Flags = 32, Blocks = 40, UidHigh = 120, GidHigh = 122;

    private readonly FileStream _file;
    private readonly CancellationToken _token;
    private readonly int _blockSize;
    private readonly int _inodeSize;
    private readonly uint _inodesPerGroup;
    private readonly byte[] _descriptors;

    /// <param name="image">The image.</param>
    /// <param name="token">Ends the work.</param>
    internal Ext4Owners(string image, CancellationToken token)
    {
        _token = token;
        _file = new FileStream(image, FileMode.Open, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        byte[] super = Read(SuperBlock, 1024);
        uint inodes = U32(super, 0);
        _blockSize = 1024 << (int)U32(super, 24);
        _inodesPerGroup = U32(super, 40);
        _inodeSize = U16(super, 88);
        if (U16(super, 56) != Magic || (U32(super, 96) & ~KnownIncompatible) != 0 || (U32(super, 100) & MetadataChecksums) != 0 || _inodesPerGroup == 0)
        {
            _file.Dispose();
            throw new StratoException(StratoErrorKind.Failed, "ImageFileSystem", $"The file system that mke2fs made in '{image}' has features that weren't asked for.");
        }

        int groups = (int)((inodes + _inodesPerGroup - 1) / _inodesPerGroup);
        _descriptors = Read((U32(super, 20) + 1) * (long)_blockSize, groups * DescriptorSize);
    }

    /// <summary>Gives every file what its node says. What has no node (lost+found) stays as it is.</summary>
    internal void Apply(Node root) => Walk(RootInode, root, static (inode, node) =>
    {
        if (node is null)
        {
            return false;
        }

        Set16(inode, Mode, (ushort)((U16(inode, Mode) & 0xf000) | node.Mode));
        SetOwner(inode, (uint)node.Uid, (uint)node.Gid);

        // As seconds of 32 bits, which reach to 2038.
        uint time = (uint)Math.Clamp(node.Time, 0, int.MaxValue);
        foreach (int field in (ReadOnlySpan<int>)[AccessTime, ChangeTime, ModifyTime])
        {
            BinaryPrimitives.WriteUInt32LittleEndian(inode.AsSpan(field), time);
        }

        return true;
    });

    /// <summary>Gives what belongs to one user, and to one group, to root.</summary>
    internal void GiveToRoot(uint uid, uint gid) => Walk(RootInode, null, (inode, _) =>
    {
        uint owner = U16(inode, Uid) | ((uint)U16(inode, UidHigh) << 16);
        uint group = U16(inode, Gid) | ((uint)U16(inode, GidHigh) << 16);
        SetOwner(inode, owner == uid ? 0 : owner, group == gid ? 0 : group);
        return owner == uid || group == gid;
    });

    public void Dispose() => _file.Dispose();

    private void Walk(uint number, Node? node, Func<byte[], Node?, bool> change)
    {
        _token.ThrowIfCancellationRequested();
        long position = PositionOf(number);
        byte[] inode = Read(position, 128);
        if (change(inode, node))
        {
            _file.Position = position;
            _file.Write(inode);
        }

        // S_IFDIR
        if ((U16(inode, Mode) & 0xf000) != 0x4000)
        {
            return;
        }

        foreach ((uint child, string name) in Entries(inode))
        {
            Walk(child, node is not null && node.Children.TryGetValue(name, out Node? found) ? found : null, change);
        }
    }

    private List<(uint Inode, string Name)> Entries(byte[] inode)
    {
        List<(uint, string)> entries = [];
        foreach (long block in BlocksOf(inode))
        {
            byte[] data = Read(block * _blockSize, _blockSize);
            for (int at = 0; at + 8 <= data.Length;)
            {
                int length = U16(data, at + 4);
                uint child = U32(data, at);
                if (length < 8 || at + 8 + data[at + 6] > data.Length)
                {
                    break;
                }

                string name = Encoding.UTF8.GetString(data, at + 8, data[at + 6]);
                if (child != 0 && name is not ("." or ".."))
                {
                    entries.Add((child, name));
                }

                at += length;
            }
        }

        return entries;
    }

    /// <summary>The blocks of a folder, which has extents and no holes.</summary>
    private IEnumerable<long> BlocksOf(byte[] inode)
    {
        if ((U32(inode, Flags) & ExtentsFlag) == 0)
        {
            throw new InvalidDataException("a folder without extents");
        }

        return Extents(inode[Blocks..(Blocks + 60)], MaximumDepth);
    }

    private IEnumerable<long> Extents(byte[] node, int most)
    {
        int count = U16(node, 2), depth = U16(node, 6);
        if (U16(node, 0) != ExtentMagic || depth > most)
        {
            throw new InvalidDataException("a damaged extent");
        }

        for (int i = 0, at = 12; i < count && at + 12 <= node.Length; i++, at += 12)
        {
            if (depth > 0)
            {
                foreach (long block in Extents(Read(((long)U16(node, at + 8) << 32 | U32(node, at + 4)) * _blockSize, _blockSize), depth - 1))
                {
                    yield return block;
                }

                continue;
            }

            long first = (long)U16(node, at + 6) << 32 | U32(node, at + 8);
            for (int offset = 0; offset < U16(node, at + 4); offset++)
            {
                yield return first + offset;
            }
        }
    }

    private long PositionOf(uint number)
    {
        long index = number - 1;
        long table = U32(_descriptors, (int)(index / _inodesPerGroup * DescriptorSize) + 8);
        return (table * _blockSize) + (index % _inodesPerGroup * _inodeSize);
    }

    private byte[] Read(long position, int count)
    {
        byte[] data = new byte[count];
        _file.Position = position;
        _file.ReadExactly(data);
        return data;
    }

    private static void SetOwner(byte[] inode, uint uid, uint gid)
    {
        Set16(inode, Uid, (ushort)uid);
        Set16(inode, UidHigh, (ushort)(uid >> 16));
        Set16(inode, Gid, (ushort)gid);
        Set16(inode, GidHigh, (ushort)(gid >> 16));
    }

    private static ushort U16(byte[] data, int at) => BinaryPrimitives.ReadUInt16LittleEndian(data.AsSpan(at));

    private static uint U32(byte[] data, int at) => BinaryPrimitives.ReadUInt32LittleEndian(data.AsSpan(at));

    private static void Set16(byte[] data, int at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(data.AsSpan(at), value);
}
