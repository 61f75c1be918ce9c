using System;
using System.Collections.Generic;
using System.Text;
using System.Text.Json;
using Strato.Engine.Block;
using Strato.Engine.Boot;
using Strato.Engine.Cli;
using Strato.Engine.Linux;
using Strato.Protocol;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Qmp;

/// <summary>add-fd, remove-fd and query-fdsets, and <c>/dev/fdset/N</c> where files are opened. Sets are the process's own, so the tests have numbers of their own.</summary>
[Collection(nameof(FileSetCommandsTests))]
[CollectionDefinition(nameof(FileSetCommandsTests), DisableParallelization = true)]
public sealed class FileSetCommandsTests : IDisposable
{
    private const string Done = """{"return":{}}""";

    private readonly QmpHarness _harness = new();
    private readonly TemporaryFile _file = new(1 << 20);
    private readonly TestClient _client;

    public FileSetCommandsTests() => _client = _harness.Connect();

    public void Dispose()
    {
        _client.Dispose();
        _harness.Dispose();
        _file.Dispose();
        foreach (long set in new List<long>(FileSets.All.Keys))
        {
            _ = FileSets.Remove(set, null);
        }
    }

    [Fact]
    public void ADriveIsOpenedByADescriptorThatWasPassed()
    {
        Assert.Contains("No file descriptor supplied via SCM_RIGHTS", _client.Ask("""{"execute":"add-fd"}"""), StringComparison.Ordinal);
        int fd = Pass(Libc.O_RDWR, """{"fdset-id":7,"opaque":"disk"}""", out long set);
        Assert.Equal(7, set);
        Assert.Equal($$$"""{"return":[{"fds":[{"fd":{{{fd}}},"opaque":"disk"}],"fdset-id":7}]}""", _client.Ask("""{"execute":"query-fdsets"}"""));
        Assert.Equal(Done, Add("d", "/dev/fdset/7"));
        Assert.Equal(Done, _client.Ask("""{"execute":"device_add","arguments":{"id":"d","driver":"virtio-blk-mmio"}}"""));
        Assert.Equal((long)1 << 20, _harness.Machine.HotPlug.Drives[1].Length);

        // The set goes, and the drive keeps what it opened.
        Assert.Equal(Done, _client.Ask("""{"execute":"remove-fd","arguments":{"fdset-id":7}}"""));
        Assert.Equal("""{"return":[]}""", _client.Ask("""{"execute":"query-fdsets"}"""));
        Assert.Contains("\"file\":\"disk\"", _client.Ask("""{"execute":"query-block"}"""), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/dev/fdset/99", "drive 'd': '/dev/fdset/99' doesn't exist; give the path of an image or block device")]
    [InlineData("/dev/fdset/x", "drive 'd': '/dev/fdset/x' doesn't exist; give the path of an image or block device")]
    [InlineData("/dev/fdset/5", "drive 'd': '/dev/fdset/5' can't be opened for writing: permission denied")]
    public void APathThatNoDescriptorFitsIsRefused(string path, string description)
    {
        _ = Pass(Libc.O_RDONLY, """{"fdset-id":5}""", out _);
        Assert.Contains(description, Add("d", path), StringComparison.Ordinal);
        Assert.Equal(Done, Add("d", "/dev/fdset/5", readOnly: true));
    }

    [Fact]
    public void OneOpenFileIsNotTwoDrivesThatWrite()
    {
        // Locks can't tell: both are of one open file.
        _ = Pass(Libc.O_RDWR, """{"fdset-id":6}""", out _);
        Assert.Equal(Done, Add("d", "/dev/fdset/6"));
        Assert.Contains("Drive 'e': '/dev/fdset/6' is the file of this machine's drive 'd'; a file is open once for writing, or several times read-only.", Add("e", "/dev/fdset/6"), StringComparison.Ordinal);
        Assert.Equal(Done, _client.Ask("""{"execute":"blockdev-del","arguments":{"node-name":"d"}}"""));
        Assert.Equal(Done, Add("e", "/dev/fdset/6"));
    }

    [Fact]
    public void ASetHoldsOneDescriptorForEachAccess()
    {
        int reading = Pass(Libc.O_RDONLY, """{"fdset-id":8}""", out _);
        int both = Pass(Libc.O_RDWR, """{"fdset-id":8}""", out _);
        Assert.Equal(Done, Add("d", "/dev/fdset/8"));
        Assert.Equal(Done, _client.Ask($$$"""{"execute":"remove-fd","arguments":{"fdset-id":8,"fd":{{{both}}}}}"""));
        Assert.Contains($"File descriptor named 'fdset-id:8, fd:{both}' not found; query-fdsets lists all", _client.Ask($$$"""{"execute":"remove-fd","arguments":{"fdset-id":8,"fd":{{{both}}}}}"""), StringComparison.Ordinal);
        Assert.Equal($$$"""{"return":[{"fds":[{"fd":{{{reading}}}}],"fdset-id":8}]}""", _client.Ask("""{"execute":"query-fdsets"}"""));
    }

    [Fact]
    public void WithoutANumberASetGetsTheFirstFreeAndStaysWhenItsClientGoes()
    {
        using (TestClient other = _harness.Connect())
        {
            _ = Pass(Libc.O_RDONLY, "{}", out long first, other);
            _ = Pass(Libc.O_RDONLY, "{}", out long second, other);
            Assert.Equal((0, 1), (first, second));
        }

        _harness.TurnUntil(() => _harness.Server.ClientCount == 1, "the client's end");
        Assert.Equal(2, FileSets.All.Count);
        Assert.Contains("Parameter 'fdset-id' is -1; allowed are numbers from 0 on", _client.Ask("""{"execute":"add-fd","arguments":{"fdset-id":-1}}"""), StringComparison.Ordinal);
    }

    [Fact]
    public void TheCommandLineGivesASet()
    {
        int fd = Inherited();
        Options options = Options.Parse(["-kernel", "/k", "-add-fd", $"fd={fd},set=3,opaque=root"]);
        FileSetOption.Take(options);

        // It is the set's own, and no program's that the engine starts.
        Assert.Equal(Libc.FD_CLOEXEC, Libc.fcntl(fd, Libc.F_GETFD, 0));
        FileOfSet file = Assert.Single(FileSets.All[3]);
        Assert.Equal("root", file.Opaque);
        Assert.Equal(Done, Add("d", "/dev/fdset/3"));
    }

    [Fact]
    public void WhatTheMachineAloneNeedsIsClosedWhenItIsBuilt()
    {
        int kept = Inherited(), left = Inherited();
        Options options = Options.Parse(["-kernel", "/k", "-add-fd", $"fd={kept},set=2,keep=on", "-add-fd", $"fd={left},set=2,opaque=/the/disk,keep=off"]);
        Assert.Equal([kept, left], FileSetOption.Named(options));
        FileSetOption.Take(options);
        Assert.Equal(Done, Add("d", "/dev/fdset/2"));
        FileSetOption.Leave(options);
        Assert.Equal(kept, Assert.Single(FileSets.All[2]).File.Value);
        Assert.True(Libc.fcntl(left, Libc.F_GETFD, 0) < 0);
        Assert.Equal(Done, _client.Ask("""{"execute":"device_add","arguments":{"id":"d","driver":"virtio-blk-mmio"}}"""));
        Assert.Contains("\"file\":\"/the/disk\"", _client.Ask("""{"execute":"query-block"}"""), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AFileIsCalledWhatItsGiverCallsIt(bool snapshot)
    {
        FileSetOption.Take(Options.Parse(["-kernel", "/k", "-add-fd", $"fd={Inherited()},set=4,opaque=/the/disk"]));
        DriveOptions drive = new("d", "/dev/fdset/4") { Snapshot = snapshot };
        using (DiskImage image = DiskOpener.Open(drive))
        {
            Assert.Equal("/the/disk", image.Path);
            Assert.StartsWith("drive 'd': '/the/disk' is open ", Assert.Throws<UserErrorException>(() => DiskOpener.Open(drive with { Snapshot = false })).Message, StringComparison.Ordinal);
        }

        // A descriptor for reading alone; then one of a file that isn't a disk's size.
        _ = FileSets.Remove(4, null);
        using TemporaryFile odd = new(5);
        _ = FileSets.Add(new FileDescriptor(Libc.Open(odd.Path, Libc.O_RDONLY)), 4, "/odd");
        Assert.StartsWith("drive 'd': '/odd' can't be opened for writing", Assert.Throws<UserErrorException>(() => DiskOpener.Open(drive with { Snapshot = false })).Message, StringComparison.Ordinal);
        Assert.StartsWith("drive 'd': '/odd' has 5 bytes", Assert.Throws<UserErrorException>(() => DiskOpener.Open(drive with { Snapshot = true })).Message, StringComparison.Ordinal);
        using ImageFile kernel = ImageFile.Open("/dev/fdset/4", ImageRole.Kernel, "-kernel");
        Assert.Equal("/odd", kernel.Name);
        _ = FileSets.Remove(4, null);
        _ = FileSets.Add(new FileDescriptor(Libc.Open(odd.Path, Libc.O_WRONLY)), 4, "/odd");
        UserErrorException error = Assert.Throws<UserErrorException>(() => ImageFile.Open("/dev/fdset/4", ImageRole.Kernel, "-kernel"));
        Assert.Equal(("KernelNotReadable", "kernel '/odd' can't be opened: Permission denied"), (error.Id, error.Message));
    }

    [Fact]
    public void TheFileForADisksChangesCanBePassed()
    {
        _ = Pass(Libc.O_RDONLY, """{"fdset-id":0,"opaque":"/the/disk"}""", out _);
        using TemporaryFile changes = new(0);
        FileDescriptor both = new(Libc.Open(changes.Path, Libc.O_RDWR));
        _ = FileSets.Add(both, 1, "/changes");
        Assert.Equal(Done, Node("d", 1));
        Assert.Equal(1 << 20, new System.IO.FileInfo(changes.Path).Length);

        // It has something to lose now; and so has the image.
        Assert.Contains("drive 'e': '/the/disk' can't have its changes in '/changes': it isn't an empty regular file", Node("e", 1), StringComparison.Ordinal);
        Assert.Contains("drive 'e': '/the/disk' can't have its changes in '/the/disk': it can't be opened for both: Permission denied", Node("e", 0), StringComparison.Ordinal);
        Assert.Contains("it can't be opened for both: No such file", Node("e", 9), StringComparison.Ordinal);
        using TemporaryFile other = new(0);
        _ = FileSets.Add(new FileDescriptor(Libc.Open(other.Path, Libc.O_RDONLY)), 2, null);
        Assert.Contains("'/dev/fdset/2': it can't be opened for both: Permission denied", Node("e", 2), StringComparison.Ordinal);
        Assert.Contains(
            "Parameter 'snapshot-file' goes with snapshot=true and read-only=false alone",
            _client.Ask("""{"execute":"blockdev-add","arguments":{"node-name":"e","file":{"filename":"/dev/fdset/0"},"snapshot":false,"snapshot-file":"/dev/fdset/2"}}"""),
            StringComparison.Ordinal);
        Assert.Equal(Done, _client.Ask("""{"execute":"blockdev-del","arguments":{"node-name":"d"}}"""));

        // What was refused is closed: the image has no readers left.
        _ = Pass(Libc.O_RDWR, """{"fdset-id":3}""", out _);
        Assert.Equal(Done, Add("w", "/dev/fdset/3"));

        string Node(string name, int set) => _client.Ask(
            $$$"""{"execute":"blockdev-add","arguments":{"node-name":"{{{name}}}","file":{"filename":"/dev/fdset/0"},"snapshot":true,"snapshot-file":"/dev/fdset/{{{set}}}"}}""");
    }

    [Fact]
    public void AFileForADisksChangesThatCanNotGrowIsNamed()
    {
        _ = Pass(Libc.O_RDONLY, """{"fdset-id":0,"opaque":"/the/disk"}""", out _);
        FileDescriptor changes = Libc.CreateMemoryFile("changes\0"u8, Libc.MFD_ALLOW_SEALING);
        Assert.Equal(0, Libc.fcntl(changes.Value, Libc.F_ADD_SEALS, Libc.F_SEAL_GROW));
        _ = FileSets.Add(changes, 1, "/changes");
        string answer = _client.Ask("""{"execute":"blockdev-add","arguments":{"node-name":"d","file":{"filename":"/dev/fdset/0"},"snapshot":true,"snapshot-file":"/dev/fdset/1"}}""");
        Assert.Contains("drive 'd': '/the/disk' can't have snapshot=on: ftruncate of the file for a snapshot's changes: ", answer, StringComparison.Ordinal);
        Assert.Contains("; they were to go to '/changes'", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("TMPDIR", answer, StringComparison.Ordinal);
    }

    [Fact]
    public void AFileForADisksChangesLosesItsDirectAccess()
    {
        using TemporaryFile changes = new(0);
        int fd = Libc.Open(changes.Path, Libc.O_RDWR | Libc.O_DIRECT);
        Assert.SkipWhen(fd < 0, "the folder for temporary files has no O_DIRECT here");
        using FileDescriptor file = new(fd);
        Assert.Null(DiskOpener.FaultOfChanges(fd));
        Assert.Equal(0, Libc.fcntl(fd, Libc.F_GETFL, 0) & Libc.O_DIRECT);
    }

    [Theory]
    [InlineData("set=1", "InvalidOption", "'fd' is missing: fd=N")]
    [InlineData("fd=5", "InvalidOption", "'set' is missing: set=N")]
    [InlineData("fd=2,set=1", "InvalidOption", "'fd=2' can't be given away; allowed are descriptors from 3 on that are open.")]
    [InlineData("fd=5,set=-1", "InvalidOption", "'set=-1' is no number of a set; allowed are numbers from 0 on.")]
    [InlineData("fd=5,set=1 -add-fd fd=5,set=2", "InvalidOption", "'fd=5' is given twice; a descriptor belongs to one set.")]
    [InlineData("fd=5,set=1,keep=never", "InvalidOption", "'keep=never' is neither on nor off; allowed: on, off, true, false, yes, no.")]
    [InlineData("fd=1048577,set=1", "DescriptorNotOpen", "The descriptor 1048577 isn't open; whoever starts the engine has to open it and let it be inherited.")]
    public void AFaultOfTheCommandLineIsNamed(string value, string id, string message)
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => FileSetOption.Take(Options.Parse(["-kernel", "/k", "-add-fd", .. value.Split(' ')])));
        Assert.Equal((id, message), (error.Id, error.Message));
        Assert.Empty(FileSets.All);
    }

    [Fact]
    public void ADescriptorOfAnotherOptionOrOfTheEngineIsRefused()
    {
        int fd = Libc.Open(_file.Path, Libc.O_RDWR);
        using FileDescriptor owned = new(fd);
        UserErrorException error = Assert.Throws<UserErrorException>(() => FileSetOption.Take(Options.Parse(["-kernel", "/k", "-add-fd", $"fd={fd},set=1"])));
        Assert.Equal("DescriptorNotOpen", error.Id);
        Assert.Equal(0, Libc.fcntl(fd, Libc.F_SETFD, 0));
        foreach (string[] other in new[] { new[] { "-ready-fd", $"{fd}" }, ["-netdev", $"tap,id=n,fd={fd}"] })
        {
            error = Assert.Throws<UserErrorException>(() => FileSetOption.Take(Options.Parse(["-kernel", "/k", "-add-fd", $"fd={fd},set=1", .. other])));
            Assert.Equal($"The descriptor {fd} is given to another option as well; it belongs to one.", error.Message);
        }

        Assert.Empty(FileSets.All);
    }

    [Fact]
    public void FlagsAndLocksAreTheOpenersOwn()
    {
        int fd = Pass(Libc.O_RDWR, """{"fdset-id":9}""", out _);
        Assert.Equal(Done, Add("d", "/dev/fdset/9"));
        Assert.Equal(Done, _client.Ask("""{"execute":"blockdev-del","arguments":{"node-name":"d"}}"""));

        // The set's descriptor is open for both, which serves a reader too; no lock of the writer's is left.
        Assert.Equal(Done, Add("r", "/dev/fdset/9", readOnly: true));
        Assert.Equal(Done, Add("s", "/dev/fdset/9", readOnly: true));
        int own = FileSets.Open("/dev/fdset/9", Libc.O_RDONLY | Libc.O_NONBLOCK);
        using FileDescriptor opened = new(own);
        Assert.Equal(0, Libc.fcntl(fd, Libc.F_GETFL, 0) & Libc.O_NONBLOCK);
        Assert.NotEqual(0, Libc.fcntl(own, Libc.F_GETFL, 0) & Libc.O_NONBLOCK);
    }

    [Fact]
    public void WhatCameWithARefusedRequestIsNotTheNextOnes()
    {
        using FileDescriptor first = new(Libc.Open("/dev/null", Libc.O_RDWR));
        foreach (string refused in new[] { """{"fdset-id":-1}""", """{"fdset-id":"x"}""" })
        {
            byte[] request = Encoding.UTF8.GetBytes($$"""{"execute":"add-fd","arguments":{{refused}}}""");
            Assert.Equal(request.Length, Libc.SendFiles((int)_client.Socket.Handle, request, [first.Value]));
            Assert.Contains("Parameter 'fdset-id'", _client.ReadLine(), StringComparison.Ordinal);
        }

        _ = Pass(Libc.O_RDWR, """{"fdset-id":4}""", out _);
        Assert.Equal(Done, Add("d", "/dev/fdset/4"));
        Assert.Contains("Parameter 'opaque' has 4096 characters; allowed are 4095", _client.Ask($$$"""{"execute":"add-fd","arguments":{"opaque":"{{{new string('o', 4096)}}}"}}"""), StringComparison.Ordinal);
    }

    [Fact]
    public void SetsHaveABound()
    {
        for (int i = 0; i < FileSets.MaxFiles; i++)
        {
            _ = Pass(Libc.O_RDONLY, """{"fdset-id":1}""", out _);
        }

        Assert.Contains("All sets together have 64 descriptors, which is the most; remove-fd closes one", _client.Ask("""{"execute":"add-fd"}"""), StringComparison.Ordinal);
    }

    /// <summary>A descriptor as whoever starts the engine leaves it.</summary>
    private int Inherited()
    {
        int fd = Libc.Open(_file.Path, Libc.O_RDWR);
        Assert.Equal(0, Libc.fcntl(fd, Libc.F_SETFD, 0));
        return fd;
    }

    private string Add(string node, string path, bool readOnly = false) => _client.Ask(
        $$$"""{"execute":"blockdev-add","arguments":{"node-name":"{{{node}}}","file":{"driver":"file","filename":"{{{path}}}"},"read-only":{{{(readOnly ? "true" : "false")}}}}}""");

    private int Pass(int flags, string arguments, out long set, TestClient? client = null)
    {
        client ??= _client;
        using FileDescriptor file = new(Libc.Open(_file.Path, flags));
        byte[] request = Encoding.UTF8.GetBytes($$"""{"execute":"add-fd","arguments":{{arguments}}}""");
        Assert.Equal(request.Length, Libc.SendFiles((int)client.Socket.Handle, request, [file.Value]));
        using JsonDocument reply = JsonDocument.Parse(client.ReadLine());
        JsonElement result = reply.RootElement.GetProperty("return");
        set = result.GetProperty("fdset-id").GetInt64();
        return result.GetProperty("fd").GetInt32();
    }
}
