using System;
using System.Buffers.Binary;
using System.IO;
using Strato.Client.Linux;

namespace Strato.Client.Images;

/// <summary>The host's busybox, which needs no library.</summary>
internal static class Busybox
{
    private const int ProgramHeaders = 0x20, HeaderSize = 0x36, HeaderCount = 0x38;
    private const uint Interpreter = 3; // PT_INTERP

    /// <summary>Its path. Error <c>BusyboxNotFound</c>.</summary>
    internal static string Find()
    {
        string? path = ProgramPath.Find("busybox", ProgramPath.Folders + ":/usr/sbin:/sbin:/usr/lib/busybox");
        return path is not null && IsStatic(path) ? path : throw new StratoException(
            StratoErrorKind.Unavailable,
            "BusyboxNotFound",
            path is null ? "The host has no busybox, which is the guest's first program." : $"The host's busybox '{path}' needs libraries, and the guest's first program can't.")
        {
            RecommendedAction = "Install a static one; on Debian: apt install busybox-static.",
        };
    }

    /// <summary>Whether a program of 64 bits names no loader (ELF, PT_INTERP).</summary>
    internal static bool IsStatic(string path)
    {
        using FileStream file = File.OpenRead(path);
        byte[] start = new byte[4096];
        int length = file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        if (length < 64 || !start.AsSpan(0, 5).SequenceEqual((ReadOnlySpan<byte>)[0x7f, (byte)'E', (byte)'L', (byte)'F', 2]))
        {
            return false;
        }

        long at = BinaryPrimitives.ReadInt64LittleEndian(start.AsSpan(ProgramHeaders));
        int size = BinaryPrimitives.ReadUInt16LittleEndian(start.AsSpan(HeaderSize));
        for (int i = 0; i < BinaryPrimitives.ReadUInt16LittleEndian(start.AsSpan(HeaderCount)); i++, at += size)
        {
            if (at < 0 || at + 4 > length || BinaryPrimitives.ReadUInt32LittleEndian(start.AsSpan((int)at)) == Interpreter)
            {
                return false;
            }
        }

        return true;
    }
}
