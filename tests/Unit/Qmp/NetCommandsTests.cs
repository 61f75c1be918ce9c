using System;
using Strato.Engine.Machine;
using Strato.Engine.Virtio;
using Xunit;

namespace Strato.Tests.Unit.Qmp;

public sealed class NetCommandsTests : IDisposable
{
    private readonly QmpHarness _harness = new();

    private byte Link => _harness.Machine.Board.Nets[0].ReadConfiguration(8)[NetInterface.StatusOffset];

    public void Dispose() => _harness.Dispose();

    [Fact]
    public void ALinkGoesDownAndUp()
    {
        using TestClient client = _harness.Connect();
        Assert.Equal("""{"return":{}}""", client.Ask("""{"execute":"set_link","arguments":{"name":"net0","up":false}}"""));
        Assert.Equal(0, Link);
        Assert.Equal("""{"return":{}}""", client.Ask("""{"execute":"set_link","arguments":{"name":"nd0","up":true}}"""));
        Assert.Equal(1, Link);
    }

    [Theory]
    [InlineData("""{"up":true}""", "Parameter 'name' is missing")]
    [InlineData("""{"name":"net0"}""", "Parameter 'up' is missing")]
    [InlineData("""{"name":1,"up":true}""", "Parameter 'name' must be a string")]
    [InlineData("""{"name":"net0","up":"no"}""", "Parameter 'up' must be true or false")]
    [InlineData("""{"name":"net1","up":true}""", "Device 'net1' not found; allowed: net0")]
    public void AFaultIsNamed(string arguments, string message)
    {
        using TestClient client = _harness.Connect();
        Assert.Contains(message, client.Ask($$"""{"execute":"set_link","arguments":{{arguments}}}"""), StringComparison.Ordinal);
    }

    [Fact]
    public void AMachineWithoutInterfacesSaysSo()
    {
        _harness.Machine.HotPlug.Remove("net0");
        using TestClient client = _harness.Connect();
        Assert.Contains("the machine has no network interface", client.Ask("""{"execute":"set_link","arguments":{"name":"x","up":true}}"""), StringComparison.Ordinal);
    }

    [Fact]
    public void AnIdIsWrittenAsJsonHasIt() =>
        Assert.Equal("""{"netdev-id":"a\u0022b"}""", MachineEvent.NetStreamDisconnected("a\"b").Data);
}
