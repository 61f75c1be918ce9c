using System;
using System.IO;
using Strato.Client.Linux;

namespace Strato.Client.Store;

/// <summary>Files that are there wholly, as they were before, or not at all, whatever happens and whenever.</summary>
internal static class AtomicFile
{
    /// <summary>Temporary files begin so; a reader passes over them, the next writer of that file removes them.</summary>
    internal const string TemporaryPrefix = ".tmp-";

    /// <summary>
    /// Writes beside the target, fsyncs, renames over the target, fsyncs the folder. Mode 0600. The folder must be there.
    /// </summary>
    /// <param name="path">The target.</param>
    /// <param name="content">All of it.</param>
    internal static void Write(string path, ReadOnlySpan<byte> content)
    {
        string directory = Path.GetDirectoryName(path)!;
        string name = Path.GetFileName(path);
        string temporary = Path.Combine(directory, $"{TemporaryPrefix}{name}-{Environment.ProcessId}-{Guid.NewGuid():N}");
        try
        {
            using (FileDescriptor file = new(Libc.Open(temporary, Libc.O_WRONLY | Libc.O_CREAT | Libc.O_EXCL, 0x180)))
            {
                Check(!file.IsInvalid, temporary);
                while (!content.IsEmpty)
                {
                    int written = Libc.Write(file.Value, content);
                    Check(written > 0, temporary);
                    content = content[written..];
                }

                Check(Libc.fsync(file.Value) == 0, temporary);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            Remove(temporary);
            throw;
        }

        SyncDirectory(directory);
    }

    /// <summary>Removes what writers that died left beside <paramref name="path"/>. Only under the lock that guards it.</summary>
    internal static void RemoveLeftovers(string path)
    {
        string directory = Path.GetDirectoryName(path)!;
        foreach (string leftover in Directory.EnumerateFiles(directory, $"{TemporaryPrefix}{Path.GetFileName(path)}-*"))
        {
            Remove(leftover);
        }
    }

    /// <summary>fsync(2) of a folder, so that a rename in it survives a power cut.</summary>
    internal static void SyncDirectory(string directory)
    {
        using FileDescriptor fd = new(Libc.Open(directory, Libc.O_RDONLY));
        Check(!fd.IsInvalid && Libc.fsync(fd.Value) == 0, directory);
    }

    /// <summary>Removes a file; silent if it can't.</summary>
    internal static void Remove(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is a leftover: the next writer tries again.
        }
    }

    private static void Check(bool good, string path)
    {
        if (!good)
        {
            throw new IOException($"{path}: {Errno.Text(Errno.Last)}");
        }
    }
}
