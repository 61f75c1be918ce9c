using System;
using System.IO;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Chardev;

/// <summary>Shares a folder by virtiofsd(1), a program of QEMU's once and now of its own, which reads and writes it in the engine's place.</summary>
/// <remarks>
/// It serves one connection, which is here before it starts: so there is nothing in the file system, and it ends when the engine's
/// end is closed, however the engine ends. It shuts itself into the folder (namespaces), and sees nothing else of the host.
/// </remarks>
internal static class Virtiofsd
{
    private const string Program = "virtiofsd";
    private const string Room = "virtio-fs";

    /// <summary>Where distributions have it; the last is QEMU's own up to 7.2, whose options are others.</summary>
    private static readonly string[] Places = ["/usr/libexec", "/usr/lib", LegacyPlace];

    private const string LegacyPlace = "/usr/lib/qemu";

    /// <summary>How long the first answer may take: until then it is loaded, on a busy host from a slow disk, and shuts itself in. A program that fails is heard at once.</summary>
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(60);

    /// <summary>How long its end may take when its connection has gone.</summary>
    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(2);

    /// <summary>Folders divided by colons: those of PATH, and then where distributions have it.</summary>
    public static string SearchPath(string? path) => string.Join(':', path is { Length: > 0 } ? [path, .. Places] : Places);

    /// <param name="folder">The folder that it shares.</param>
    /// <param name="features">Features that the program must be able to work with.</param>
    /// <param name="searchPath">Where the program is looked for, as <see cref="SearchPath"/> has it.</param>
    /// <param name="loop">The loop that hears it.</param>
    /// <param name="label">The user's name of the device, for messages.</param>
    /// <param name="where">The option that asked for it, for errors.</param>
    /// <exception cref="UserErrorException">SharedFolderPathNotFound, SharedFolderNotFolder, VirtiofsdNotFound, VirtiofsdFailed.</exception>
    public static VhostUserSocket Start(string folder, ulong features, string searchPath, EventLoop loop, string label, string where)
    {
        CheckFolder(folder, label, where);
        string program = Libc.FindProgram(Program, searchPath) ?? throw new UserErrorException(
            "VirtiofsdNotFound",
            $"fs '{label}': sharing a folder needs the program '{Program}', which isn't in {searchPath.Replace(":", ", ", StringComparison.Ordinal)}; Debian has it in the package 'virtiofsd', Debian 12 in 'qemu-system-common'",
            where);
        ChildProcess? child = null;
        FileDescriptor? near = null;
        try
        {
            Libc.CreateListenedPair(out near, out FileDescriptor listener);
            using (listener)
            {
                child = ChildProcess.Start(program, Arguments(program, folder), listener, EndPatience);
            }

            VhostUserSocket served = new(near, features, StartPatience, child) { Patience = VhostUserOpener.Patience };
            RateLimit limit = new();
            child.Message = line => limit.Warn(Room, () => $"{label}: virtiofsd: {line}");
            child.Ended = end => Log.Error(Room, $"{label}: virtiofsd has ended ({end})");
            child.Join(loop);
            return served;
        }
        catch (LinuxException e)
        {
            near?.Dispose();
            string failure = e.Message;
            if (child is not null)
            {
                string end = child.WaitForEnd();
                if (e.Errno is Errno.ECONNRESET or Errno.EPIPE)
                {
                    failure = child.LastLine is { } last ? $"{end}: {last}" : end;
                }

                child.Dispose();
            }

            throw new UserErrorException("VirtiofsdFailed", $"fs '{label}': '{program}' can't serve '{folder}': {failure}", where, e);
        }
    }

    /// <summary>All of argv.</summary>
    internal static string[] Arguments(string program, string folder)
    {
        string socket = $"--fd={ChildRun.Inherited}";

        // There a comma ends an option, and a backslash before one is taken away.
        return Path.GetDirectoryName(program) == LegacyPlace
            ? [program, socket, "-o", "log_level=warn", "-o", $"source={folder.Replace("\\", @"\\").Replace(",", @"\,")}"]
            : [program, socket, "--log-level", "warn", "--shared-dir", folder];
    }

    private static void CheckFolder(string folder, string label, string where)
    {
        if (Libc.Stat(folder, out Libc.statx_t status) < 0)
        {
            int errno = Errno.Last;
            throw new UserErrorException(
                errno == Errno.ENOENT ? "SharedFolderPathNotFound" : "SharedFolderUnavailable",
                $"fs '{label}': the folder '{folder}' can't be shared: {Errno.Text(errno)}",
                where);
        }

        if ((status.stx_mode & Libc.S_IFMT) != Libc.S_IFDIR)
        {
            throw new UserErrorException("SharedFolderNotFolder", $"fs '{label}': '{folder}' is no folder", where);
        }
    }
}
