using System;
using System.Linq;
using Strato.Engine.Boot;
using Xunit;

namespace Strato.Tests.Unit.Qmp;

/// <summary>CPUs by device_add and device_del, and what the queries say of them before and after.</summary>
public sealed class CpuCommandsTests : IDisposable
{
    private readonly QmpHarness _harness = new();
    private readonly TestClient _client;

    public CpuCommandsTests()
    {
        _harness.Machine.Topology = new CpuTopology(2, 2, 1) { Present = 2 };
        _client = _harness.Connect();
    }

    public void Dispose()
    {
        _client.Dispose();
        _harness.Dispose();
    }

    [Theory]
    [InlineData("\"cpu-id\": 3", 3)]
    [InlineData("\"cpu-id\": \"2\"", 2)]
    [InlineData("\"socket-id\": 1, \"core-id\": 1, \"thread-id\": 0", 3)]
    [InlineData("\"cpu-id\": 2, \"socket-id\": 1, \"core-id\": 0", 2)]
    public void ACpuComesAndGoes(string place, int index)
    {
        string peripheral = "\"qom-path\":\"/machine/peripheral/vcpu1\"";
        Assert.DoesNotContain(peripheral, _client.Ask("""{"execute":"query-hotpluggable-cpus"}"""), StringComparison.Ordinal);
        SeedExchangesTests.AssertEvent("""{"event":"CPU_RESIZE","data":{},"timestamp":{"seconds":S,"microseconds":U}}""", Add(place));
        Assert.Equal("""{"return":{}}""", _client.ReadLine());
        Assert.Equal([0, 1, index], _harness.Machine.Cpus.Select(cpu => cpu.Index));
        Assert.Contains($"\"CPU\":{index},\"arch\":\"x86\",", _client.Ask("""{"execute":"query-cpus"}"""), StringComparison.Ordinal);
        Assert.Contains(peripheral, _client.Ask("""{"execute":"query-hotpluggable-cpus"}"""), StringComparison.Ordinal);
        SeedExchangesTests.AssertEvent(
            """{"event":"DEVICE_DELETED","data":{"device":"vcpu1","path":"vcpu1"},"timestamp":{"seconds":S,"microseconds":U}}""",
            _client.Ask("""{"execute":"device_del","arguments":{"id":"vcpu1"}}"""));
        SeedExchangesTests.AssertEvent("""{"event":"CPU_RESIZE","data":{},"timestamp":{"seconds":S,"microseconds":U}}""", _client.ReadLine());
        Assert.Equal("""{"return":{}}""", _client.ReadLine());
        Assert.Contains("DeviceNotFound", _client.Ask("""{"execute":"device_del","arguments":{"id":"vcpu1"}}"""), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"drive\": \"d\"", "Parameter 'drive' doesn't go with host-x86-cpu")]
    [InlineData("\"addr\": \"0x1\"", "Parameter 'addr' doesn't go with host-x86-cpu")]
    [InlineData("\"cpu-id\": \"x\"", "Parameter 'cpu-id' must be a whole number")]
    [InlineData("\"socket-id\": 2", "Parameter 'socket-id' is 2; allowed: 0 to 1")]
    [InlineData("\"cpu-id\": 2, \"core-id\": 1", "Parameter 'cpu-id' is 2, and the place is that of CPU 1; give one of both")]
    public void MistakesAreNamed(string place, string message)
    {
        Assert.Contains($"\"desc\":\"{message.Replace("'", "\\u0027", StringComparison.Ordinal)}", Add(place).Replace("'", "\\u0027", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Equal(2, _harness.Machine.Cpus.Count);
    }

    [Fact]
    public void TheNumberHasToBeGiven()
    {
        Assert.Contains("Parameter 'cpu-id' is missing", _client.Ask("""{"execute":"device_add","arguments":{"id":"vcpu1","driver":"host-x86-cpu"}}"""), StringComparison.Ordinal);
        Assert.Contains("Parameter 'cpu-id' doesn't go with virtio-blk-mmio", _client.Ask("""{"execute":"device_add","arguments":{"id":"d","driver":"virtio-blk-mmio","cpu-id":1}}"""), StringComparison.Ordinal);
    }

    private string Add(string place) => _client.Ask($$$"""{"execute":"device_add","arguments":{"id":"vcpu1","driver":"host-x86-cpu",{{{place}}}}}""");
}
