using System.Globalization;
using System.IO;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Security;

/// <summary>Shuts the engine in, once it has opened what the machine needs and before anything of the guest has run.</summary>
/// <remarks>
/// What is left to somebody who takes the engine over: the descriptors that are open, and the system calls. No path leads
/// anywhere (the root is a folder that is removed already, so nothing can even be made in it), no network, no
/// capability, and no way to get one. A mount namespace would add nothing to such a root. A pid namespace would need a second
/// process and show each VM under a number that isn't the one users know; where root starts the engine, a user id
/// that no other process has keeps signals and ptrace away from all others just as well. A user's engine stays that user's.
/// </remarks>
internal static class Sandbox
{
    private const string Where = "-sandbox";
    private const string Room = "sandbox";
    private const int Namespaces = Libc.CLONE_NEWNET | Libc.CLONE_NEWIPC | Libc.CLONE_NEWUTS;

    // systemd leaves these numbers to nobody (systemd.io/UIDS-GIDS); pids have up to 22 bits.
    private const uint FirstFreeUser = 0x70000000;

    // Those that it gives to services for as long as they run: where a container has no higher ones.
    private const uint FirstDynamicUser = 61184;
    private const uint DynamicUsers = 65519 - FirstDynamicUser + 1;

    // Four for each queue of the most devices there can be, and many more than fdsets and clients may have.
    private const ulong MaxDescriptors = 4096;

    // The most CPUs there can be, iothreads, and vhost's workers.
    private const ulong MaxThreads = 1024;

    private static readonly string[] Folders = ["/run", "/tmp", "/dev/shm"];

    /// <summary>Does it, for the process and each of its threads. There is no way back.</summary>
    /// <remarks>On the main thread, while the runtime's own is the only other one.</remarks>
    /// <exception cref="UserErrorException">SandboxRefused: the host refuses a part of it, or a thread hasn't got it.</exception>
    public static void Enter(SandboxPlan plan)
    {
        (uint user, uint group) = Identity(plan);
        bool changesUser = user != Libc.geteuid();
        using FileDescriptor tasks = Require(Libc.Open("/proc/self/task", Libc.O_RDONLY | Libc.O_DIRECTORY), "open /proc/self/task");
        using (FileDescriptor empty = EmptyFolder())
        {
            if (plan.Namespaces)
            {
                Check(Libc.unshare(Namespaces), "unshare the network, IPC and UTS namespaces", "; namespaces=off does without");
            }

            ShutInRuntimeThread(plan.Namespaces, keepsCapabilities: changesUser);
            Check(Libc.ChangeRoot(empty.Value), "chroot");
        }

        FileSets.HavePaths = false;
        Check(Libc.LowerLimit(Libc.RLIMIT_NOFILE, MaxDescriptors), "lower the limit of descriptors");
        if (changesUser)
        {
            // Of a user that is the engine's alone; another's other processes would be counted with it.
            if (plan.User is null)
            {
                Check(Libc.LowerLimit(Libc.RLIMIT_NPROC, MaxThreads), "lower the limit of threads");
            }

            Check(Libc.DropGroups(), "setgroups");
            Check(Libc.setresgid(group, group, group), $"become the group {group}");
            Check(Libc.setresuid(user, user, user), $"become the user {user}");
        }

        // Nobody but root looks into it, or makes a core dump of it.
        Check(Libc.prctl(Libc.PR_SET_DUMPABLE, 0, 0, 0, 0), "set dumpable");
        Libc.LeaveKeyring();
        Check(Libc.prctl(Libc.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "set no_new_privs");
        Check(Libc.DropCapabilities(), "give up capabilities");
        ThreadProof.Check(tasks, user);
        Log.Info(Room, string.Create(CultureInfo.InvariantCulture, $"the engine is shut in: user {user}, group {group}, no files{(plan.Namespaces ? ", no network" : "")}"));
    }

    /// <summary>Once, since it takes a collection to wake that thread.</summary>
    /// <param name="namespaces">Whether it joins the namespaces of the main thread.</param>
    /// <param name="keepsCapabilities">Whether it needs them to change its user with the process, and loses them by that.</param>
    private static void ShutInRuntimeThread(bool namespaces, bool keepsCapabilities)
    {
        using FileDescriptor? self = namespaces ? Libc.OpenChild(Libc.getpid()) : null;

        // errno is a thread's own.
        int errno = Errno.ENOSYS;
        int result = RuntimeThread.Run(() =>
        {
            Libc.LeaveKeyring();
            int value = self is null ? 0 : Libc.setns(self.Value, Namespaces);
            value = value < 0 ? value : Libc.prctl(Libc.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            value = value < 0 || keepsCapabilities ? value : Libc.DropCapabilities();
            errno = value < 0 ? Errno.Last : 0;
            return value;
        });
        if (result < 0)
        {
            throw Refused("shut in the runtime's thread", errno, namespaces ? "; before Linux 5.8 namespaces=off is needed" : "");
        }
    }

    /// <summary>The user and group to be: those that were wished for, or ones that no account and no other engine has.</summary>
    private static (uint User, uint Group) Identity(SandboxPlan plan)
    {
        (uint User, uint Group) own = (Libc.geteuid(), Libc.getegid());
        uint process = (uint)Libc.getpid();
        uint free = FirstFreeUser + process, dynamic = FirstDynamicUser + (process % DynamicUsers);
        (uint User, uint Group)[] wishes = plan.User is { } wished ? [(wished, plan.Group)] : [(free, free), (dynamic, dynamic)];
        (IdMap users, IdMap groups) = (IdMap.Users, IdMap.Groups);
        foreach ((uint User, uint Group) wish in wishes)
        {
            if (users.Has(wish.User) && groups.Has(wish.Group))
            {
                return wish;
            }
        }

        // In a user namespace of its own the engine is its starter to the rest of the host, whatever it is called inside.
        (uint user, uint group) = wishes[0];
        return plan.User is null
            ? own
            : throw new UserErrorException("SandboxRefused", $"There is no user {user} or no group {group} in the user namespace that the engine is in.", Where + " user");
    }

    /// <summary>A folder that is gone: nothing is in it, and nothing can be.</summary>
    private static FileDescriptor EmptyFolder()
    {
        foreach (string folder in Folders)
        {
            if (Libc.MakeFolder(Path.Combine(folder, "strato-empty-")) is { } path)
            {
                int fd = Libc.Open(path, Libc.O_RDONLY | Libc.O_DIRECTORY);
                int errno = Errno.Last;
                if (Libc.RemoveFolder(path) < 0 && fd >= 0)
                {
                    errno = Errno.Last;
                    _ = Libc.close(fd);
                    fd = Errno.Fail(errno);
                }

                return fd >= 0 ? new FileDescriptor(fd) : throw Refused($"make an empty folder below {folder}", errno);
            }
        }

        throw Refused($"make an empty folder below {string.Join(", ", Folders)}", Errno.Last);
    }

    private static FileDescriptor Require(int fd, string what) => fd >= 0 ? new FileDescriptor(fd) : throw Refused(what, Errno.Last);

    private static void Check(int result, string what, string advice = "")
    {
        if (result < 0)
        {
            throw Refused(what, Errno.Last, advice);
        }
    }

    private static UserErrorException Refused(string what, int errno, string advice = "") =>
        new("SandboxRefused", $"The engine can't be shut in, for the host doesn't let it {what}: {Errno.Text(errno)}{advice}.", Where);
}
