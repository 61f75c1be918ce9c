using System.Collections.Generic;
using Strato.Engine.Kvm;
using Strato.Engine.Linux;

namespace Strato.Engine.Security;

/// <summary>The system calls that the engine's threads may make once the machine is built. What isn't here ends the process.</summary>
/// <remarks>
/// Calls that are made often come first. The engine's own are those of the room Linux, which a test compares with this table;
/// the others are the C library's and the runtime's: threads, memory, garbage collection, an end by a fault.
/// </remarks>
internal static class SeccompRules
{
    private const ThreadKinds Every = ThreadKinds.Every;
    private const ThreadKinds Devices = ThreadKinds.Devices;
    private const ThreadKinds Main = ThreadKinds.Main;
    private const ThreadKinds Loops = ThreadKinds.Main | ThreadKinds.IoThread;

    /// <summary>CLONE_VM, _FS, _FILES, _SIGHAND, _THREAD, _SYSVSEM, _SETTLS, _PARENT_SETTID, _CHILD_CLEARTID: a thread as pthread_create makes it.</summary>
    private const uint ThreadFlags = 0x3d0f00;

    /// <summary>Those of one kind of thread.</summary>
    /// <param name="kind">One kind.</param>
    /// <param name="all">The whole table.</param>
    public static List<SeccompRule> For(ThreadKinds kind, SeccompRule[] all)
    {
        List<SeccompRule> rules = new(all.Length);
        foreach (SeccompRule rule in all)
        {
            if (rule.IsFor(kind))
            {
                rules.Add(rule);
            }
        }

        return rules;
    }

    /// <summary>The whole table.</summary>
    /// <param name="process">This process's id, which signals may be sent to.</param>
    public static SeccompRule[] All(int process) =>
    [
        // What a running guest needs.
        new("ioctl", 16, ThreadKinds.Vcpu, OneOf(1, KvmAbi.KVM_RUN, KvmAbi.KVM_GET_REGS, KvmAbi.KVM_IRQ_LINE)) { Meaning = "KVM_RUN, KVM_GET_REGS, KVM_IRQ_LINE" },
        new("futex", 202, Every),
        new("write", 1, Every),
        new("read", 0, Every),
        new("epoll_wait", 232, Loops),
        new("preadv2", 327, Every),
        new("pwritev2", 328, Every),
        new("io_submit", 209, Devices),
        new("io_uring_enter", 426, Devices),
        new("recvmsg", 47, Devices),
        new("sendmsg", 46, Devices),
        new("madvise", 28, Every, OneOf(
            2, Libc.MADV_DONTNEED, Libc.MADV_REMOVE, MADV_FREE, Libc.MADV_HUGEPAGE, MADV_NOHUGEPAGE, Libc.MADV_DONTDUMP, MADV_DODUMP,
            Libc.MADV_POPULATE_WRITE, MADV_GUARD_INSTALL, MADV_GUARD_REMOVE))
        {
            Meaning = "DONTNEED, REMOVE, FREE, HUGEPAGE, NOHUGEPAGE, DONTDUMP, DODUMP, POPULATE_WRITE, GUARD_INSTALL, GUARD_REMOVE",
        },
        new("poll", 7, Devices),
        new("fdatasync", 75, Every),
        new("fallocate", 285, Every),
        new("epoll_ctl", 233, Devices),

        // A call only where the host's clock isn't read without one (hpet, acpi_pm).
        new("clock_gettime", 228, Every),
        new("ioctl", 16, Devices, OneOf(
            1, Libc.VHOST_SET_FEATURES, Libc.VHOST_SET_MEM_TABLE, Libc.VHOST_SET_VRING_NUM, Libc.VHOST_SET_VRING_BASE, Libc.VHOST_SET_VRING_ADDR,
            Libc.VHOST_SET_VRING_ERR, Libc.VHOST_SET_VRING_CALL, Libc.VHOST_SET_VRING_KICK, Libc.VHOST_GET_VRING_BASE,
            Libc.VHOST_NET_SET_BACKEND, Libc.VHOST_VSOCK_SET_RUNNING, Libc.TUNSETOFFLOAD, Libc.TUNSETQUEUE))
        {
            Meaning = "VHOST_SET_FEATURES, _SET_MEM_TABLE, _SET_VRING_NUM, _BASE, _ADDR, _ERR, _CALL, _KICK, _GET_VRING_BASE, VHOST_NET_SET_BACKEND, VHOST_VSOCK_SET_RUNNING, TUNSETOFFLOAD, TUNSETQUEUE",
        },
        new("ioctl", 16, Every, OneOf(1, Libc.BLKDISCARD, Libc.BLKZEROOUT)) { Meaning = "BLKDISCARD, BLKZEROOUT" },

        // Memory and threads, of the runtime's own and the C library's needs.
        new("mmap", 9, Every, NotExecutable(2)) { Meaning = "not PROT_EXEC" },
        new("mprotect", 10, Every, NotExecutable(2)) { Meaning = "not PROT_EXEC" },
        new("munmap", 11, Every),
        new("close", 3, Every),
        new("membarrier", 324, Every),
        new("sched_yield", 24, Every),
        new("clock_nanosleep", 230, Every),
        new("rt_sigreturn", 15, Every),
        new("rt_sigprocmask", 14, Every),
        new("rt_sigaction", 13, Every, new SeccompCondition(0, SeccompTest.IsNoneOf, [Libc.SIGSYS])) { Meaning = "not SIGSYS" },
        new("tgkill", 234, Every, OneOf(0, (uint)process)) { Meaning = "the engine's own threads" },
        new("getpid", 39, Every),
        new("gettid", 186, Every),
        new("sysinfo", 99, Every),
        new("prctl", 157, Every, OneOf(0, Libc.PR_SET_NAME, Libc.PR_GET_NAME, Libc.PR_SET_VMA)) { Meaning = "SET_NAME, GET_NAME, SET_VMA" },
        new("seccomp", 317, Devices, OneOf(0, Libc.SECCOMP_SET_MODE_FILTER), OneOf(1, Libc.SECCOMP_FILTER_FLAG_SPEC_ALLOW)) { Meaning = "one more filter" },
        new("clone", 56, Devices, OneOf(0, ThreadFlags)) { Meaning = "threads only" },
        new("rseq", 334, Every),
        new("exit", 60, Every),
        new("exit_group", 231, Every),

        // A folder's virtiofsd, which has to be gone before guest memory is used anew.
        new("wait4", 61, Main | ThreadKinds.Vcpu),
        new("pidfd_send_signal", 424, Main | ThreadKinds.Vcpu, OneOf(1, Libc.SIGKILL)) { Meaning = "SIGKILL" },
        new("shutdown", 48, Devices),

        // Hot-plug, consoles, QMP, the log: on the main loop.
        new("ioctl", 16, Main, OneOf(
            1, KvmAbi.KVM_IOEVENTFD, KvmAbi.KVM_IRQFD, KvmAbi.KVM_GET_CLOCK, KvmAbi.KVM_SET_CLOCK, KvmAbi.KVM_KVMCLOCK_CTRL,
            KvmAbi.KVM_CREATE_VM, KvmAbi.KVM_CHECK_EXTENSION, KvmAbi.KVM_GET_MSR_INDEX_LIST, KvmAbi.KVM_CREATE_VCPU, KvmAbi.KVM_CREATE_IRQCHIP,
            KvmAbi.KVM_CREATE_PIT2, KvmAbi.KVM_GET_IRQCHIP, KvmAbi.KVM_SET_IRQCHIP, KvmAbi.KVM_GET_PIT2, KvmAbi.KVM_SET_PIT2, KvmAbi.KVM_SET_CPUID2,
            KvmAbi.KVM_SET_REGS, KvmAbi.KVM_GET_SREGS, KvmAbi.KVM_SET_SREGS, KvmAbi.KVM_GET_MSRS, KvmAbi.KVM_SET_MSRS, KvmAbi.KVM_GET_LAPIC,
            KvmAbi.KVM_SET_LAPIC, KvmAbi.KVM_GET_MP_STATE, KvmAbi.KVM_SET_MP_STATE, KvmAbi.KVM_GET_VCPU_EVENTS, KvmAbi.KVM_SET_VCPU_EVENTS,
            KvmAbi.KVM_GET_DEBUGREGS, KvmAbi.KVM_SET_DEBUGREGS, KvmAbi.KVM_GET_XSAVE, KvmAbi.KVM_SET_XSAVE, KvmAbi.KVM_GET_XCRS,
            KvmAbi.KVM_SET_XCRS, KvmAbi.KVM_GET_NESTED_STATE, KvmAbi.KVM_SET_NESTED_STATE, KvmAbi.KVM_GET_STATS_FD, KvmAbi.KVM_NMI, KvmAbi.KVM_GET_TSC_KHZ, KvmAbi.KVM_SET_TSC_KHZ))
        {
            Meaning = "KVM: clock, ioeventfds, irqfds, a CPU that comes, an NMI, and all state that a reset sets",
        },
        new("ioctl", 16, Main, OneOf(
            1, Libc.BLKROGET, Libc.BLKSSZGET, Libc.BLKPBSZGET, Libc.BLKGETSIZE64, Libc.TUNSETIFF, Libc.TUNGETIFF, Libc.TUNSETSNDBUF,
            Libc.TUNSETVNETHDRSZ, Libc.SIOCGIFINDEX, Libc.VHOST_GET_FEATURES, Libc.VHOST_SET_OWNER, Libc.TCGETS, Libc.TCGETS2, Libc.TCSETS, Libc.TCSETS2,
            Libc.TIOCGPTN, Libc.TIOCSPTLCK, Libc.TIOCGPGRP))
        {
            Meaning = "BLKROGET, BLKSSZGET, BLKPBSZGET, BLKGETSIZE64, TUNSETIFF, TUNGETIFF, TUNSETSNDBUF, TUNSETVNETHDRSZ, SIOCGIFINDEX, VHOST_GET_FEATURES, VHOST_SET_OWNER, TCGETS, TCGETS2, TCSETS, TCSETS2, TIOCGPTN, TIOCSPTLCK, TIOCGPGRP",
        },
        new("openat", 257, Main),
        new("statx", 332, Main),
        new("fcntl", 72, Main, OneOf(
            1, Libc.F_GETFL, Libc.F_SETFL, Libc.F_GETFD, Libc.F_SETFD, Libc.F_DUPFD_CLOEXEC, Libc.F_OFD_SETLK, Libc.F_OFD_GETLK))
        {
            Meaning = "GETFL, SETFL, GETFD, SETFD, DUPFD_CLOEXEC, OFD_SETLK, OFD_GETLK",
        },
        new("ftruncate", 77, Main),
        new("rename", 82, Main),
        new("mkdir", 83, Main),
        new("unlink", 87, Main),
        new("dup3", 292, Main),
        new("eventfd2", 290, Main),
        new("socket", 41, Main, OneOf(0, Libc.AF_UNIX)) { Meaning = "AF_UNIX" },
        new("bind", 49, Main),
        new("listen", 50, Main),
        new("connect", 42, Main),
        new("accept4", 288, Main),
        new("getsockopt", 55, Main, OneOf(1, Libc.SOL_SOCKET), OneOf(2, Libc.SO_TYPE)) { Meaning = "SO_TYPE" },
        new("io_setup", 206, Main),
        new("io_destroy", 207, Main),
        new("io_uring_setup", 425, Main),
        new("io_uring_register", 427, Main, OneOf(
            1, Libc.IORING_REGISTER_EVENTFD, Libc.IORING_REGISTER_RESTRICTIONS, Libc.IORING_REGISTER_ENABLE_RINGS))
        {
            Meaning = "REGISTER_EVENTFD, _RESTRICTIONS, _ENABLE_RINGS",
        },

        // Asked for by the runtime and the C library, which do without.
        new("clone3", 435, Every) { Errno = Linux.Errno.ENOSYS, Meaning = "clone" },
        new("set_robust_list", 273, Every) { Errno = Linux.Errno.ENOSYS, Meaning = "no lock is shared with other processes" },
        new("sched_getaffinity", 204, Every) { Errno = Linux.Errno.ENOSYS, Meaning = "malloc(3) takes two CPUs for granted" },
        new("restart_syscall", 219, Every) { Errno = Linux.Errno.EINTR, Meaning = "a wait that a debugger or SIGSTOP interrupted begins anew" },
        new("newfstatat", 262, Every) { Errno = Linux.Errno.ENOSYS, Meaning = "buffers of fopen(3) have another size" },
        new("fstat", 5, Every) { Errno = Linux.Errno.ENOSYS, Meaning = "the same, of other C libraries" },
        new("lseek", 8, Every) { Errno = Linux.Errno.ESPIPE, Meaning = "fclose(3) leaves a file where it is" },
        new("access", 21, Main) { Errno = Linux.Errno.ENOENT, Meaning = "if_nametoindex(3) looks no further" },
        new("fchmod", 91, Main) { Errno = Linux.Errno.EPERM, Meaning = "sockets that come late: the umask keeps others out" },
        new("fsync", 74, Every) { Errno = Linux.Errno.EINVAL, Meaning = "a runtime's last words are written all the same" },
        new("brk", 12, Every) { Errno = 0, Meaning = "by its result the heap stays as it is: malloc(3) takes memory by mmap" },
        new("writev", 20, Every) { Errno = Linux.Errno.ENOSYS, Meaning = "the C library's last words before an abort are lost, the abort isn't" },
        new("mremap", 25, Every) { Errno = Linux.Errno.ENOMEM, Meaning = "realloc(3) copies" },
        new("pipe", 22, Every) { Errno = Linux.Errno.EPERM, Meaning = "a runtime that ends makes no dump by another program" },
        new("prlimit64", 302, Every) { Errno = Linux.Errno.EPERM, Meaning = "a garbage collection takes RLIMIT_AS for infinite" },
        new("openat", 257, Every & ~Main) { Errno = Linux.Errno.EACCES, Meaning = "sysinfo: a garbage collection looks at /proc/meminfo" },
    ];

    private const uint MADV_FREE = 8;
    private const uint MADV_NOHUGEPAGE = 15;
    private const uint MADV_DODUMP = 17;

    // Thread stacks of glibc 2.42 and later.
    private const uint MADV_GUARD_INSTALL = 102;
    private const uint MADV_GUARD_REMOVE = 103;

    private static SeccompCondition OneOf(int argument, params uint[] values) => new(argument, SeccompTest.IsOneOf, values);

    private static SeccompCondition NotExecutable(int argument) => new(argument, SeccompTest.HasNoneOf, [Libc.PROT_EXEC]);
}
