using System;
using System.Collections.Generic;
using System.IO;
using Strato.Client.Linux;

namespace Strato.Client.Runtime;

/// <summary>Finds <c>strato-engine</c>, and gives it back the execute bit that a package gallery may have taken.</summary>
internal static class EngineFinder
{
    private const string FileName = "strato-engine";

    /// <param name="given">The caller's own choice, or null.</param>
    /// <param name="variable">Reads an environment variable.</param>
    /// <param name="assemblyFolder">Where this library lies.</param>
    internal static string Find(string? given, Func<string, string?> variable, string assemblyFolder)
    {
        if (!string.IsNullOrEmpty(given))
        {
            return Usable(given, "engine path");
        }

        if (variable("STRATO_ENGINE") is { Length: > 0 } chosen)
        {
            return Usable(chosen, "STRATO_ENGINE");
        }

        List<string> tried = [];
        foreach (string candidate in Candidates(variable, assemblyFolder))
        {
            if (File.Exists(candidate))
            {
                return Usable(candidate, candidate);
            }

            tried.Add(candidate);
        }

        throw new StratoException(StratoErrorKind.Unavailable, "EngineNotFound", $"The engine '{FileName}' was not found; looked at {string.Join(", ", tried)}.")
        {
            Where = "STRATO_ENGINE",
            RecommendedAction = "Build it with ./build.sh build, install the module again, or set STRATO_ENGINE to its path.",
        };
    }

    private static IEnumerable<string> Candidates(Func<string, string?> variable, string assemblyFolder)
    {
        // In the module the assemblies lie beside bin or in a folder beside it.
        yield return Path.Combine(assemblyFolder, "bin", FileName);
        yield return Path.Combine(assemblyFolder, FileName);
        if (Path.GetDirectoryName(assemblyFolder) is { } above)
        {
            yield return Path.Combine(above, "bin", FileName);
        }

        // In a development tree the assembly is somewhere below out/.
        for (string? folder = assemblyFolder; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "Strato.slnx")))
            {
                yield return Path.Combine(folder, "out", "Strato", "bin", FileName);
                break;
            }
        }

        foreach (string folder in (variable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries))
        {
            if (Path.IsPathRooted(folder))
            {
                yield return Path.Combine(folder, FileName);
            }
        }
    }

    private static string Usable(string path, string where)
    {
        if (!File.Exists(path))
        {
            throw new StratoException(StratoErrorKind.Unavailable, "EngineNotFound", $"The engine '{path}' does not exist.") { Where = where };
        }

        path = Path.GetFullPath(path);
        if (Libc.MayExecute(path))
        {
            return path;
        }

        try
        {
            // Whoever may read it may execute it; chmod succeeds for the owner only.
            UnixFileMode mode = File.GetUnixFileMode(path);
            mode |= UnixFileMode.UserExecute;
            mode |= mode.HasFlag(UnixFileMode.GroupRead) ? UnixFileMode.GroupExecute : 0;
            mode |= mode.HasFlag(UnixFileMode.OtherRead) ? UnixFileMode.OtherExecute : 0;
            File.SetUnixFileMode(path, mode);
            if (Libc.MayExecute(path))
            {
                return path;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Said below.
        }

        throw new StratoException(StratoErrorKind.Permission, "EngineNotExecutable", $"The engine '{path}' may not be executed.")
        {
            Where = where,
            RecommendedAction = $"Run: chmod +x '{path}' (as its owner; and see that its file system isn't mounted noexec).",
        };
    }
}
