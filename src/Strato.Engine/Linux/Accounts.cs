using System.Globalization;
using System.IO;

namespace Strato.Engine.Linux;

/// <summary>The host's accounts, as <c>/etc/passwd</c> has them: users of a directory service are given by their numbers.</summary>
/// <remarks>
/// <c>getpwnam</c> would load the C library's modules for such services into the monitor, which is linked statically and loads nothing.
/// </remarks>
internal static class Accounts
{
    /// <summary>The user of a name and its group; false for none.</summary>
    /// <param name="name">As the first field of a line has it.</param>
    /// <param name="user">The user's number.</param>
    /// <param name="group">The number of the group that it logs in with.</param>
    /// <param name="path">A file in the form of passwd(5): <c>name:password:user:group:comment:home:shell</c>.</param>
    /// <exception cref="IOException">It can't be read.</exception>
    public static bool TryFind(string name, out uint user, out uint group, string path = "/etc/passwd")
    {
        foreach (string line in File.ReadLines(path))
        {
            string[] fields = line.Split(':');
            if (fields.Length >= 4 && fields[0] == name
                && uint.TryParse(fields[2], NumberStyles.None, CultureInfo.InvariantCulture, out user)
                && uint.TryParse(fields[3], NumberStyles.None, CultureInfo.InvariantCulture, out group))
            {
                return true;
            }
        }

        (user, group) = (0, 0);
        return false;
    }
}
