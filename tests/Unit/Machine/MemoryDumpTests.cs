using System;
using System.Collections.Generic;
using System.IO;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.Engine.Memory;
using Strato.Tests.Unit.Chardev;
using Xunit;

namespace Strato.Tests.Unit.Machine;

/// <summary>A dump of memory: what stands in the file, and what is left of one that fails.</summary>
public sealed class MemoryDumpTests : IDisposable
{
    private const ulong Second = 16 << 20;

    private readonly TestLoop _test = new();
    private readonly List<string> _events = [];

    public void Dispose() => _test.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AllMemoryIsInTheFileAndZerosAreHoles(bool shared)
    {
        (ulong, ulong)[] ranges = [(0, 3 << 20), (Second, 5 << 20)];
        using GuestMemory memory = GuestMemory.Allocate(ranges, shared ? MemoryFile.Create(8 << 20) : null);
        byte[] page = new byte[4096];
        Random.Shared.NextBytes(page);
        ulong[] places = [0, (1 << 20) - 4096, (3 << 20) - 4096, Second + 4096, Second + (5 << 20) - 4096];
        foreach (ulong place in places)
        {
            Assert.True(memory.TryWrite(place, page));
        }

        int ended = 0;
        using MemoryDump dump = New(memory);
        string path = _test.Path("core");
        dump.Begin(Create(path), null, [], () => ended++);
        Assert.Equal((DumpState.Active, 0, 0), (dump.State, dump.Completed, ended));
        dump.GoOn();
        Assert.InRange(dump.Completed, 1, dump.Total - 1);
        _test.Until(() => !dump.IsActive, "the end of the dump");
        Assert.Equal((DumpState.Completed, 8 << 20, 1), (dump.State, dump.Completed, ended));
        Assert.Equal(["DUMP_COMPLETED {\"result\":{\"completed\":8388608,\"status\":\"completed\",\"total\":8388608}}"], _events);

        byte[] file = File.ReadAllBytes(path);
        Assert.Equal(4096 + (8 << 20), file.Length);
        byte[] expected = new byte[8 << 20];
        foreach (ulong place in places)
        {
            page.CopyTo(expected, (int)(place >= Second ? place - Second + (3 << 20) : place));
        }

        Assert.True(expected.AsSpan().SequenceEqual(file.AsSpan(4096)));
        using FileDescriptor written = new(Libc.Open(path, 0));
        Assert.Equal(0, Libc.Stat(written.Value, out Libc.statx_t status));
        Assert.InRange(status.stx_blocks * 512, 1UL, 1UL << 20);
        if (shared)
        {
            // What was only read has no page.
            Assert.Equal(0, Libc.Stat(memory.Regions[0].File, out status));
            Assert.Equal((ulong)places.Length * 8, status.stx_blocks);
        }
    }

    [Fact]
    public void OneThatCanNotBeWrittenFailsWithTheReasonAndLeavesNothingOfTheEngines()
    {
        using GuestMemory memory = GuestMemory.Allocate([(0, 2 << 20)]);
        memory.TryWrite(1 << 20, (ReadOnlySpan<byte>)[1]);
        using MemoryDump dump = New(memory);

        // A file that can't grow: as a full file system, at the first byte of memory or before.
        using MemoryFile full = MemoryFile.Create(4096);
        string path = _test.Path("core");
        File.WriteAllText(path, "");
        int ended = 0;
        dump.Begin(new FileDescriptor(Libc.fcntl(full.Descriptor, Libc.F_DUPFD_CLOEXEC, 0)), path, [], () => ended++);
        dump.Finish();
        Assert.Equal((DumpState.Failed, "Operation not permitted", 1), (dump.State, dump.Error, ended));
        Assert.Contains("\"error\":\"Operation not permitted\"", Assert.Single(_events), StringComparison.Ordinal);
        Assert.False(File.Exists(path));

        // The next may go well.
        dump.Begin(Create(path), path, [], () => ended++);
        dump.Finish();
        Assert.Equal((DumpState.Completed, null), (dump.State, dump.Error));
        Assert.True(File.Exists(path));
    }

    [Fact]
    public void OneThatIsCancelledEndsAtOnce()
    {
        using GuestMemory memory = GuestMemory.Allocate([(0, 8 << 20)]);
        using MemoryDump dump = New(memory);
        Assert.False(dump.Cancel());
        string path = _test.Path("core");
        dump.Begin(Create(path), path, [], () => { });
        dump.GoOn();
        Assert.True(dump.Cancel());
        _test.Settle();
        Assert.Equal((DumpState.Failed, "cancelled", 1), (dump.State, dump.Error, _events.Count));
        Assert.False(File.Exists(path));
        Assert.False(dump.Cancel());
    }

    private static FileDescriptor Create(string path) => new(Libc.Open(path, Libc.O_RDWR | Libc.O_CREAT, 0x180));

    private MemoryDump New(GuestMemory memory) => new(_test.Loop, memory) { EventRaised = told => _events.Add($"{told.Name} {told.Data}") };
}
