using System;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Text.Json;
using Strato.Engine.Virtio;
using Strato.Protocol.Configuration;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Qmp;

/// <summary>chardev-add and chardev-remove, and ports by device_add and device_del: QEMU's shape, an error of its own for each fault, with nothing half-added.</summary>
public sealed class ChardevCommandsTests : IDisposable
{
    private const string Done = """{"return":{}}""";

    private readonly QmpHarness _harness = new();
    private readonly TemporaryFile _path = new();
    private readonly TestClient _client;

    public ChardevCommandsTests() => _client = _harness.Connect();

    private ConsoleDevice Console => (ConsoleDevice)_harness.Machine.Board.Console.Device;

    public void Dispose()
    {
        _client.Dispose();
        _harness.Dispose();
        _path.Dispose();
    }

    [Fact]
    public void APortComesAndGoesAndItsSocketServesTheNext()
    {
        Assert.Equal(Done, Add("c", Socket(_path.Path)));
        Assert.Equal($"disconnected:unix:{_path.Path},server", Filename("c"));
        using Socket peer = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        peer.Connect(new UnixDomainSocketEndPoint(_path.Path));
        _harness.Machine.Board.Console.Run();
        Assert.Equal($"unix:{_path.Path},server", Filename("c"));
        for (int round = 0; round < 3; round++)
        {
            Assert.Equal(Done, AddPort("p", "c", ",\"name\":\"org.test.0\""));
            Assert.True(Assert.Single(Console.Ports).HasPeer);
            AssertError("The character device 'c' is in use by the port 'p'; device_del takes the port away.", Ask("chardev-remove", """{"id":"c"}"""));
            SeedExchangesTests.AssertEvent(
                """{"event":"DEVICE_DELETED","data":{"device":"p","path":"p"},"timestamp":{"seconds":S,"microseconds":U}}""",
                Ask("device_del", """{"id":"p"}"""));
            Assert.Equal(Done, _client.ReadLine());
            Assert.Empty(Console.Ports);
        }

        Assert.Equal(Done, Ask("chardev-remove", """{"id":"c"}"""));
        Assert.False(File.Exists(_path.Path));
        Assert.Equal(0, peer.Receive(new byte[1]));
        AssertError("Character device 'c' not found; chardev-add adds one.", Ask("chardev-remove", """{"id":"c"}"""));
    }

    [Fact]
    public void APtysPathIsTold()
    {
        using JsonDocument reply = JsonDocument.Parse(Add("t", """{"type":"pty","data":{}}"""));
        string path = reply.RootElement.GetProperty("return").GetProperty("pty").GetString()!;
        Assert.Matches("^/dev/pts/[0-9]+$", path);
        Assert.Equal($"pty:{path}", Filename("t"));
        Assert.Equal(Done, AddPort("p", "t", ",\"nr\":2", "virtconsole"));
        Assert.Equal(2, Assert.Single(Console.Ports).Number);
        Assert.True(Console.Ports[0].IsConsole);
    }

    [Fact]
    public void AFileTakesOutput()
    {
        Assert.Equal(Done, Add("f", OutputFile(_path.Path)));
        Assert.True(File.Exists(_path.Path));
        AssertError($"The path '{_path.Path}' is in use by the character device 'f'.", Add("g", OutputFile(_path.Path)));
        AssertError($"The path '{_path.Path}' is in use by the character device 'f'.", Add("g", Socket(_path.Path)));
        Assert.Equal(Done, Add("n", """{"type":"null"}"""));
        Assert.Equal("null", Filename("n"));
    }

    [Theory]
    [InlineData("c", """{"type":"null"}""", "The id 'c' is that of another character device; ids are unique.")]
    [InlineData("ser", """{"type":"null"}""", "The id 'ser' is that of another character device; ids are unique.")]
    [InlineData("", """{"type":"null"}""", null)]
    [InlineData("n", """{"type":"stdio","data":{}}""", "Standard input and output are those of 'ser'; there is one of each.")]
    [InlineData("n", """{"type":"ringbuf","data":{}}""", "Parameter 'backend.type' is 'ringbuf'; allowed: socket, file, pty, stdio, null")]
    [InlineData("n", """{"type":"socket","data":{}}""", "Parameter 'backend.data.addr' is missing")]
    [InlineData("n", """{"type":"socket"}""", "Parameter 'backend.data.addr' is missing")]
    [InlineData("n", """{"type":"socket","data":{"addr":{"type":"inet","data":{"path":"/p"}}}}""", "Parameter 'backend.data.addr.type' is 'inet'; allowed: unix")]
    [InlineData("n", """{"type":"socket","data":{"addr":{"type":"unix","data":{"path":"/p"}},"server":false}}""", "Parameter 'backend.data.server' is false; a port's socket listens: allowed is true")]
    [InlineData("n", """{"type":"socket","data":{"addr":{"type":"unix","data":{"path":"/p"}},"wait":true}}""", "Parameter 'backend.data.wait' is true; the machine never waits for a client: allowed is false")]
    [InlineData("n", """{"type":"socket","data":{"addr":{"type":"unix","data":{"path":"/"}}}}""", "The socket path '/' exists; remove it if no running process uses it.")]
    [InlineData("n", """{"type":"socket","data":{"addr":{"type":"unix","data":{"path":""}}}}""", null)]
    [InlineData("n", """{"type":"file","data":{"out":"/"}}""", "The file '/' can't be opened for output: Is a directory.")]
    [InlineData("n", """{"type":"file","data":{}}""", "Parameter 'backend.data.out' is missing")]
    [InlineData("n", """{"type":"file","data":{"out":""}}""", null)]
    [InlineData("n", """{"type":"pty","data":{"out":"/p"}}""", "Parameter 'backend.data.out' doesn't go with type=pty")]
    [InlineData("n", """{"type":"file","data":{"out":"/p","wait":false}}""", "Parameter 'backend.data.wait' doesn't go with type=file")]
    public void WhatCantBeAddedIsNotThere(string id, string backend, string? description)
    {
        _harness.Machine.Ports.SetSerial(new SerialConfiguration(SerialBackend.Stdio) { Id = "ser" }, new FakeBackend());
        Assert.Equal(Done, Add("c", """{"type":"null"}"""));
        int before = _harness.Machine.Ports.Chardevs.Count;
        AssertError(description, Add(id, backend));
        Assert.Equal(before, _harness.Machine.Ports.Chardevs.Count);
    }

    [Theory]
    [InlineData("q", "none", "", "Character device 'none' not found; allowed: c, d.")]
    [InlineData("q", "c", "", "The character device 'c' is in use by the port 'p'; device_del takes the port away.")]
    [InlineData("q", "ser", "", "The character device 'ser' is in use by the serial port.")]
    [InlineData("p", "d", "", "The id 'p' is that of another device; ids are unique.")]
    [InlineData("rootfs", "d", "", "The id 'rootfs' is that of another device; ids are unique.")]
    [InlineData("q", "d", ",\"nr\":1", "Number 1 is that of the port 'p'; free: 2.")]
    [InlineData("q", "d", ",\"nr\":0", "Number 0 is out of range; allowed for a named port: 1 to 2, and free: 2. max_ports of virtio-serial-device keeps room for more.")]
    [InlineData("q", "d", ",\"nr\":3", "Number 3 is out of range; allowed for a named port: 1 to 2, and free: 2. max_ports of virtio-serial-device keeps room for more.")]
    [InlineData("q", "d", ",\"nr\":-1", "Number -1 is out of range; allowed for a named port: 1 to 2, and free: 2. max_ports of virtio-serial-device keeps room for more.")]
    [InlineData("q", "d", ",\"name\":\"name\"", "The name 'name' is that of the port 'p'; the guest finds a port by its name.")]
    [InlineData("q", "d", ",\"name\":\"\"", null)]
    [InlineData("q", "d", ",\"addr\":1", "Parameter 'addr' doesn't go with virtserialport")]
    public void WhatCantBePluggedInIsNotThere(string id, string chardev, string more, string? description)
    {
        _harness.Machine.Ports.SetSerial(new SerialConfiguration(SerialBackend.Stdio) { Id = "ser" }, new FakeBackend());
        Assert.Equal(Done, Add("c", """{"type":"null"}"""));
        Assert.Equal(Done, Add("d", """{"type":"null"}"""));
        Assert.Equal(Done, AddPort("p", "c", ",\"name\":\"name\""));
        AssertError(description, AddPort(id, chardev, more));
        Assert.Single(Console.Ports);
        AssertError("The character device 'ser' is in use by the serial port, which stays.", Ask("chardev-remove", """{"id":"ser"}"""));

        // What was refused is free still.
        Assert.Equal(Done, AddPort("q2", "d", ",\"nr\":2"));
        Assert.Equal(Done, Add("e", """{"type":"null"}"""));
        AssertError("No room for another port: there are 2, with room for the numbers 0 to 2, of which 0 is a terminal's. device_del makes room; max_ports of virtio-serial-device (at most 32) keeps more from the start.", AddPort("r", "e", ""));
    }

    [Fact]
    public void OthersTakeNoPortsArguments()
    {
        AssertError("Parameter 'nr' doesn't go with virtio-blk-mmio", Ask("device_add", """{"id":"d","driver":"virtio-blk-mmio","nr":1}"""));
        AssertError("Parameter 'chardev' doesn't go with host-x86-cpu", Ask("device_add", """{"id":"d","driver":"host-x86-cpu","cpu-id":1,"chardev":"c"}"""));
        AssertError("Parameter 'chardev' is missing", Ask("device_add", """{"id":"d","driver":"virtserialport"}"""));
    }

    private static string OutputFile(string path) => $$$"""{"type":"file","data":{"out":"{{{path}}}"}}""";

    private static string Socket(string path) => $$$"""{"type":"socket","data":{"addr":{"type":"unix","data":{"path":"{{{path}}}"}},"server":true,"wait":false}}""";

    private static void AssertError(string? description, string reply)
    {
        using JsonDocument document = JsonDocument.Parse(reply);
        JsonElement error = document.RootElement.GetProperty("error");
        Assert.Equal("GenericError", error.GetProperty("class").GetString());
        Assert.Equal(description ?? error.GetProperty("desc").GetString(), error.GetProperty("desc").GetString());
    }

    private string Add(string id, string backend) => Ask("chardev-add", $$"""{"id":"{{id}}","backend":{{backend}}}""");

    private string AddPort(string id, string chardev, string more, string driver = "virtserialport") =>
        Ask("device_add", $$"""{"id":"{{id}}","driver":"{{driver}}","chardev":"{{chardev}}"{{more}}}""");

    private string Ask(string command, string arguments) => _client.Ask($$"""{"execute":"{{command}}","arguments":{{arguments}} }""");

    private string Filename(string label)
    {
        using JsonDocument reply = JsonDocument.Parse(_client.Ask("""{"execute":"query-chardev"}"""));
        return reply.RootElement.GetProperty("return").EnumerateArray().Single(one => one.GetProperty("label").GetString() == label).GetProperty("filename").GetString()!;
    }
}
