using System;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Qmp;

/// <summary>x-query-registers, inject-nmi, dump-guest-memory. The replies and events are held against the schema by the client.</summary>
public sealed class DebugCommandsTests : IDisposable
{
    private const string Done = """{"return":{}}""";

    private readonly QmpHarness _harness = new();
    private readonly TemporaryFile _file = new();
    private readonly TestClient _client;

    public DebugCommandsTests()
    {
        _client = _harness.Connect();
    }

    public void Dispose()
    {
        _client.Dispose();
        _harness.Dispose();
        _file.Dispose();
    }

    [Fact]
    public void RegistersAreTextsWithAllTheirBits()
    {
        JsonElement[] cpus = [.. Return(Ask("x-query-registers")).EnumerateArray()];
        Assert.Equal([0, 1], cpus.Select(cpu => cpu.GetProperty("CPU").GetInt32()));
        Assert.Equal(
            ("0xffffffff81000000", "0x7", "0xffff888000000000", "0x1000"),
            (Text(cpus[0], "rip"), Text(cpus[0], "rax"), Text(cpus[0], "kernel-gs-base"), Text(cpus[0], "cr3")));
        Assert.Equal(1, Assert.Single(Return(Ask("x-query-registers", """{"cpu-index":1}""")).EnumerateArray()).GetProperty("CPU").GetInt32());
        Assert.Equal("Parameter 'cpu-index' is 2; allowed are the machine's CPUs, 0, 1", Error(Ask("x-query-registers", """{"cpu-index":2}""")));
    }

    [Fact]
    public void AnNmiThatNobodyTakesIsAnError()
    {
        Assert.Equal(Done, Ask("inject-nmi"));
        _harness.Machine.NmiTakers = 0;
        Assert.StartsWith("No CPU takes an NMI", Error(Ask("inject-nmi")), StringComparison.Ordinal);
    }

    [Fact]
    public void AFileIsWrittenAtOnce()
    {
        _harness.Machine.Ram.TryWrite(4 << 20, (ReadOnlySpan<byte>)[1, 2, 3]);
        _client.Send($$$"""{"execute":"dump-guest-memory","arguments":{"paging":false,"protocol":"file:{{{_file.Path}}}","format":"elf"}}""");
        Assert.Contains("STOP", _client.ReadLine(), StringComparison.Ordinal);
        Assert.Contains("RESUME", _client.ReadLine(), StringComparison.Ordinal);
        Assert.Contains("DUMP_COMPLETED", _client.ReadLine(), StringComparison.Ordinal);
        Assert.Equal(Done, _client.ReadLine());
        byte[] dump = File.ReadAllBytes(_file.Path);
        Assert.Equal([1, 2, 3], dump[(4096 + (1 << 20))..][..3]);
        Assert.Equal("-rw-------", Mode(_file.Path));
        Assert.Equal("""{"completed":4194304,"status":"completed","total":4194304}""", Return(Ask("query-dump")).GetRawText());
        Assert.Equal(RunState.Running, _harness.Machine.State);
    }

    [Fact]
    public void ADescriptorIsWrittenInTheBackgroundAndCancelled()
    {
        Assert.Equal("""{"completed":0,"status":"none","total":0}""", Return(Ask("query-dump")).GetRawText());
        Assert.Equal("No dump of the guest's memory is under way", Error(Ask("x-cancel-dump")));
        Pass("core");
        _client.Send("""{"execute":"dump-guest-memory","arguments":{"paging":false,"protocol":"fd:core","detach":true}}""");
        Assert.Contains("STOP", _client.ReadLine(), StringComparison.Ordinal);
        Assert.Equal(Done, _client.ReadLine());
        Assert.Equal("active", Text(Return(Ask("query-dump")), "status"));
        Assert.StartsWith("A dump of the guest's memory is under way", Error(Ask("dump-guest-memory", """{"paging":false,"protocol":"fd:core"}""")), StringComparison.Ordinal);
        _client.Send("""{"execute":"x-cancel-dump"}""");
        Assert.Contains("RESUME", _client.ReadLine(), StringComparison.Ordinal);
        Assert.Contains("\"error\":\"cancelled\"", _client.ReadLine(), StringComparison.Ordinal);
        Assert.Equal(Done, _client.ReadLine());
        Assert.Equal("failed", Text(Return(Ask("query-dump")), "status"));

        // The descriptor was given away with the dump.
        Assert.Contains("'core' has not been found", Error(Ask("dump-guest-memory", """{"paging":false,"protocol":"fd:core"}""")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void TheEndOfItsConnectionEndsADumpThatNobodyElseCanGetAt(bool passed)
    {
        if (passed)
        {
            Pass("core");
        }

        string protocol = passed ? "fd:core" : $"file:{_file.Path}";
        _client.Send($$$"""{"execute":"dump-guest-memory","arguments":{"paging":false,"protocol":"{{{protocol}}}","detach":true}}""");
        Assert.Contains("STOP", _client.ReadLine(), StringComparison.Ordinal);
        Assert.Equal(Done, _client.ReadLine());
        _client.Dispose();
        using TestClient other = _harness.Connect();
        if (!passed)
        {
            // A file with a path is there for whoever asks.
            Assert.Equal("active", Text(Return(other.Ask("""{"execute":"query-dump"}""")), "status"));
            Assert.True(_harness.Machine.Dump.Cancel());
            return;
        }

        _harness.TurnUntil(() => !_harness.Machine.Dump.IsActive, "the end of the dump");
        Assert.Equal((DumpState.Failed, "cancelled"), (_harness.Machine.Dump.State, _harness.Machine.Dump.Error));
        Assert.Equal(RunState.Running, _harness.Machine.State);
    }

    [Theory]
    [InlineData("""{"paging":true,"protocol":"file:/x"}""", "Parameter 'paging' is true, which is not built; allowed: false (memory by guest-physical addresses)")]
    [InlineData("""{"paging":false,"protocol":"/x"}""", "Parameter 'protocol' is '/x'; allowed: file:PATH, fd:NAME (of getfd)")]
    [InlineData("""{"paging":false,"protocol":"fd:x"}""", "File descriptor named 'x' has not been found; getfd on the same connection names one")]
    [InlineData("""{"paging":false,"protocol":"file:/dev/null"}""", "Parameter 'protocol' doesn't lead to a regular file, which a dump needs")]
    [InlineData("""{"paging":false,"protocol":"file:/no/such"}""", "The file '/no/such' can't be written: No such file or directory")]
    [InlineData("""{"paging":false,"protocol":"file:/x","format":"kdump-zlib"}""", "Parameter 'format' is 'kdump-zlib'; allowed: elf")]
    [InlineData("""{"paging":false,"protocol":"file:/x","begin":0}""", "Parameter 'begin' of dump-guest-memory is unexpected; allowed: paging, protocol, detach, format")]
    public void AFaultIsNamed(string arguments, string description)
    {
        Assert.Equal(description, Error(Ask("dump-guest-memory", arguments)));
        Assert.Equal(RunState.Running, _harness.Machine.State);
    }

    private void Pass(string name)
    {
        using FileDescriptor file = new(Libc.Open(_file.Path, Libc.O_RDWR | Libc.O_CREAT, 0x180));
        byte[] request = Encoding.UTF8.GetBytes($$$"""{"execute":"getfd","arguments":{"fdname":"{{{name}}}"}}""");
        Assert.Equal(request.Length, Libc.SendFiles((int)_client.Socket.Handle, request, [file.Value]));
        Assert.Equal(Done, _client.ReadLine());
    }

    private string Ask(string command, string arguments = "{}") => _client.Ask($$"""{"execute":"{{command}}","arguments":{{arguments}}}""");

    private static string Mode(string path) => File.GetUnixFileMode(path) == (UnixFileMode.UserRead | UnixFileMode.UserWrite) ? "-rw-------" : "another";

    private static JsonElement Return(string reply)
    {
        using JsonDocument document = JsonDocument.Parse(reply);
        return document.RootElement.GetProperty("return").Clone();
    }

    private static string? Error(string reply)
    {
        using JsonDocument document = JsonDocument.Parse(reply);
        return Text(document.RootElement.GetProperty("error"), "desc");
    }

    private static string? Text(JsonElement value, string name) => value.GetProperty(name).GetString();
}
