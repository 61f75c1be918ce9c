using System;
using System.IO;
using System.Text;
using Strato.Engine.Chardev;
using Strato.Engine.Linux;
using Strato.Protocol;
using Xunit;

namespace Strato.Tests.Unit.Chardev;

public sealed class ConsoleLogTests : IDisposable
{
    private readonly TestLoop _test = new();

    public void Dispose() => _test.Dispose();

    [Fact]
    public void TheLogHoldsTheBytesOfThisLifeAlone()
    {
        File.WriteAllText(_test.Path("log"), "of a former life");
        using ConsoleBackend console = new(_test.Loop, null, _test.Path("log"), "-serial");
        TestGuest guest = new(console);
        guest.Print("hello");
        _test.Until(() => File.ReadAllText(_test.Path("log")) == "hello", "the log is written");

        using ConsoleBackend other = new(_test.Loop, null, _test.Path("new"), "-serial");
        Assert.Equal(0, Libc.LinkStat(_test.Path("new"), out Libc.statx_t status));
        Assert.Equal(0x180, status.stx_mode & 0x1FF);
    }

    [Fact]
    public void AFullDiskNeverStopsTheGuestNorTheLoop()
    {
        using ConsoleBackend console = new(_test.Loop, null, "/dev/full", "-serial");
        TestGuest guest = new(console);
        for (int i = 0; i < 100; i++)
        {
            guest.Print(new string('x', 100_000));
            _test.Loop.RunOnce(0);
        }

        _test.Settle();
        console.Flush(TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void WhenThereIsRoomAgainTheLogGoesOnAndSaysWhatIsMissing()
    {
        // A pipe that nobody empties stands for the disk that is full.
        using TestPeer disk = Pipe(out FileDescriptor input);
        ConsoleRing ring = new(1024);
        using ConsoleLog log = new(_test.Loop, ring, input, "log");
        int filled = 0;
        byte[] line = Encoding.UTF8.GetBytes(new string('a', 511) + "\n");
        while (filled < 1024 * 1024)
        {
            ring.Write(line);
            log.Append();
            filled += line.Length;
        }

        string before = disk.Text;
        Assert.True(before.Length < filled);
        ring.Write("the end\n"u8);
        log.Append();
        Assert.Equal(before, disk.Text);
        log.Flush();
        string added = disk.Text[before.Length..];
        long missing = filled + 8 - 1024 - before.Length;
        Assert.StartsWith($"\n[strato: {missing} bytes of output are missing here]\n", added);
        Assert.EndsWith("\nthe end\n", added);

        // And from here on as ever.
        ring.Write("more"u8);
        log.Append();
        Assert.EndsWith("the end\nmore", disk.Text);
    }

    [Fact]
    public void WritingIsTriedAgainByItself()
    {
        using TestPeer disk = Pipe(out FileDescriptor input);
        ConsoleRing ring = new(1024 * 1024);
        using ConsoleLog log = new(_test.Loop, ring, input, "log");
        ring.Write(new byte[300_000]);
        log.Append();
        disk.Pull();
        int before = disk.Received.Count;
        Assert.True(before < 300_000);
        _test.Until(() => { disk.Pull(); return disk.Received.Count > before; }, "a second try");
    }

    [Theory]
    [InlineData("missing/log", "No such file or directory")]
    [InlineData(".", "Is a directory")]
    public void AFileThatCantBeOpenedIsNamed(string name, string reason)
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => new FileBackend(_test.Loop, _test.Path(name), "-serial file"));
        Assert.Equal("SerialFileFailed", error.Id);
        Assert.Equal($"The file '{_test.Path(name)}' can't be opened for output: {reason}.", error.Message);
        Assert.Equal("-serial file", error.Where);
    }

    [Fact]
    public void AFullFileIsKeptOnceAndAFreshOneBegins()
    {
        ConsoleRing ring = new(1024);
        string path = _test.Path("log");
        using ConsoleLog log = new(_test.Loop, ring, FileBackend.Open(path, "-serial", 0x180, out _), path, limit: 100);
        for (int i = 0; i < 3; i++)
        {
            ring.Write(Encoding.UTF8.GetBytes(new string((char)('a' + i), 100)));
            log.Append();
        }

        ring.Write("d"u8);
        log.Append();
        Assert.Equal("[strato: from byte 200 on; what was before is in the file .1]\n" + new string('c', 100), File.ReadAllText(path + ".1"));
        Assert.Equal("[strato: from byte 300 on; what was before is in the file .1]\nd", File.ReadAllText(path));
        Assert.Equal(0, Libc.LinkStat(path, out Libc.statx_t status));
        Assert.Equal(0x180, status.stx_mode & 0x1FF);
    }

    [Fact]
    public void AFileThatCantBeRenamedIsEmptied()
    {
        // A path that isn't the file's any more: somebody has moved it, or it was a link from the beginning.
        ConsoleRing ring = new(1024);
        string path = _test.Path("log");
        string real = _test.Path("real");
        File.CreateSymbolicLink(path, real);
        using ConsoleLog log = new(_test.Loop, ring, FileBackend.Open(path, "-serial", 0x180, out _), path, limit: 100);
        ring.Write(Encoding.UTF8.GetBytes(new string('a', 100)));
        log.Append();
        ring.Write("b"u8);
        log.Append();
        Assert.Equal("[strato: from byte 100 on; what was before has been dropped]\nb", File.ReadAllText(real));
        Assert.False(File.Exists(path + ".1"));
    }

    [Fact]
    public void ADeviceHasNoLimit()
    {
        using TestPeer device = Pipe(out FileDescriptor input);
        ConsoleRing ring = new(1024);
        using ConsoleLog log = new(_test.Loop, ring, input, "log", limit: 2);
        ring.Write("one"u8);
        log.Append();
        ring.Write("two"u8);
        log.Append();
        Assert.Equal("onetwo", device.Text);
    }

    [Theory]
    [InlineData("[strato: from byte 12 on; what was before is in the file .1]\nrest", 61, 12, true)]
    [InlineData("[strato: from byte 9223372036854775807 on; what was before has been dropped]\n", 77, long.MaxValue, false)]
    [InlineData("[strato: from byte 12 on; what was before is in the file .1]", null, 0, false)]
    [InlineData("[strato: from byte 99999999999999999999 on; what was before has been dropped]\n", null, 0, false)]
    [InlineData("[strato: from byte -1 on; what was before has been dropped]\n", null, 0, false)]
    [InlineData("[strato: from byte  on; what was before has been dropped]\n", null, 0, false)]
    [InlineData("[strato: from byte on; what was before has been dropped]\n", null, 0, false)]
    [InlineData("hello\n", null, 0, false)]
    [InlineData("", null, 0, false)]
    public void AMarkIsFound(string head, int? length, long offset, bool kept)
    {
        bool found = ConsoleLogMark.TryRead(Encoding.UTF8.GetBytes(head), out int bytes, out long at, out bool older);
        Assert.Equal(length is not null, found);
        if (found)
        {
            Assert.Equal((length!.Value, offset, kept), (bytes, at, older));
        }
    }

    internal static TestPeer Pipe(out FileDescriptor input)
    {
        (int read, int write) = OpenPipe();
        input = new FileDescriptor(write);
        return new TestPeer(new FileDescriptor(read));
    }

    internal static unsafe (int Read, int Write) OpenPipe()
    {
        int* ends = stackalloc int[2];
        Assert.Equal(0, Libc.pipe2(ends, Libc.O_CLOEXEC | Libc.O_NONBLOCK));
        return (ends[0], ends[1]);
    }
}
