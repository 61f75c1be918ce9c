using System;
using System.Collections.Generic;
using System.Text;
using System.Text.Json;
using Strato.Engine.Cli;
using Strato.Engine.Linux;
using Strato.Protocol;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Qmp;

/// <summary>add-fd, remove-fd and query-fdsets, and <c>/dev/fdset/N</c> where files are opened. Sets are the process's own, so the tests have numbers of their own.</summary>
[Collection("FileSets")]
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
        Assert.Contains("\"file\":\"/dev/fdset/7\"", _client.Ask("""{"execute":"query-block"}"""), StringComparison.Ordinal);
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
        int fd = Libc.Open(_file.Path, Libc.O_RDWR);
        Options options = Options.Parse(["-kernel", "/k", "-add-fd", $"fd={fd},set=3,opaque=root"]);
        options.TakePassedFiles();
        Assert.True(Libc.fcntl(fd, Libc.F_GETFL, 0) < 0, "what was passed is closed once it has been taken over");
        FileOfSet file = Assert.Single(FileSets.All[3]);
        Assert.Equal("root", file.Opaque);
        Assert.Equal(Done, Add("d", "/dev/fdset/3"));
    }

    [Theory]
    [InlineData("set=1", "InvalidOption", "'fd' is missing: fd=N")]
    [InlineData("fd=5", "InvalidOption", "'set' is missing: set=N")]
    [InlineData("fd=2,set=1", "InvalidOption", "'fd=2' can't be given away; allowed are descriptors from 3 on that are open.")]
    [InlineData("fd=5,set=-1", "InvalidOption", "'set=-1' is no number of a set; allowed are numbers from 0 on.")]
    [InlineData("fd=1048577,set=1", "DescriptorNotOpen", "The descriptor 1048577 isn't open; whoever starts the engine has to open it and let it be inherited.")]
    public void AFaultOfTheCommandLineIsNamed(string value, string id, string message)
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => Options.Parse(["-kernel", "/k", "-add-fd", value]).TakePassedFiles());
        Assert.Equal((id, message), (error.Id, error.Message));
        Assert.Empty(FileSets.All);
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
