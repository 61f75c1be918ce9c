using System;
using System.IO;

namespace Strato.Client.Linux;

/// <summary>Looks for programs on PATH, and where the host's own are.</summary>
internal static class ProgramPath
{
    /// <summary>The program's path; null when no folder has it.</summary>
    internal static string? Find(string name)
    {
        foreach (string folder in $"{Environment.GetEnvironmentVariable("PATH")}:/usr/bin:/bin".Split(':', StringSplitOptions.RemoveEmptyEntries))
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
