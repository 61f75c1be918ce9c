using System;
using System.IO;

namespace Strato.Client.Linux;

/// <summary>Looks for programs.</summary>
internal static class ProgramPath
{
    /// <summary>PATH, and where the host's own programs are.</summary>
    internal static string Folders => $"{Environment.GetEnvironmentVariable("PATH")}:/usr/bin:/bin";

    /// <summary>The program's path; null when no folder has it.</summary>
    /// <param name="name">The program.</param>
    /// <param name="folders">Divided by colons.</param>
    internal static string? Find(string name, string folders)
    {
        foreach (string folder in folders.Split(':', StringSplitOptions.RemoveEmptyEntries))
        {
            string path = Path.Combine(folder, name);
            if (File.Exists(path) && Libc.MayExecute(path))
            {
                return path;
            }
        }

        return null;
    }
}
