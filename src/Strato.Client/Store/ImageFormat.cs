using System;
using System.IO;
using Strato.Client.Linux;

namespace Strato.Client.Store;

/// <summary>Knows disk images of other programs by their first bytes.</summary>
internal static class ImageFormat
{
    private static readonly (int Offset, byte[] Magic, string Name)[] Known =
    [
        (0, [(byte)'Q', (byte)'F', (byte)'I', 0xfb], "qcow2"),
        (0, [.. "QED\0"u8], "qed"),
        (0, [.. "KDMV"u8], "vmdk"),
        (0, [.. "# Disk DescriptorFile"u8], "vmdk"),
        (0, [.. "vhdxfile"u8], "vhdx"),
        (0, [.. "conectix"u8], "vhd"),
        (0x40, [0x7f, 0x10, 0xda, 0xbe], "vdi"),
    ];

    /// <summary>The format's name as qemu-img has it; null for a raw image, and for what can't be read.</summary>
    internal static string? Recognise(string path)
    {
        byte[] head = new byte[512];
        int length;
        try
        {
            if (!Libc.TryStatTarget(path, out Libc.statx_t stat) || (stat.stx_mode & Libc.S_IFMT) != Libc.S_IFREG)
            {
                return null;
            }

            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            length = file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return null;
        }

        foreach ((int offset, byte[] magic, string name) in Known)
        {
            if (head.AsSpan(0, length).Slice(Math.Min(offset, length)).StartsWith(magic))
            {
                return name;
            }
        }

        return null;
    }
}
