using System;
using System.Collections.Generic;
using System.Globalization;
using Strato.Protocol;

namespace Strato.Engine.Linux;

/// <summary>One descriptor of a set.</summary>
/// <param name="File">The descriptor, which the set owns.</param>
/// <param name="Opaque">What its giver calls it; null for nothing.</param>
internal readonly record struct FileOfSet(FileDescriptor File, string? Opaque);

/// <summary>Descriptors that others opened, which a path of the form <c>/dev/fdset/N</c> stands for wherever a file is opened.</summary>
/// <remarks>
/// QEMU's fdsets: a set holds descriptors of one file, opened for reading, writing or both, and who opens the path gets the
/// same file once more, with flags and locks of its own. The engine's own, all of them, on the main loop's thread.
/// </remarks>
internal static class FileSets
{
    private const string Prefix = "/dev/fdset/";

    /// <summary>Descriptors in all sets.</summary>
    public const int MaxFiles = 64;

    // What a descriptor can be asked for once it is open; the rest is for who opens paths.
    private const int Settable = Libc.O_APPEND | Libc.O_NONBLOCK | Libc.O_DIRECT;

    private static readonly SortedDictionary<long, List<FileOfSet>> Sets = [];

    /// <summary>Whether no more descriptors are taken.</summary>
    public static bool IsFull
    {
        get
        {
            int count = 0;
            foreach (List<FileOfSet> files in Sets.Values)
            {
                count += files.Count;
            }

            return count >= MaxFiles;
        }
    }

    /// <summary>Whether paths lead anywhere: not in a sandbox, which only descriptors come into.</summary>
    public static bool HavePaths { get; set; } = true;

    /// <summary>All sets in the order of their numbers.</summary>
    public static IReadOnlyDictionary<long, List<FileOfSet>> All => Sets;

    /// <summary>Adds a descriptor.</summary>
    /// <param name="file">Owned by the set from now on.</param>
    /// <param name="set">The set's number, from 0; null for the first that is free.</param>
    /// <param name="opaque">What its giver calls it.</param>
    /// <returns>The set's number.</returns>
    public static long Add(FileDescriptor file, long? set, string? opaque)
    {
        long number = set ?? 0;
        while (set is null && Sets.ContainsKey(number))
        {
            number++;
        }

        if (!Sets.TryGetValue(number, out List<FileOfSet>? files))
        {
            Sets.Add(number, files = []);
        }

        files.Add(new FileOfSet(file, opaque));
        return number;
    }

    /// <summary>Closes a set's descriptors, or the one of a number; what was opened by them stays open.</summary>
    /// <returns>False when there is no such set or descriptor.</returns>
    public static bool Remove(long set, long? descriptor)
    {
        if (!Sets.TryGetValue(set, out List<FileOfSet>? files))
        {
            return false;
        }

        List<FileOfSet> closed = files.FindAll(file => descriptor is null || file.File.Value == descriptor);
        closed.ForEach(file => file.File.Dispose());
        _ = files.RemoveAll(closed.Contains);
        if (files.Count == 0)
        {
            _ = Sets.Remove(set);
        }

        return closed.Count > 0;
    }

    /// <summary>Opens a path, which may be a set's.</summary>
    /// <returns>A descriptor, or -1 with errno: ENOENT for no such set, EACCES when none of its descriptors has that access.</returns>
    /// <exception cref="UserErrorException">SandboxedEngine: it is a path of the host's, which a sandbox hasn't got.</exception>
    public static int Open(string path, int flags, uint mode = 0)
    {
        if (!path.StartsWith(Prefix, StringComparison.Ordinal))
        {
            CheckPaths(path, $"pass a descriptor of it by add-fd, and give {Prefix} and its set's number instead");
            return Libc.Open(path, flags, mode);
        }

        if (!TryParse(path, out long set) || !Sets.TryGetValue(set, out List<FileOfSet>? files))
        {
            return Errno.Fail(Errno.ENOENT);
        }

        int wanted = flags & Libc.O_ACCMODE;
        foreach (FileOfSet file in files)
        {
            int has = Libc.fcntl(file.File.Value, Libc.F_GETFL, 0);
            if ((has & Libc.O_ACCMODE) == wanted || (wanted == Libc.O_RDONLY && (has & Libc.O_ACCMODE) == Libc.O_RDWR))
            {
                return Again(file.File.Value, has, flags);
            }
        }

        return Errno.Fail(Errno.EACCES);
    }

    /// <summary>Whether a path stands for a set, of which there may be none.</summary>
    public static bool IsSet(string path) => TryParse(path, out _);

    /// <summary>What a user knows a file by: for a set's what its giver calls it, where that is said.</summary>
    public static string NameOf(string path)
    {
        if (!TryParse(path, out long set) || !Sets.TryGetValue(set, out List<FileOfSet>? files))
        {
            return path;
        }

        return files.Find(file => file.Opaque is not null).Opaque ?? path;
    }

    private static bool TryParse(string path, out long set)
    {
        set = 0;
        return path.StartsWith(Prefix, StringComparison.Ordinal) &&
            long.TryParse(path.AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out set);
    }

    /// <summary>Refuses, in a sandbox, what would be opened by a path.</summary>
    /// <param name="what">The path, or what stands for it.</param>
    /// <param name="instead">What the user can do.</param>
    /// <exception cref="UserErrorException">SandboxedEngine.</exception>
    public static void CheckPaths(string what, string instead)
    {
        if (!HavePaths)
        {
            throw new UserErrorException("SandboxedEngine", $"The engine is in a sandbox, where there are no paths: '{what}' can't be opened; {instead}.", "-sandbox");
        }
    }

    /// <summary>Opens the file of a descriptor once more; where it can't be (a socket, no /proc, no right to it), a duplicate has to do.</summary>
    private static int Again(int file, int has, int wanted)
    {
        int fd = Libc.Open(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{file}"), wanted & ~(Libc.O_CREAT | Libc.O_EXCL));
        if (fd >= 0 || Errno.Last == Errno.EINVAL)
        {
            return fd;
        }

        fd = Libc.fcntl(file, Libc.F_DUPFD_CLOEXEC, 0);
        if (fd >= 0 && Libc.fcntl(fd, Libc.F_SETFL, has | (wanted & Settable)) < 0)
        {
            int errno = Errno.Last;
            _ = Libc.close(fd);
            return Errno.Fail(errno);
        }

        return fd;
    }
}
