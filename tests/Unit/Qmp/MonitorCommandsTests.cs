using System;
using System.Linq;
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

    // What qmp-shell -H asks for before its prompt, and at its "cpu": it has no other way.
    [Fact]
    public void HelpListsWhatThereIs()
    {
        Assert.Equal("help|? [cmd] -- show the help\r\ninfo [subcommand] -- show various information about the system state\r\n", Ask("help"));
        string topics = Ask("info");
        Assert.Equal(topics, Ask("help info"));
        Assert.Equal(
            ["info balloon", "info block", "info cpus", "info network", "info status", "info version"],
            topics.Split("\r\n", StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(" -- ")[0]));
        Assert.Equal("strato-0.1.0\r\n", Ask("info version"));
    }

    [Fact]
    public void TheCpuThatIsAskedForIsMarked()
    {
        Assert.Equal("  CPU #0: thread_id=8439\r\n* CPU #1: thread_id=8440\r\n", Ask("info cpus", cpu: 1));
        Assert.Contains("Parameter 'cpu-index' is 2; allowed are the machine's CPUs, 0, 1", Send("info cpus", cpu: 2), StringComparison.Ordinal);
        Assert.Contains("Parameter 'cpu-index' is -1; allowed are the machine's CPUs, 0, 1", Send("info version", cpu: -1), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("info pci", "The command line 'info pci' is not one of this monitor's; allowed: help, info balloon, info block, info cpus, info network, info status, info version")]
    [InlineData("quit", "The command line 'quit' is not one of this monitor's; allowed: help, info balloon, info block, info cpus, info network, info status, info version")]
    [InlineData("", "The command line '' is not one of this monitor's; allowed: help, info balloon, info block, info cpus, info network, info status, info version")]
    [InlineData("info balloon", "No balloon device has been activated; -device virtio-balloon-device gives the machine one")]
    public void AFaultIsNamed(string line, string description)
    {
        using JsonDocument reply = JsonDocument.Parse(Send(line));
        Assert.Equal(description, reply.RootElement.GetProperty("error").GetProperty("desc").GetString());
    }

    private string Send(string line, int? cpu = null) => _client.Ask(
        $$$"""{"execute":"human-monitor-command","arguments":{"command-line":"{{{line}}}"{{{(cpu is null ? "" : $",\"cpu-index\":{cpu}")}}}}}""");

    private string Ask(string line, int? cpu = null)
    {
        using JsonDocument reply = JsonDocument.Parse(Send(line, cpu));
        return reply.RootElement.GetProperty("return").GetString()!;
    }
}
