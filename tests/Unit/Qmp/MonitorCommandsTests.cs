using System;
using System.Text.Json;
using Strato.Engine.Machine;
using Xunit;

namespace Strato.Tests.Unit.Qmp;

public sealed class MonitorCommandsTests : IDisposable
{
    private readonly QmpHarness _harness = new();
    private readonly TestClient _client;

    public MonitorCommandsTests() => _client = _harness.Connect();

    public void Dispose()
    {
        _client.Dispose();
        _harness.Dispose();
    }

    [Fact]
    public void TheStateIsToldInQemusWords()
    {
        Assert.Equal("VM status: running\r\n", Ask("info status"));
        _harness.Machine.State = RunState.Paused;
        Assert.Equal("VM status: paused\r\n", Ask("  info   status "));
        _harness.Machine.State = RunState.IoError;
        Assert.Equal("VM status: paused (io-error)\r\n", Ask("info status"));
    }

    [Fact]
    public void CpusDisksAndNetworksAreListed()
    {
        Assert.Equal("* CPU #0: thread_id=8439\r\n  CPU #1: thread_id=8440\r\n", Ask("info cpus"));
        Assert.True(_harness.Machine.HotPlug.SetDriveIops("rootfs", 200));
        Assert.Equal("rootfs (rootfs): /path/to/rootfs (raw)\r\n    Size:             1 GiB\r\n    I/O throttling:   iops=200\r\n", Ask("info block"));
        Assert.Equal("net0: index=0,type=nic,model=virtio-net-device,macaddr=52:54:00:01:02:03,link=up\r\n \\ nd0: index=0,type=stream\r\n", Ask("info network"));
        Assert.True(_harness.Machine.HotPlug.SetLink("net0", up: false));
        Assert.Contains("link=down", Ask("info network"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("info", "The command line 'info' is not one of this monitor's; allowed: info balloon, info block, info cpus, info network, info status")]
    [InlineData("info pci", "The command line 'info pci' is not one of this monitor's; allowed: info balloon, info block, info cpus, info network, info status")]
    [InlineData("quit", "The command line 'quit' is not one of this monitor's; allowed: info balloon, info block, info cpus, info network, info status")]
    [InlineData("", "The command line '' is not one of this monitor's; allowed: info balloon, info block, info cpus, info network, info status")]
    [InlineData("info balloon", "No balloon device has been activated; -device virtio-balloon-device gives the machine one")]
    public void AFaultIsNamed(string line, string description)
    {
        using JsonDocument reply = JsonDocument.Parse(Send(line));
        Assert.Equal(description, reply.RootElement.GetProperty("error").GetProperty("desc").GetString());
    }

    private string Send(string line) => _client.Ask($$$"""{"execute":"human-monitor-command","arguments":{"command-line":"{{{line}}}"}}""");

    private string Ask(string line)
    {
        using JsonDocument reply = JsonDocument.Parse(Send(line));
        return reply.RootElement.GetProperty("return").GetString()!;
    }
}
