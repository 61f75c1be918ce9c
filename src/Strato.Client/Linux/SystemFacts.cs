using System.IO;

namespace Strato.Client.Linux;

/// <summary>Facts about the running system that come from well-known files.</summary>
internal static class SystemFacts
{
    /// <summary>True if <paramref name="directory"/> is the one that systemd-logind removes when the user's last session ends.</summary>
    internal static bool LogoutEmptiesRuntimeDirectory(string directory, int uid) =>
        Path.TrimEndingDirectorySeparator(directory) == $"/run/user/{uid}"
        && File.Exists($"/run/systemd/users/{uid}")
        && !Lingers(uid);

    private static bool Lingers(int uid)
    {
        // /run/systemd/users/UID has the user's name; /var/lib/systemd/linger has one file per lingering user.
        try
        {
            foreach (string line in File.ReadLines($"/run/systemd/users/{uid}"))
            {
                if (line.StartsWith("NAME=", System.StringComparison.Ordinal))
                {
                    return File.Exists(Path.Combine("/var/lib/systemd/linger", line[5..]));
                }
            }
        }
        catch (IOException)
        {
            // The session ended meanwhile.
        }

        return false;
    }
}
