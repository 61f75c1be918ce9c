using System;
using System.Linq;
using System.Text.Json;
using Strato.Engine.Machine;
using Strato.Tests.Unit.Driver;
using Strato.Tests.Unit.Machine;
using Xunit;

namespace Strato.Tests.Unit.Qmp;

/// <summary>query-blockstats, query-netstats, query-stats. The replies are held against the schema by the client.</summary>
public sealed class StatisticsCommandsTests : IDisposable
{
    private readonly QmpHarness _harness = new();
    private readonly TestClient _client;

    public StatisticsCommandsTests()
    {
        _client = _harness.Connect();
    }

    public void Dispose()
    {
        _client.Dispose();
        _harness.Dispose();
    }

    [Fact]
    public void ADrivesRequestsAreInQemusShape()
    {
        SlotBoard board = _harness.Machine.Board;
        board.Disks[0].Start(64);
        BlockClient guest = new(board.Disks[0]);
        guest.Write(4, new byte[1024]);
        guest.Read(0, new byte[512]);
        JsonElement drive = Assert.Single(Ask("query-blockstats").EnumerateArray());
        Assert.Equal(("rootfs", "rootfs", "rootfs"), (Text(drive, "device"), Text(drive, "node-name"), Text(drive, "qdev")));
        JsonElement stats = drive.GetProperty("stats");
        Assert.Equal((1, 512), (Number(stats, "rd_operations"), Number(stats, "rd_bytes")));
        Assert.Equal((1, 1024, 3072), (Number(stats, "wr_operations"), Number(stats, "wr_bytes"), Number(stats, "wr_highest_offset")));
        Assert.True(Number(stats, "rd_total_time_ns") > 0 && Number(stats, "wr_total_time_ns") > 0);
        Assert.Equal(0, Number(stats, "flush_operations") + Number(stats, "unmap_operations") + Number(stats, "failed_rd_operations") + Number(stats, "invalid_wr_operations"));
    }

    [Fact]
    public void AnInterfacesFramesAreTold()
    {
        JsonElement net = Assert.Single(Ask("query-netstats").EnumerateArray());
        Assert.Equal(("net0", "nd0"), (Text(net, "name"), Text(net, "netdev")));
        Assert.False(net.TryGetProperty("ifname", out _));
        Assert.Equal(0, Number(net.GetProperty("stats"), "rx-bytes"));
    }

    [Fact]
    public void KvmsFiguresOfCpusAreInQemusShape()
    {
        using PayloadVm vm = new([0xF4], cpus: 2);
        using KvmCounters counters = KvmCountersTests.Open(vm);
        _harness.Machine.Counters = counters;
        JsonElement[] cpus = [.. Ask("query-stats", """{"target":"vcpu","providers":[{"provider":"kvm","names":["exits","no-such"]}]}""").EnumerateArray()];
        Assert.Equal(["/machine/unattached/device[0]", "/machine/unattached/device[1]"], cpus.Select(cpu => Text(cpu, "qom-path")));
        Assert.All(cpus, cpu =>
        {
            Assert.Equal("kvm", Text(cpu, "provider"));
            JsonElement figure = Assert.Single(cpu.GetProperty("stats").EnumerateArray());
            Assert.Equal("exits", Text(figure, "name"));
            Assert.True(Number(figure, "value") >= 0);
        });

        JsonElement one = Assert.Single(Ask("query-stats", """{"target":"vcpu","vcpus":["/machine/unattached/device[1]"]}""").EnumerateArray());
        Assert.Contains(one.GetProperty("stats").EnumerateArray(), figure => figure.GetProperty("value").ValueKind == JsonValueKind.Array);
        Assert.Contains(one.GetProperty("stats").EnumerateArray(), figure => figure.GetProperty("value").ValueKind == JsonValueKind.False);
        JsonElement whole = Assert.Single(Ask("query-stats", """{"target":"vm"}""").EnumerateArray());
        Assert.False(whole.TryGetProperty("qom-path", out _));
        Assert.NotEqual(0, whole.GetProperty("stats").GetArrayLength());
        Assert.Equal(0, Assert.Single(Ask("query-stats", """{"target":"vm","providers":[]}""").EnumerateArray()).GetProperty("stats").GetArrayLength());
    }

    [Theory]
    [InlineData("""{"target":"vm"}""")]
    [InlineData("""{"target":"vcpu"}""")]
    public void AKernelWithoutThemGivesNone(string arguments) => Assert.Equal(0, Ask("query-stats", arguments).GetArrayLength());

    [Theory]
    [InlineData("{}", "Parameter 'target' is missing")]
    [InlineData("""{"target":"cryptodev"}""", "Parameter 'target' is 'cryptodev'; allowed: vm, vcpu")]
    [InlineData("""{"target":"vm","vcpus":[]}""", "Parameter 'vcpus' is unexpected with target vm; it goes with target vcpu")]
    [InlineData("""{"target":"vcpu","vcpus":["/x"]}""", "CPU '/x' not found; allowed: /machine/unattached/device[0], /machine/unattached/device[1]")]
    [InlineData("""{"target":"vcpu","providers":[{"provider":"xen"}]}""", "Parameter 'providers[0].provider' is 'xen'; allowed: kvm")]
    public void AFaultIsNamed(string arguments, string description)
    {
        using JsonDocument reply = JsonDocument.Parse(_client.Ask($$"""{"execute":"query-stats","arguments":{{arguments}}}"""));
        Assert.Equal(description, Text(reply.RootElement.GetProperty("error"), "desc"));
    }

    private JsonElement Ask(string command, string arguments = "{}")
    {
        using JsonDocument reply = JsonDocument.Parse(_client.Ask($$"""{"execute":"{{command}}","arguments":{{arguments}}}"""));
        return reply.RootElement.GetProperty("return").Clone();
    }

    private static string? Text(JsonElement value, string name) => value.GetProperty(name).GetString();

    private static long Number(JsonElement value, string name) => value.GetProperty(name).GetInt64();
}
