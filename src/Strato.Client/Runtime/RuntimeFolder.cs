using System;
using System.IO;
using Strato.Client.Linux;

namespace Strato.Client.Runtime;

/// <summary>The folder of sockets: ours alone, also where anybody may make folders beside it (/tmp).</summary>
internal static class RuntimeFolder
{
    /// <summary>Makes RuntimeRoot/ID with mode 0700, and refuses a root that another user could write to. Returns the folder.</summary>
    internal static string Prepare(string root, string id)
    {
        string directory = Path.Combine(root, id);
        UnixStream.CheckPath(Path.Combine(directory, "console.sock"));
        string? parent = Path.GetDirectoryName(root);
        if (parent is not null && !Directory.Exists(parent))
        {
            try
            {
                Directory.CreateDirectory(parent);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw Unusable(root, $"can't be made: {e.Message}");
            }
        }

        Make(root);
        CheckRoot(root);
        Make(directory);
        Check(directory);
        return directory;
    }

    /// <summary>Refuses a VM's folder that another user could have made or has any access to. A folder that isn't there is good: nothing is in it.</summary>
    internal static void Check(string directory) => CheckOwned(directory, 0x3f, "only its owner may have access (700)");

    /// <summary>
    /// Others may look into the root (a folder made by mkdir for STRATO_RUNTIME has mode 755), for the folders in it are closed; but who
    /// can write to it could put folders of their own there.
    /// </summary>
    internal static void CheckRoot(string directory) => CheckOwned(directory, 0x12, "only its owner may write to it (700 or 755)");

    private static void CheckOwned(string directory, uint forbidden, string allowed)
    {
        if (!Libc.TryStat(directory, out Libc.statx_t stat))
        {
            int errno = Errno.Last;
            if (errno == Errno.ENOENT)
            {
                return;
            }

            throw Unusable(directory, $"can't be looked at: {Errno.Text(errno)}");
        }

        uint uid = Libc.geteuid();
        if ((stat.stx_mode & Libc.S_IFMT) != Libc.S_IFDIR)
        {
            throw Unusable(directory, "is not a folder (a symbolic link isn't followed)");
        }

        if (stat.stx_uid != uid)
        {
            throw Unusable(directory, $"belongs to user {stat.stx_uid}, not to user {uid}");
        }

        if ((stat.stx_mode & forbidden) != 0)
        {
            throw Unusable(directory, $"has mode {Convert.ToString(stat.stx_mode & 0xfff, 8)}; {allowed}");
        }
    }

    /// <summary>True if <see cref="Check"/> finds no fault, neither with the folder nor with the one it lies in.</summary>
    internal static bool IsSafe(string directory)
    {
        try
        {
            CheckRoot(Path.GetDirectoryName(directory) ?? directory);
            Check(directory);
            return true;
        }
        catch (StratoException)
        {
            return false;
        }
    }

    /// <summary>Removes what an engine that is gone left behind. In a folder that isn't ours nothing is touched.</summary>
    internal static void Clean(string directory)
    {
        if (!IsSafe(directory))
        {
            return;
        }

        foreach (string name in (ReadOnlySpan<string>)["qmp.sock", "console.sock", "pid", Guest.AgentSession.LockName])
        {
            Store.AtomicFile.Remove(Path.Combine(directory, name));
        }

        try
        {
            foreach (string socket in Directory.EnumerateFiles(directory, DeviceArguments.SocketPattern))
            {
                Store.AtomicFile.Remove(socket);
            }

            Store.AtomicFile.RemoveLeftovers(Path.Combine(directory, "pid"));
            Directory.Delete(directory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Not there, or somebody keeps something of their own in it.
        }
    }

    private static void Make(string directory)
    {
        if (!Libc.MakeDirectory(directory, 0x1c0))
        {
            int errno = Errno.Last;
            if (!Libc.TryStat(directory, out _))
            {
                throw Unusable(directory, $"can't be made: {Errno.Text(errno)}");
            }
        }
    }

    private static StratoException Unusable(string directory, string fault) =>
        new(StratoErrorKind.Permission, "RuntimeFolderUnsafe", $"The folder for the sockets of running VMs, '{directory}', {fault}.")
        {
            Where = directory,
            RecommendedAction = "Remove it, or set STRATO_RUNTIME to a folder of your own with mode 700.",
        };
}
