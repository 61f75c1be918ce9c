namespace Strato.Engine.Linux;

/// <summary><c>linux/fs.h</c>: questions to block devices.</summary>
internal static unsafe partial class Libc
{
    internal const uint BLKROGET = 0x125e;
    internal const uint BLKSSZGET = 0x1268;
    internal const uint BLKPBSZGET = 0x127b;
    internal const uint BLKGETSIZE64 = 0x80081272;
    internal const uint BLKDISCARD = 0x1277;
    internal const uint BLKZEROOUT = 0x127f;

    /// <summary>Bytes of a block device; throws <see cref="LinuxException"/> when the kernel can't say.</summary>
    internal static ulong GetBlockDeviceSize(int fd)
    {
        ulong size;
        return ioctl(fd, BLKGETSIZE64, &size) == 0 ? size : throw LinuxException.Last("ioctl(BLKGETSIZE64)");
    }

    /// <summary>BLKDISCARD or BLKZEROOUT of a range of bytes; -1 with errno on failure.</summary>
    internal static int ChangeBlockDeviceRange(int fd, uint request, ulong offset, ulong length)
    {
        ulong* range = stackalloc ulong[2] { offset, length };
        return ioctl(fd, request, range);
    }

    /// <summary>One of the questions that a 32-bit number answers; <paramref name="fallback"/> where the kernel can't say.</summary>
    internal static uint GetBlockDeviceNumber(int fd, uint question, uint fallback)
    {
        uint answer;
        return ioctl(fd, question, &answer) == 0 ? answer : fallback;
    }
}
