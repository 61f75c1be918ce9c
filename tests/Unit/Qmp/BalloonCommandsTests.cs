using System;
using Strato.Engine.Machine;
using Strato.Engine.Virtio;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Qmp;

public sealed class BalloonCommandsTests : IDisposable
{
    private readonly QmpHarness _harness = new();
    private readonly MmioDriver _driver = new(new BalloonDevice("b", deflateOnOom: false, reporting: false));
    private readonly MemoryBalloon _balloon;

    public BalloonCommandsTests()
    {
        _balloon = new MemoryBalloon((BalloonDevice)_driver.Device, 1 << 30, _driver.Loop);
        _harness.Machine.Balloon = _balloon;
    }

    public void Dispose()
    {
        _balloon.Dispose();
        _driver.Dispose();
        _harness.Dispose();
    }

    [Theory]
    [InlineData("""{"execute":"balloon"}""", "Parameter 'value' is missing")]
    [InlineData("""{"execute":"balloon","arguments":{"value":0}}""", "Parameter 'value' is 0; allowed is an amount of memory in bytes, from 1 on")]
    [InlineData("""{"execute":"balloon","arguments":{"value":-5}}""", "Parameter 'value' is -5;")]
    [InlineData("""{"execute":"balloon","arguments":{"value":"1G"}}""", "Parameter 'value' must be a whole number")]
    [InlineData("""{"execute":"balloon","arguments":{"value":1.5}}""", "Parameter 'value' must be a whole number")]
    [InlineData("""{"execute":"balloon","arguments":{"value":null}}""", "Parameter 'value' must be a whole number")]
    [InlineData("""{"execute":"qom-get","arguments":{"path":"x","property":"guest-stats"}}""", "Device 'x' not found; allowed: /machine/peripheral/b")]
    [InlineData("""{"execute":"qom-get","arguments":{"path":"b","property":"x"}}""", "Property 'x' not found; allowed: guest-stats, guest-stats-polling-interval")]
    [InlineData("""{"execute":"qom-set","arguments":{"path":"b","property":"guest-stats","value":1}}""", "Property 'guest-stats' can only be read")]
    [InlineData("""{"execute":"qom-set","arguments":{"path":"b","property":"guest-stats-polling-interval","value":-1}}""", "Parameter 'value' is -1; allowed are 0 (never) to 4294967295 seconds")]
    public void AFaultIsNamed(string command, string message)
    {
        using TestClient client = _harness.Connect();
        Assert.Contains(message, client.Ask(command), StringComparison.Ordinal);
    }

    [Fact]
    public void WithoutABalloonThatIsSaid()
    {
        _harness.Machine.Balloon = null;
        using TestClient client = _harness.Connect();
        Assert.StartsWith("""{"error":{"class":"DeviceNotActive","desc":"No balloon device has been activated;""", client.Ask("""{"execute":"query-balloon"}"""), StringComparison.Ordinal);
    }

    [Fact]
    public void HugePagesAreTheReasonForNone()
    {
        _harness.Machine.Balloon = null;
        _harness.Machine.Memory = _harness.Machine.Memory with { PageSize = 2 << 20 };
        using TestClient client = _harness.Connect();
        Assert.Equal(
            """{"error":{"class":"DeviceNotActive","desc":"No balloon device has been activated: the guest's memory is of huge pages (2 MiB), which a balloon can't give back"}}""",
            client.Ask("""{"execute":"balloon","arguments":{"value":268435456}}"""));
    }

    [Fact]
    public void StatisticsAreReadAsInQemu()
    {
        using TestClient client = _harness.Connect();
        Assert.Equal("""{"return":{}}""", client.Ask("""{"execute":"qom-set","arguments":{"path":"/machine/peripheral/b","property":"guest-stats-polling-interval","value":2}}"""));
        Assert.Equal("""{"return":2}""", client.Ask("""{"execute":"qom-get","arguments":{"path":"/machine/peripheral/b","property":"guest-stats-polling-interval"}}"""));
        string stats = client.Ask("""{"execute":"qom-get","arguments":{"path":"/machine/peripheral/b","property":"guest-stats"}}""");
        Assert.StartsWith("""{"return":{"stats":{"stat-swap-in":-1,"stat-swap-out":-1,""", stats, StringComparison.Ordinal);
        Assert.EndsWith("""},"last-update":0}}""", stats, StringComparison.Ordinal);
    }
}
