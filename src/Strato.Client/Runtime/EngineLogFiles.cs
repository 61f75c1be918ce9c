using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using Strato.Client.Linux;
using Strato.Protocol;

namespace Strato.Client.Runtime;

/// <summary>The files that an engine's log is in: PATH, and what was put aside, PATH.1 and on, newest first.</summary>
/// <remarks>
/// A start puts all of them aside by one, and so does an engine whose file is full. So a run may have several files, and of its first one the
/// first line says so (<see cref="EngineLog.BeginsRun"/>).
/// </remarks>
internal static class EngineLogFiles
{
    /// <summary>Files beside the newest: as many as the engine keeps.</summary>
    internal const int Older = 3;

    /// <summary>Writes the line with which a run's log begins.</summary>
    internal static void Begin(string path, string machine)
    {
        using FileDescriptor file = new(Libc.Open(path, Libc.O_WRONLY | Libc.O_CREAT | Libc.O_APPEND, 0x180));

        // A disk that is full doesn't keep a VM from starting; what comes is then taken for the rest of the run before.
        _ = file.IsInvalid ? 0 : Libc.Write(file.Value, Encoding.UTF8.GetBytes(EngineLog.Line(DateTime.UtcNow, "info", EngineLog.Client, EngineLog.Start(machine))));
    }

    /// <summary>Opens the files of one run, oldest first. None for a VM that wasn't started, or not often enough.</summary>
    /// <param name="path">The newest file.</param>
    /// <param name="previous">The run before the last.</param>
    internal static List<FileStream> Open(string path, bool previous)
    {
        for (int tries = 0; ; tries++)
        {
            List<FileStream> newestFirst = [];
            for (int i = 0; i <= Older; i++)
            {
                if (TryOpen(i == 0 ? path : $"{path}.{i}") is { } file)
                {
                    newestFirst.Add(file);
                }
            }

            // Between two files another may have been put aside.
            if (tries < 3 && newestFirst.Count > 0 && !IsAt(newestFirst[0], path))
            {
                newestFirst.ForEach(file => file.Dispose());
                continue;
            }

            int end = EndOfRun(newestFirst, 0);
            int begin = previous ? end : 0;
            end = previous ? EndOfRun(newestFirst, begin) : end;
            List<FileStream> run = newestFirst.GetRange(begin, end - begin);
            newestFirst.RemoveRange(begin, end - begin);
            newestFirst.ForEach(file => file.Dispose());
            run.Reverse();
            return run;
        }
    }

    /// <summary>Whether the file is the one at that path.</summary>
    internal static bool IsAt(FileStream file, string path) =>
        Libc.TryStat((int)file.SafeFileHandle.DangerousGetHandle(), out Libc.statx_t own)
        && Libc.TryStatTarget(path, out Libc.statx_t there)
        && (own.stx_ino, own.stx_dev_major, own.stx_dev_minor) == (there.stx_ino, there.stx_dev_major, there.stx_dev_minor);

    internal static FileStream? TryOpen(string path)
    {
        try
        {
            // Without a buffer, for it grows while it is read.
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>The index behind the run that begins at an index.</summary>
    private static int EndOfRun(List<FileStream> newestFirst, int first)
    {
        int i = first;
        while (i < newestFirst.Count && !BeginsRun(newestFirst[i]))
        {
            i++;
        }

        return Math.Min(i + 1, newestFirst.Count);
    }

    /// <summary>Whether a run begins in the file; it is at its beginning then.</summary>
    internal static bool BeginsRun(FileStream file)
    {
        byte[] head = new byte[4096];
        file.Position = 0;
        int count = file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        file.Position = 0;
        int end = Array.IndexOf(head, (byte)'\n', 0, count);
        return EngineLog.BeginsRun(Encoding.UTF8.GetString(head, 0, end < 0 ? count : end));
    }
}
