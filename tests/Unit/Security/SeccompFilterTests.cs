using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Strato.Engine.Kvm;
using Strato.Engine.Linux;
using Strato.Engine.Security;
using Strato.Tests.Unit.Abi;
using Xunit;

namespace Strato.Tests.Unit.Security;

/// <summary>What the filters say of calls: by an interpreter of their programs, and against the C headers.</summary>
public class SeccompFilterTests
{
    private const int Process = 4711;

    private static readonly ThreadKinds[] Kinds = [ThreadKinds.Main, ThreadKinds.Vcpu, ThreadKinds.IoThread, ThreadKinds.Worker];

    public static TheoryData<string, string, int, ulong[], string> Calls => new()
    {
        { "KVM_RUN", "Main Vcpu", 16, [5, KvmAbi.KVM_RUN], "allow" },
        { "KVM_RUN elsewhere", "IoThread Worker", 16, [5, KvmAbi.KVM_RUN], "trap" },
        { "KVM_CREATE_VCPU", "Main", 16, [5, KvmAbi.KVM_CREATE_VCPU], "allow" },
        { "KVM_CREATE_VCPU elsewhere", "Vcpu IoThread Worker", 16, [5, KvmAbi.KVM_CREATE_VCPU], "trap" },
        { "KVM_SET_USER_MEMORY_REGION", "Main Vcpu IoThread Worker", 16, [5, KvmAbi.KVM_SET_USER_MEMORY_REGION], "trap" },
        { "TIOCSTI", "Main Vcpu IoThread Worker", 16, [0, 0x5412], "trap" },
        { "the kernel takes 32 bits of a request", "Main Vcpu", 16, [5, 0xffff_ffff_0000_0000 | KvmAbi.KVM_RUN], "allow" },
        { "BLKDISCARD", "Main Vcpu IoThread Worker", 16, [5, Libc.BLKDISCARD], "allow" },
        { "TCGETS2", "Main", 16, [0, 0x802c542a], "allow" },
        { "a page that may be written", "Main Vcpu IoThread Worker", 9, [0, 4096, 3, 0x22], "allow" },
        { "a page of code", "Main Vcpu IoThread Worker", 9, [0, 4096, 5, 0x22], "trap" },
        { "a page becomes code", "Main Vcpu IoThread Worker", 10, [0, 4096, 7], "trap" },
        { "a thread's stack", "Main Vcpu IoThread Worker", 10, [0, 4096, 3], "allow" },
        { "MADV_GUARD_INSTALL", "Main Vcpu IoThread Worker", 28, [0, 4096, 102], "allow" },
        { "MADV_MERGEABLE", "Main Vcpu IoThread Worker", 28, [0, 4096, 12], "trap" },
        { "socket AF_UNIX", "Main", 41, [1, 0x80801, 0], "allow" },
        { "socket AF_INET stream", "Main", 41, [2, 0x80801, 0], "trap" },
        { "socket AF_INET raw", "Main", 41, [2, 3, 1], "trap" },
        { "socket AF_NETLINK", "Main", 41, [16, 3, 0], "trap" },
        { "socket AF_PACKET", "Main", 41, [17, 1, 0], "trap" },
        { "any socket elsewhere", "Vcpu IoThread Worker", 41, [1, 1, 0], "trap" },
        { "openat", "Main", 257, [0, 0, 0], "allow" },
        { "openat elsewhere", "Vcpu IoThread Worker", 257, [0, 0, 0], "errno 13" },
        { "open", "Main Vcpu IoThread Worker", 2, [0, 0, 0], "trap" },
        { "execve", "Main Vcpu IoThread Worker", 59, [0, 0, 0], "trap" },
        { "execveat", "Main Vcpu IoThread Worker", 322, [0, 0, 0], "trap" },
        { "fork", "Main Vcpu IoThread Worker", 57, [], "trap" },
        { "vfork", "Main Vcpu IoThread Worker", 58, [], "trap" },
        { "clone3", "Main Vcpu IoThread Worker", 435, [0, 88], "errno 38" },
        { "a thread", "Main Vcpu IoThread", 56, [0x3d0f00], "allow" },
        { "a child", "Main Vcpu IoThread Worker", 56, [0x01200011], "trap" },
        { "a namespace", "Main Vcpu IoThread Worker", 56, [0x3d0f00 | 0x10000000], "trap" },
        { "tgkill of a thread", "Main Vcpu IoThread Worker", 234, [Process, 4712, 35], "allow" },
        { "tgkill of another process", "Main Vcpu IoThread Worker", 234, [1, 1, 9], "trap" },
        { "kill", "Main Vcpu IoThread Worker", 62, [1, 9], "trap" },
        { "a handler of SIGABRT", "Main Vcpu IoThread Worker", 13, [6, 1, 0, 8], "allow" },
        { "a handler of SIGSYS", "Main Vcpu IoThread Worker", 13, [31, 1, 0, 8], "trap" },
        { "one more filter", "Main Vcpu IoThread", 317, [1, 4, 0x1000], "allow" },
        { "one more filter of a worker", "Worker", 317, [1, 4, 0x1000], "trap" },
        { "a filter with another flag", "Main Vcpu IoThread", 317, [1, 5, 0x1000], "trap" },
        { "a filter by prctl", "Main Vcpu IoThread Worker", 157, [22, 2, 1], "trap" },
        { "a clock without vDSO", "Main Vcpu IoThread Worker", 228, [1, 0], "allow" },
        { "malloc grows the heap", "Main Vcpu IoThread Worker", 12, [0], "errno 0" },
        { "the C library's last words", "Main Vcpu IoThread Worker", 20, [2, 0, 3], "errno 38" },
        { "a timer of the kernel's", "Main Vcpu IoThread Worker", 283, [1, 0], "trap" },
        { "realloc of much", "Main Vcpu IoThread Worker", 25, [0, 1, 2, 1], "errno 12" },
        { "a child's end", "Main Vcpu", 424, [5, 9, 0, 0], "allow" },
        { "another signal", "Main Vcpu", 424, [5, 15, 0, 0], "trap" },
        { "strict mode", "Main Vcpu IoThread Worker", 157, [22, 1], "trap" },
        { "PR_SET_DUMPABLE", "Main Vcpu IoThread Worker", 157, [4, 1], "trap" },
        { "ptrace", "Main Vcpu IoThread Worker", 101, [0], "trap" },
        { "setuid", "Main Vcpu IoThread Worker", 105, [0], "trap" },
        { "bpf", "Main Vcpu IoThread Worker", 321, [0], "trap" },
        { "x32's write", "Main Vcpu IoThread Worker", 0x40000001, [1, 0, 0], "trap" },
        { "a lock", "Main", 72, [3, 37, 0], "allow" },
        { "F_SETOWN", "Main", 72, [3, 8, 1], "trap" },
        { "io_uring's eventfd", "Main", 427, [3, 4, 0, 1], "allow" },
        { "io_uring's restrictions", "Main", 427, [3, 11, 0, 3], "allow" },
        { "io_uring's begin", "Main", 427, [3, 12, 0, 0], "allow" },
        { "io_uring's registers elsewhere", "Vcpu IoThread Worker", 427, [3, 11, 0, 3], "trap" },
        { "a ring elsewhere", "Vcpu IoThread Worker", 425, [8, 0], "trap" },
        { "io_uring's buffers", "Main", 427, [3, 0, 0, 1], "trap" },
    };

    [Theory]
    [MemberData(nameof(Calls))]
    public void CallsHaveTheirVerdicts(string what, string kinds, int number, ulong[] arguments, string verdict)
    {
        foreach (ThreadKinds kind in Kinds.Where(kind => kinds.Split(' ').Contains(kind.ToString(), StringComparer.Ordinal)))
        {
            uint got = BpfInterpreter.Run(Filter(kind), Libc.AUDIT_ARCH_X86_64, number, arguments).Verdict;
            Assert.True(Describe(got) == verdict, $"{what} of {kind}: {Describe(got)}");
        }
    }

    [Fact]
    public void OtherArchitecturesEndTheProcess()
    {
        const uint I386 = 0x40000003;
        Assert.All(Kinds, kind => Assert.Equal("kill", Describe(BpfInterpreter.Run(Filter(kind), I386, 1, 0).Verdict)));
    }

    /// <summary>For all numbers that there are, and arguments of all kinds, the program says what the rules say by their words.</summary>
    [Fact]
    public void ProgramsSayWhatTheRulesSay()
    {
        Random random = new(1);
        foreach (ThreadKinds kind in Kinds)
        {
            List<SeccompRule> rules = SeccompRules.For(kind, SeccompRules.All(Process));
            Libc.sock_filter[] program = SeccompAssembler.Assemble(rules);
            uint[] values = [.. rules.SelectMany(rule => rule.Conditions).SelectMany(condition => condition.Values).Distinct()];
            for (int number = -1; number < 600; number++)
            {
                bool known = rules.Exists(rule => rule.Number == number);
                for (int round = 0; round < (known ? 300 : 2); round++)
                {
                    ulong[] arguments = [.. Enumerable.Range(0, 6).Select(_ => random.Next(4) switch
                    {
                        0 => (ulong)random.NextInt64(),
                        1 => values[random.Next(values.Length)] ^ (1UL << random.Next(34)),
                        _ => (ulong)values[random.Next(values.Length)],
                    })];
                    uint expected = Expected(rules, number, arguments);
                    uint got = BpfInterpreter.Run(program, Libc.AUDIT_ARCH_X86_64, number, arguments).Verdict;
                    Assert.True(expected == got, $"{kind}, call {number} ({string.Join(", ", arguments)}): {Describe(got)} instead of {Describe(expected)}");
                }
            }
        }
    }

    [Fact]
    public void TheCallOfARunningGuestIsDecidedAtOnce()
    {
        // Of the thread's filter, and the process's.
        Assert.All([ThreadKinds.Vcpu, ThreadKinds.Main], kind =>
            Assert.InRange(BpfInterpreter.Run(Filter(kind), Libc.AUDIT_ARCH_X86_64, 16, 5, KvmAbi.KVM_RUN).Steps, 1, 8));
    }

    [Fact]
    public void TheProcessMayDoWhatAnyThreadMay()
    {
        IEnumerable<SeccompRule> allowed = SeccompRules.All(Process).Where(rule => rule.IsAllowed);
        Assert.All(allowed, rule => Assert.Contains(SeccompRules.For(ThreadKinds.Main, SeccompRules.All(Process)), main => main.Name == rule.Name && main.Meaning == rule.Meaning));

        // Its threads make workers.
        Assert.All(allowed.Where(rule => rule.IsFor(ThreadKinds.Worker)), rule => Assert.True(rule.IsFor(ThreadKinds.IoThread) && rule.IsFor(ThreadKinds.Vcpu), rule.Name));
    }

    [Fact]
    public void NoThreadButMainMayOpenOrConnectAnything()
    {
        string[] main = ["openat", "open", "socket", "bind", "connect", "accept4", "execve", "unlink", "rename", "io_uring_setup"];
        foreach (ThreadKinds kind in Kinds.Where(kind => kind != ThreadKinds.Main))
        {
            Assert.DoesNotContain(SeccompRules.For(kind, SeccompRules.All(Process)), rule => rule.IsAllowed && main.Contains(rule.Name, StringComparer.Ordinal));
        }

        Assert.DoesNotContain(SeccompRules.All(Process), rule => rule.Name is "execve" or "execveat" or "fork" or "vfork" or "ptrace");
    }

    [Fact]
    public void NumbersAreThoseOfTheHeaders()
    {
        AbiProof proof = new("sys/syscall.h", "linux/seccomp.h", "linux/filter.h", "linux/audit.h", "linux/prctl.h", "signal.h", "stddef.h", "asm/termbits.h", "asm/ioctls.h", "linux/sockios.h");
        proof.Before("#define _GNU_SOURCE");
        foreach (SeccompRule rule in SeccompRules.All(Process))
        {
            proof.Equal($"__NR_{rule.Name}", rule.Number);
        }

        proof.Size<Libc.sock_filter>("struct sock_filter")
            .Field("struct sock_filter", "k", (ref Libc.sock_filter v) => ref v.k)
            .Size<Libc.sock_fprog>("struct sock_fprog")
            .Equal("SECCOMP_RET_KILL_PROCESS", Libc.SECCOMP_RET_KILL_PROCESS)
            .Equal("SECCOMP_RET_TRAP", Libc.SECCOMP_RET_TRAP)
            .Equal("SECCOMP_RET_ERRNO", Libc.SECCOMP_RET_ERRNO)
            .Equal("SECCOMP_RET_ALLOW", Libc.SECCOMP_RET_ALLOW)
            .Equal("SECCOMP_SET_MODE_FILTER", Libc.SECCOMP_SET_MODE_FILTER)
            .Equal("SECCOMP_FILTER_FLAG_TSYNC", Libc.SECCOMP_FILTER_FLAG_TSYNC)
            .Equal("SECCOMP_FILTER_FLAG_SPEC_ALLOW", Libc.SECCOMP_FILTER_FLAG_SPEC_ALLOW)
            .Equal("AUDIT_ARCH_X86_64", Libc.AUDIT_ARCH_X86_64)
            .Equal("BPF_LD | BPF_W | BPF_ABS", Libc.BPF_LD_W_ABS)
            .Equal("BPF_JMP | BPF_JEQ | BPF_K", Libc.BPF_JMP_JEQ_K)
            .Equal("BPF_ALU | BPF_AND | BPF_K", Libc.BPF_ALU_AND_K)
            .Equal("BPF_RET | BPF_K", Libc.BPF_RET_K)
            .Offset("struct seccomp_data", "nr", Libc.SeccompNumber)
            .Offset("struct seccomp_data", "arch", Libc.SeccompArchitecture)
            .Offset("struct seccomp_data", "args", Libc.SeccompArguments)
            .Equal("SIGSYS", Libc.SIGSYS)
            .Equal("SA_SIGINFO", Libc.SA_SIGINFO)
            .Equal("SA_ONSTACK", Libc.SA_ONSTACK)
            .Equal("PR_GET_NAME", Libc.PR_GET_NAME)
            .Equal("PR_SET_NO_NEW_PRIVS", Libc.PR_SET_NO_NEW_PRIVS)
            .Equal("PR_SET_VMA", Libc.PR_SET_VMA)
            .Equal("TCGETS", Libc.TCGETS)
            .Equal("TCSETS", Libc.TCSETS)
            .Equal("TCGETS2", Libc.TCGETS2)
            .Equal("TCSETS2", Libc.TCSETS2)
            .Equal("TIOCGPTN", Libc.TIOCGPTN)
            .Equal("TIOCSPTLCK", Libc.TIOCSPTLCK)
            .Equal("TIOCGPGRP", Libc.TIOCGPGRP)
            .Equal("SIOCGIFINDEX", Libc.SIOCGIFINDEX)
            .Equal("offsetof(siginfo_t, si_syscall)", 24)
            .Check();
    }

    /// <summary>The fewer calls, the less of the kernel is open to who takes the engine over: StratoVirt's microVM allows 60, of all its threads.</summary>
    [Fact]
    public void TheListsStayShort()
    {
        static int Count(ThreadKinds kind) => SeccompRules.For(kind, SeccompRules.All(Process)).Where(rule => rule.IsAllowed).Select(rule => rule.Name).Distinct(StringComparer.Ordinal).Count();
        int[] counts = [.. Kinds.Select(Count)];
        Assert.True(counts[0] < 60 && counts[1] <= 39 && counts[2] <= 39 && counts[3] <= 28, $"calls: {string.Join(", ", counts)}");
    }

    private static Libc.sock_filter[] Filter(ThreadKinds kind) => SeccompAssembler.Assemble(SeccompRules.For(kind, SeccompRules.All(Process)));

    private static uint Expected(List<SeccompRule> rules, int number, ulong[] arguments)
    {
        SeccompRule? first = rules.Find(rule => rule.Number == number && rule.Conditions.All(condition => IsTrue(condition, (uint)arguments[condition.Argument])));
        return first is null ? Libc.SECCOMP_RET_TRAP : first.IsAllowed ? Libc.SECCOMP_RET_ALLOW : Libc.SECCOMP_RET_ERRNO | (uint)first.Errno!;
    }

    private static bool IsTrue(SeccompCondition condition, uint argument) => condition.Test switch
    {
        SeccompTest.IsOneOf => condition.Values.Contains(argument & condition.Mask),
        SeccompTest.IsNoneOf => !condition.Values.Contains(argument & condition.Mask),
        _ => (argument & condition.Values[0]) == 0,
    };

    private static string Describe(uint verdict) => (verdict & 0xffff0000) switch
    {
        Libc.SECCOMP_RET_ALLOW => "allow",
        Libc.SECCOMP_RET_TRAP => "trap",
        Libc.SECCOMP_RET_KILL_PROCESS => "kill",
        Libc.SECCOMP_RET_ERRNO => $"errno {verdict & 0xffff}",
        _ => throw new InvalidDataException($"0x{verdict:x}"),
    };
}
