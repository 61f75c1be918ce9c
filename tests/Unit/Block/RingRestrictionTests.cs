using Strato.Engine.Linux;
using Xunit;

namespace Strato.Tests.Unit.Block;

/// <summary>The filter of system calls doesn't see what a ring of io_uring does: the kernel holds the ring to a disk's three operations.</summary>
public sealed unsafe class RingRestrictionTests
{
    private const uint IORING_UNREGISTER_EVENTFD = 5;
    private const uint IORING_REGISTER_PROBE = 8;
    private const int Operations = 40; // those of Linux 5.19, of which 5.10 has 37

    [Fact]
    public void ARingTakesReadsWritesAndFsyncAlone()
    {
        using FileDescriptor signal = Libc.CreateEventFd();
        using FileDescriptor file = Libc.CreateMemoryFile("strato-ring\0"u8);
        using IoUring ring = Ring(signal);
        for (int operation = 0; operation < Operations; operation++)
        {
            bool allowed = operation is Libc.IORING_OP_READV or Libc.IORING_OP_WRITEV or Libc.IORING_OP_FSYNC;
            int result = Do(ring, (byte)operation, file.Value);

            // One that the kernel doesn't know yet is EINVAL.
            Assert.True(allowed ? result == 0 : result == -Errno.EACCES || (operation >= 37 && result == -Errno.EINVAL), $"operation {operation}: {result}");
        }
    }

    [Fact]
    public void NothingMoreIsRegisteredAtARing()
    {
        using FileDescriptor signal = Libc.CreateEventFd();
        using IoUring ring = Ring(signal);
        int eventFd = signal.Value;
        foreach (uint what in (uint[])[Libc.IORING_REGISTER_EVENTFD, IORING_UNREGISTER_EVENTFD, IORING_REGISTER_PROBE, Libc.IORING_REGISTER_RESTRICTIONS])
        {
            Assert.Equal(-1, Libc.syscall(Libc.SYS_io_uring_register, ring.Descriptor, (nint)what, (nint)(&eventFd), 1, 0, 0));
            Assert.Equal(Errno.EACCES, Errno.Last);
        }
    }

    private static IoUring Ring(FileDescriptor signal)
    {
        try
        {
            IoUring ring = new(8, signal.Value);
            Assert.SkipUnless(ring.IsRestricted, "rings can be restricted from Linux 5.10 on");
            return ring;
        }
        catch (LinuxException error)
        {
            Assert.Skip($"no io_uring here: {error.Message}");
            throw;
        }
    }

    private static int Do(IoUring ring, byte operation, int fd)
    {
        Assert.True(ring.TryQueue(operation, fd, 0, 0, 0, 0, operation));
        Assert.True(ring.Enter(1));
        Assert.True(ring.TryTake(out ulong number, out int result));
        Assert.Equal(operation, number);
        return result;
    }
}
