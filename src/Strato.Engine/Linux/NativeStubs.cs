using System;

namespace Strato.Engine.Linux;

/// <summary>Signal handlers in machine code. A managed handler aborts the process when it interrupts managed code; these don't touch the runtime.</summary>
/// <remarks>
/// x86-64. The kernel saves and restores every register around a handler, and returning goes through the C library's
/// restorer, so a handler may use any register and ends with <c>ret</c>.
/// </remarks>
internal static unsafe class NativeStubs
{
    private const int PageSize = 4096;

    /// <summary>A handler that only returns: the signal's whole effect is that a system call is interrupted.</summary>
    public static nint Return() => Place([0xC3]);

    /// <summary>A handler that writes the signal's number, 8 bytes, to <paramref name="fd"/> (a pipe).</summary>
    public static nint WriteSignalNumber(int fd)
    {
        ReadOnlySpan<byte> number = BitConverter.GetBytes(fd);
        return Place(
        [
            0x57,                                                           // push rdi          the signal's number
            0x48, 0x89, 0xE6,                                               // mov rsi, rsp
            0xBF, number[0], number[1], number[2], number[3],               // mov edi, fd
            0xBA, 0x08, 0x00, 0x00, 0x00,                                   // mov edx, 8
            0xB8, 0x01, 0x00, 0x00, 0x00,                                   // mov eax, 1        write
            0x0F, 0x05,                                                     // syscall
            0x5F,                                                           // pop rdi
            0xC3,                                                           // ret
        ]);
    }

    /// <summary>Sets a handler for the whole process; interrupted system calls return EINTR.</summary>
    public static void Install(int signal, nint handler)
    {
        Libc.sigaction_t action = new() { sa_handler = handler };
        if (Libc.sigaction(signal, &action, null) < 0)
        {
            throw LinuxException.Last($"sigaction({signal})");
        }
    }

    /// <summary>A handler of SIGSYS that writes the number of the system call which a seccomp filter forbids, and ends the process with exit code 31.</summary>
    /// <param name="fd">Where the line goes: the log.</param>
    public static nint ReportForbiddenCall(int fd) => Place([.. SigsysStub.Code, .. BitConverter.GetBytes(fd)]);

    /// <summary>Puts code on a page of its own, never writable and executable at once. Handlers live as long as the process.</summary>
    private static nint Place(ReadOnlySpan<byte> code)
    {
        void* page = Libc.mmap(null, PageSize, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS, -1, 0);
        if (page == Libc.MAP_FAILED)
        {
            throw LinuxException.Last("mmap of a signal handler");
        }

        code.CopyTo(new Span<byte>(page, PageSize));
        return Libc.mprotect(page, PageSize, Libc.PROT_READ | Libc.PROT_EXEC) == 0
            ? (nint)page
            : throw LinuxException.Last("mprotect of a signal handler");
    }
}
