using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Text;

namespace Strato.Engine.Linux;

/// <summary><c>dirent.h</c> by its system call, and files below an open folder.</summary>
internal static unsafe partial class Libc
{
    internal const int SYS_getdents64 = 217;

    // struct linux_dirent64: u64 d_ino, s64 d_off, u16 d_reclen, u8 d_type, char d_name[].
    private const int LengthOffset = 16;
    private const int NameOffset = 19;
    private const int FolderBuffer = 4096;

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial long getdents64(long number, int fd, byte* entries, nuint length);

    // Variadic in C; see open.
    [LibraryImport("libc")]
    private static partial int openat(int folder, byte* path, int flags, uint mode);

    [LibraryImport("libc")]
    private static partial long lseek(int fd, long offset, int whence);

    /// <summary>The names in an open folder, less "." and ".."; as many as can be read.</summary>
    internal static List<string> ListFolder(int folder)
    {
        List<string> names = [];
        _ = lseek(folder, 0, 0);
        byte[] buffer = new byte[FolderBuffer];
        long count;
        fixed (byte* entries = buffer)
        {
            while ((count = getdents64(SYS_getdents64, folder, entries, FolderBuffer)) > 0)
            {
                for (int at = 0; at < count; at += BinaryPrimitives.ReadUInt16LittleEndian(buffer.AsSpan(at + LengthOffset)))
                {
                    ReadOnlySpan<byte> name = buffer.AsSpan(at + NameOffset);
                    string text = Encoding.UTF8.GetString(name[..name.IndexOf((byte)0)]);
                    if (text is not ("." or ".."))
                    {
                        names.Add(text);
                    }
                }
            }
        }

        return names;
    }

    /// <summary>open(2) of a file below an open folder with O_CLOEXEC added; -1 with errno on failure.</summary>
    internal static int OpenBelow(int folder, string path, int flags)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(path) + 1];
        Encoding.UTF8.GetBytes(path, bytes);
        fixed (byte* pointer = bytes)
        {
            return openat(folder, pointer, flags | O_CLOEXEC, 0);
        }
    }
}
