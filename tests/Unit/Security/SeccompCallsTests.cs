using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using Strato.Engine.Security;
using Xunit;

namespace Strato.Tests.Unit.Security;

/// <summary>Each of the C library's functions that the room Linux declares is allowed by the filter, or is known to be of a start alone.</summary>
public partial class SeccompCallsTests
{
    /// <summary>The system calls of functions that have others' names, or several.</summary>
    private static readonly Dictionary<string, string> Calls = new(StringComparer.Ordinal)
    {
        ["_exit"] = "exit_group",
        ["epoll_create1"] = StartOnly,
        ["eventfd"] = "eventfd2",
        ["grantpt"] = "ioctl",
        ["if_nametoindex"] = "socket ioctl close",
        ["isatty"] = "ioctl",
        ["open"] = "openat",
        ["pidfd_open"] = StartOnly,
        ["posix_openpt"] = "openat",
        ["pthread_sigmask"] = "rt_sigprocmask",
        ["ptsname_r"] = "ioctl",
        ["sigaction"] = "rt_sigaction",
        ["sysconf"] = "sysinfo",
        ["tcgetattr"] = "ioctl",
        ["tcgetpgrp"] = "ioctl",
        ["tcsetattr"] = "ioctl",
        ["unlockpt"] = "ioctl",
        ["waitpid"] = "wait4",
    };

    /// <summary>Functions whose callers run before the filter, or refuse when it is there.</summary>
    private static readonly string[] AtStart =
    [
        "access", // looks for programs
        "dup", "dup2", // tests' own
        "fstatfs", // hugetlbfs
        "getpgrp", // asked once
        "getsockname", "socketpair", "setsockopt", // virtiofsd's and passt's sockets
        "memfd_create", // guest memory; a child's messages
        "pipe2", // a child's; signals'
        "posix_spawn", "posix_spawn_file_actions_adddup2", "posix_spawn_file_actions_addopen", "posix_spawn_file_actions_addclosefrom_np", "posix_spawn_file_actions_destroy",
        "posix_spawn_file_actions_init", "posix_spawnattr_destroy", "posix_spawnattr_init", "posix_spawnattr_setflags", "posix_spawnattr_setsigdefault", "posix_spawnattr_setsigmask",
        "chroot", "execve", "fchdir", "getegid", "geteuid", "getrlimit", "lseek", "mkdtemp", "rmdir", "setgroups", "setns", "setresgid", "setresuid", "setrlimit", "unshare", // the sandbox
        "capset", "getdents64", "keyctl", // the sandbox, by their numbers
        "fchmod", "umask", // sockets' modes: late ones have the umask's
        "timer_create", "timer_delete", "timer_settime", // the speed check
    ];

    private const string StartOnly = "";

    [Fact]
    public void EachFunctionOfTheRoomLinuxIsAllowedOrOfAStartAlone()
    {
        HashSet<string> allowed = [.. SeccompRules.All(1).Where(rule => rule.IsAllowed).Select(rule => rule.Name)];
        List<string> faults = [];
        int functions = 0;
        foreach (Match function in Directory.EnumerateFiles(Path.Combine(FloorPlanTests.Engine, "Linux"), "*.cs").SelectMany(file => Declaration().Matches(File.ReadAllText(file))))
        {
            string name = function.Groups["name"].Value;
            functions++;
            if (name == "syscall" || AtStart.Contains(name, StringComparer.Ordinal))
            {
                continue;
            }

            foreach (string call in Calls.GetValueOrDefault(name, name).Split(' ', StringSplitOptions.RemoveEmptyEntries).Where(call => !allowed.Contains(call)))
            {
                faults.Add($"{name}: the filter doesn't allow {call}, and {name} isn't said to be of a start alone");
            }
        }

        Assert.Empty(faults);
        Assert.True(functions > 60, "hardly a declaration was found: does the test still look in the right place?");
        Assert.DoesNotContain(AtStart, name => allowed.Contains(name));
    }

    /// <summary>Calls that are made by their number.</summary>
    [Fact]
    public void EachNumberOfTheRoomLinuxIsAllowedOrOfAStartAlone()
    {
        string[] atStart = ["pidfd_open", "seccomp", "capset", "getdents64", "keyctl"];
        IEnumerable<string> names = Directory.EnumerateFiles(Path.Combine(FloorPlanTests.Engine, "Linux"), "*.cs")
            .SelectMany(file => Number().Matches(File.ReadAllText(file)))
            .Select(match => match.Groups["name"].Value)
            .Distinct(StringComparer.Ordinal);
        HashSet<string> allowed = [.. SeccompRules.All(1).Where(rule => rule.IsAllowed).Select(rule => rule.Name), .. atStart];
        Assert.NotEmpty(names);
        Assert.DoesNotContain(names, name => !allowed.Contains(name));
    }

    [GeneratedRegex(@"\[LibraryImport\(""libc""[^\]]*\)\]\s+(?:internal|private) static partial [\w*]+ (?<name>\w+)\(")]
    private static partial Regex Declaration();

    [GeneratedRegex(@"\bint SYS_(?<name>\w+) =")]
    private static partial Regex Number();
}
