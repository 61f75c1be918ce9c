using System;
using System.IO;
using System.Runtime.CompilerServices;
using Strato.Engine.Kvm;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Xunit;

namespace Strato.Tests.Unit.Memory;

/// <summary>A map that is given up twice must not take away what came to stand at its place: that ended engines by SIGSEGV.</summary>
public sealed unsafe class UnmapTests
{
    // Larger than what the runtime and the C library map by the way, so that only this test's map fits the gap.
    private const int Length = 64 << 20;

    [Fact]
    public void GuestMemoryUnmapsOnce()
    {
        GuestMemory memory = GuestMemory.Allocate([(0, Length)]);
        UnmapsOnce(memory, memory.Regions[0].HostAddress);
    }

    [Fact]
    public void AVcpuUnmapsOnce()
    {
        string path = Path.GetTempFileName();
        try
        {
            // Any file can stand in for a vCPU's descriptor here: it is only mapped.
            int fd = Libc.Open(path, Libc.O_RDWR);
            Assert.Equal(0, Libc.ftruncate(fd, Length));
            KvmVcpu vcpu = new(new FileDescriptor(fd), Length);
            UnmapsOnce(vcpu, (nint)Unsafe.AsPointer(ref vcpu.State));
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static void UnmapsOnce(IDisposable map, nint address)
    {
        map.Dispose();

        // A hint, not MAP_FIXED: if something did take the place, this map goes elsewhere, and the test tells nothing.
        void* other = Libc.mmap((void*)address, Length, Libc.PROT_NONE, Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | Libc.MAP_NORESERVE, -1, 0);
        try
        {
            Assert.SkipUnless((nint)other == address, "the place was taken by another map");
            map.Dispose();
            Assert.Equal(0, Libc.mprotect(other, Length, Libc.PROT_READ));
        }
        finally
        {
            _ = Libc.munmap(other, Length);
        }
    }
}
