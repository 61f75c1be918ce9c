using System;
using System.Collections.Concurrent;
using Strato.Client.Linux;

namespace Strato.Client.Store;

/// <summary>Definitions that this process has read, by path: finding a name means looking at all of them, and they seldom change.</summary>
/// <remarks>
/// A definition is replaced by a rename, so another one is another inode, or an inode of another time. File systems keep the time in ticks of some
/// milliseconds, in which an inode can be freed and used again: what is younger than that is read each time.
/// </remarks>
internal static class DefinitionCache
{
    private const int Most = 10_000;
    private const long SettledSeconds = 2;

    private static readonly ConcurrentDictionary<string, (FileState State, VmDefinition Definition)> Known = new(StringComparer.Ordinal);

    /// <summary>What identifies a file's content as long as it is only replaced; null where it can't be looked at.</summary>
    internal static FileState? Look(string path) => Libc.TryStatTarget(path, out Libc.statx_t stat)
        ? new FileState(stat.stx_dev_major, stat.stx_dev_minor, stat.stx_ino, stat.stx_size, stat.stx_ctime_sec, stat.stx_ctime_nsec)
        : null;

    internal static VmDefinition? Find(string path, FileState? state) =>
        state is not null && Known.TryGetValue(path, out (FileState State, VmDefinition Definition) known) && known.State == state ? known.Definition : null;

    /// <summary>Keeps what was read after <see cref="Look"/> had given <paramref name="state"/>.</summary>
    internal static void Keep(string path, FileState? state, VmDefinition definition, DateTimeOffset now)
    {
        if (state is null || now.ToUnixTimeSeconds() - state.ChangedSeconds < SettledSeconds)
        {
            return;
        }

        if (Known.Count >= Most)
        {
            Known.Clear(); // paths of stores that are gone, too
        }

        Known[path] = (state, definition);
    }

    internal sealed record FileState(uint Major, uint Minor, ulong Inode, ulong Size, long ChangedSeconds, uint ChangedNanoseconds);
}
