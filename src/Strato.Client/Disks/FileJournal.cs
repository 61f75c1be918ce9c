using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;
using Strato.Client.Linux;
using Strato.Client.Store;

namespace Strato.Client.Disks;

/// <summary>Files that get their names with a VM, written down in its folder before they have them: should their maker die then, who comes next removes them.</summary>
/// <remarks>A file is known by its inode: what another has put in its place isn't touched.</remarks>
internal static class FileJournal
{
    private const string Name = "files";

    /// <summary>Gives files their names.</summary>
    /// <param name="directory">Of a VM that nobody sees yet.</param>
    /// <param name="files">The files.</param>
    internal static void Keep(string directory, IReadOnlyList<NewFile> files)
    {
        StringBuilder text = new();
        foreach (NewFile file in files)
        {
            file.Check(Libc.TryStat(file.Fd, out Libc.statx_t stat));
            text.Append(Identity(stat)).Append('\0').Append(file.Target).Append('\0');
        }

        AtomicFile.Write(Path.Combine(directory, Name), Encoding.UTF8.GetBytes(text.ToString()));
        foreach (NewFile file in files)
        {
            file.Keep(replace: false);
        }
    }

    /// <summary>The VM is there with its files.</summary>
    internal static void Forget(string directory) => AtomicFile.Remove(Path.Combine(directory, Name));

    /// <summary>Removes those that have their names already.</summary>
    internal static void Undo(string directory)
    {
        string[] words;
        try
        {
            words = File.ReadAllText(Path.Combine(directory, Name)).Split('\0');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // There were none.
            return;
        }

        for (int i = 0; i + 1 < words.Length; i += 2)
        {
            if (Libc.TryStat(words[i + 1], out Libc.statx_t stat) && Identity(stat) == words[i])
            {
                AtomicFile.Remove(words[i + 1]);
            }
        }
    }

    private static string Identity(Libc.statx_t stat) => string.Create(CultureInfo.InvariantCulture, $"{stat.stx_dev_major}:{stat.stx_dev_minor}:{stat.stx_ino}");
}
