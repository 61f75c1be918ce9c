using System;
using System.IO;
using System.Linq;
using System.Threading;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Engine.Snapshot;
using Strato.Protocol.Snapshots;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Snapshots;

/// <summary>The guest's memory on its way into a file.</summary>
public sealed class MemoryWriterTests : IDisposable
{
    private const int Mebibyte = 1 << 20;
    private const int Page = 4096;

    private static readonly (ulong, ulong)[] Ranges = [(0, 3 * Mebibyte), (16 * Mebibyte, (2 * Mebibyte) + (3 * Page))];
    private static readonly int Total = (5 * Mebibyte) + (3 * Page);

    private readonly TemporaryFile _file = new(123);

    public void Dispose() => _file.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void WhatIsntZerosIsWrittenAndAllIsSummed(bool shared)
    {
        using GuestMemory memory = Make(shared);
        byte[] expected = new byte[Total];
        Fill(0, 1, 5);
        Fill(Page, Page, 7);
        Fill((2 * Mebibyte) + 100, 3, 9);
        Fill((3 * Mebibyte) - Page, 2 * Page, 11);
        Fill(Total - 1, 1, 13);

        // A mebibyte of something, and beside it one of nothing.
        Fill((4 * Mebibyte) + 17, Mebibyte - 17, 17);
        (MemoryMap map, MemoryWriter writer) = Run(memory);
        byte[] file = File.ReadAllBytes(_file.Path);
        Assert.Equal(Total + MemoryMap.TrailerBytes, file.Length);
        Assert.True(file.AsSpan(0, Total).SequenceEqual(expected));
        Assert.Equal(Ranges, map.Ranges.Select(range => (range.Start, range.Length)));
        Assert.Equal(6, map.Checksums.Length);
        for (int chunk = 0; chunk < 6; chunk++)
        {
            Assert.Equal(Checksum.Of(expected.AsSpan(chunk * Mebibyte, Math.Min(Mebibyte, Total - (chunk * Mebibyte)))), map.Checksums[chunk]);
        }

        int pages = Enumerable.Range(0, Total / Page).Count(page => expected.AsSpan(page * Page, Page).ContainsAnyExcept((byte)0));
        Assert.Equal((Total, Total, pages * Page), (writer.Total, writer.Done, writer.Written));
        Assert.InRange(Allocated(), pages * Page, ((pages + 8) * Page) + (64 << 10));
        Assert.Equal(new Guid(7, 0, 0, new byte[8]), MemoryMap.IdOf(file.AsSpan(Total)));

        void Fill(int at, int count, byte value)
        {
            expected.AsSpan(at, count).Fill(value);
            for (int i = at; i < at + count; i++)
            {
                Assert.True(memory.TryWrite((ulong)(i < 3 * Mebibyte ? i : i + (13 * Mebibyte)), value));
            }
        }
    }

    /// <summary>Neither memory that nobody touched nor the file takes room.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void MemoryThatNobodyTouchedTakesNoRoom(bool shared)
    {
        MemoryFile? file = shared ? MemoryFile.Create((ulong)Total) : null;
        using GuestMemory memory = GuestMemory.Allocate(Ranges, file);
        (MemoryMap map, MemoryWriter writer) = Run(memory);
        Assert.Equal((Total, 0), (writer.Done, writer.Written));
        Assert.Equal(Checksum.OfZeros(Mebibyte), map.Checksums[0]);
        Assert.InRange(Allocated(), 0, 64 << 10);
        if (file is not null)
        {
            Assert.Equal(0, Libc.Stat(file.Descriptor, out Libc.statx_t status));
            Assert.Equal(0ul, status.stx_blocks);
        }
    }

    /// <summary>What a folder's file had before is gone, and no longer than what is saved.</summary>
    [Fact]
    public void WhatTheFileHeldBeforeIsGone()
    {
        File.WriteAllBytes(_file.Path, Enumerable.Repeat((byte)0xEE, Total + (1 << 20)).ToArray());
        using GuestMemory memory = Make(shared: false);
        _ = Run(memory);
        byte[] file = File.ReadAllBytes(_file.Path);
        Assert.Equal(Total + MemoryMap.TrailerBytes, file.Length);
        Assert.False(file.AsSpan(0, Total).ContainsAnyExcept((byte)0));
    }

    [Fact]
    public void WhatIsCancelledEnds()
    {
        using GuestMemory memory = Make(shared: false);
        using FileDescriptor file = Open();
        MemoryWriter writer = new(memory, file);
        writer.Prepare();
        writer.Cancel();
        Assert.Null(writer.Run(Guid.Empty));
        Assert.True(writer.IsCancelled);
        Assert.Equal(0, writer.Done);
    }

    /// <summary>The kernel tells an open file's write error once: who brings the rest to the disk afterwards hears nothing of it.</summary>
    [Fact]
    public void AnErrorOfTheDiskThatIsToldOnceIsntLost()
    {
        const ulong size = 12 << 20;
        using GuestMemory memory = GuestMemory.Allocate([(0, size)]);
        Assert.True(memory.TryGetSpan(0, (int)size, out Span<byte> all));
        all.Fill(3);
        using FileDescriptor file = Open();
        int calls = 0;
        MemoryWriter? writer = null;
        writer = new(memory, file)
        {
            ToDisk = fd =>
            {
                if (Interlocked.Increment(ref calls) > 1)
                {
                    return Libc.fdatasync(fd);
                }

                // While all the rest is written.
                SpinWait.SpinUntil(() => writer!.Done == writer.Total);
                return Errno.Fail(Errno.EIO);
            },
        };
        writer.Prepare();
        Thread sync = new(writer.Sync);
        sync.Start();
        Assert.Equal(Errno.EIO, Assert.Throws<LinuxException>(() => writer.Run(Guid.Empty)).Errno);
        writer.EndSync();
        sync.Join();
    }

    /// <summary>More than the disk may be behind: the two threads wait for each other and come to an end.</summary>
    [Fact]
    public void MuchMemoryIsBroughtToTheDiskMeanwhile()
    {
        const ulong size = 160 << 20;
        using GuestMemory memory = GuestMemory.Allocate([(0, size)]);
        Assert.True(memory.TryGetSpan(0, (int)size, out Span<byte> all));
        all.Fill(3);
        using FileDescriptor file = Open();
        MemoryWriter writer = new(memory, file);
        writer.Prepare();
        Thread sync = new(writer.Sync);
        sync.Start();
        Assert.NotNull(writer.Run(Guid.Empty));
        sync.Join();
        Assert.Equal((long)size, writer.Written);
    }

    /// <summary>Whoever ends both threads ends them, however far each is: the other's last word may not have come.</summary>
    [Fact]
    public void OneThatWaitsForTheDiskEndsWhenItIsCancelled()
    {
        const ulong size = 80 << 20;
        using GuestMemory memory = GuestMemory.Allocate([(0, size)]);
        Assert.True(memory.TryGetSpan(0, (int)size, out Span<byte> all));
        all.Fill(3);
        using FileDescriptor file = Open();
        MemoryWriter writer = new(memory, file);
        writer.Prepare();
        MemoryMap? map = new([], []);
        Thread run = new(() => map = writer.Run(Guid.Empty));
        run.Start();

        // Nobody brings it to the disk: it stops when that is far behind.
        Assert.True(SpinWait.SpinUntil(() => writer.Written > 64 << 20 && (run.ThreadState & ThreadState.WaitSleepJoin) != 0, TimeSpan.FromSeconds(60)));
        writer.Cancel();
        writer.EndSync();
        Assert.True(run.Join(TimeSpan.FromSeconds(60)));
        Assert.Null(map);
    }

    [Fact]
    public void TheMapIsReadAsItWasWritten()
    {
        MemoryMap map = new([(0, 3UL << 30), (1UL << 32, 1 << 20)], [.. Enumerable.Range(0, 3073).Select(i => (uint)i)]);
        MemoryMap read = MemoryMap.Parse(new StateFile(Guid.Empty, [map.ToSection()]));
        Assert.Equal(map.Ranges, read.Ranges);
        Assert.Equal(map.Checksums, read.Checksums);
        Assert.Equal((3L << 30) + (1 << 20), read.Size);
    }

    [Fact]
    public void ATrailerIsSomebodysOrNobodys()
    {
        Guid id = Guid.NewGuid();
        byte[] trailer = MemoryMap.Trailer(id);
        Assert.Equal(4096, trailer.Length);
        Assert.Equal(id, MemoryMap.IdOf(trailer));
        Assert.Null(MemoryMap.IdOf(trailer.AsSpan(0, 4095)));
        Assert.Null(MemoryMap.IdOf(new byte[4096]));
        for (int at = 0; at < trailer.Length; at++)
        {
            trailer[at] ^= 0x40;
            Assert.Null(MemoryMap.IdOf(trailer));
            trailer[at] ^= 0x40;
        }
    }

    private (MemoryMap Map, MemoryWriter Writer) Run(GuestMemory memory)
    {
        using FileDescriptor file = Open();
        MemoryWriter writer = new(memory, file);
        Assert.Equal((Total, 0, 0), (writer.Total, writer.Done, writer.Written));
        writer.Prepare();
        Thread sync = new(writer.Sync);
        sync.Start();
        MemoryMap? map = writer.Run(new Guid(7, 0, 0, new byte[8]));
        sync.Join();
        Assert.NotNull(map);
        return (map, writer);
    }

    private static GuestMemory Make(bool shared) => GuestMemory.Allocate(Ranges, shared ? MemoryFile.Create((ulong)Total) : null);

    private FileDescriptor Open() => new(Libc.Open(_file.Path, Libc.O_RDWR));

    private long Allocated()
    {
        using FileDescriptor file = Open();
        Assert.Equal(0, Libc.Stat(file.Value, out Libc.statx_t status));
        return (long)status.stx_blocks * 512;
    }
}
