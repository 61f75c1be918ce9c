using System;
using System.Buffers.Text;
using System.Text;

namespace Strato.Engine.Linux;

/// <summary>Small texts of /proc and /sys.</summary>
internal static class KernelFile
{
    private const int MaxLength = 16 * 1024;

    /// <summary>The text, up to 16 KiB of it; null when it can't be read.</summary>
    public static string? Read(string path)
    {
        int fd = Libc.Open(path, Libc.O_RDONLY);
        return fd < 0 ? null : ReadAll(fd);
    }

    /// <summary>The text of a file below an open folder; null when it can't be read.</summary>
    public static string? ReadBelow(int folder, string path)
    {
        int fd = Libc.OpenBelow(folder, path, Libc.O_RDONLY);
        return fd < 0 ? null : ReadAll(fd);
    }

    /// <summary>The number that the text begins with; null when it can't be read or is none, such as cgroup's <c>max</c>.</summary>
    public static long? ReadNumber(string path) => Number(Read(path));

    /// <summary>The number of a line <c>NAME   123 kB</c> or <c>name 123</c>; null when there is none.</summary>
    public static long? ReadField(string path, string name)
    {
        foreach (string line in (Read(path) ?? "").Split('\n'))
        {
            if (line.StartsWith(name, StringComparison.Ordinal))
            {
                return Number(line[name.Length..].TrimStart());
            }
        }

        return null;
    }

    private static string? ReadAll(int fd)
    {
        using FileDescriptor file = new(fd);
        Span<byte> bytes = stackalloc byte[MaxLength];
        int length = 0;
        nint count;
        while ((count = Libc.Read(fd, bytes[length..])) > 0)
        {
            length += (int)count;
        }

        return count < 0 ? null : Encoding.UTF8.GetString(bytes[..length]);
    }

    private static long? Number(string? text) =>
        text is not null && Utf8Parser.TryParse(Encoding.UTF8.GetBytes(text), out long number, out _) ? number : null;
}
