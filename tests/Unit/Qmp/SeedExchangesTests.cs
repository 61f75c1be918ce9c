using System;
using System.Text.RegularExpressions;
using Strato.Engine.Boot;
using Strato.Engine.Machine;
using Strato.Engine.Virtio;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Qmp;

/// <summary>The exchanges that seed 003 prints, field for field and in order; section names are the seed's. See docs/seed-errata.md.</summary>
public partial class SeedExchangesTests : IDisposable
{
    private readonly QmpHarness _harness = new();

    public void Dispose()
    {
        _harness.Dispose();
        GC.SuppressFinalize(this);
    }

    // 连接虚拟机; the package is ours (the seed prints an empty one).
    [Fact]
    public void Greeting()
    {
        using TestClient client = new(_harness);
        Assert.Equal("""{"QMP":{"version":{"qemu":{"micro":1,"minor":0,"major":4},"package":"strato-0.1.0"},"capabilities":[]}}""", client.ReadLine());
    }

    // 查询状态; the seed's closing brace is missing, and its white space is a person's.
    [Fact]
    public void QueryStatus()
    {
        using TestClient client = _harness.Connect();
        Assert.Equal("""{"return":{"running":true,"singlestep":false,"status":"running"}}""", client.Ask("""{ "execute": "query-status" }"""));
    }

    // 查询拓扑
    [Fact]
    public void QueryCpus()
    {
        using TestClient client = _harness.Connect();
        Assert.Equal(
            """{"return":[{"CPU":0,"arch":"x86","current":true,"halted":false,"props":{"core-id":0,"socket-id":0,"thread-id":0},"qom_path":"/machine/unattached/device[0]","thread_id":8439},{"CPU":1,"arch":"x86","current":true,"halted":false,"props":{"core-id":0,"socket-id":1,"thread-id":0},"qom_path":"/machine/unattached/device[1]","thread_id":8440}]}""",
            client.Ask("""{ "execute": "query-cpus" }"""));
    }

    // 查询vCPU上线情况
    [Fact]
    public void QueryHotpluggableCpus()
    {
        using TestClient client = _harness.Connect();
        Assert.Equal(
            """{"return":[{"props":{"core-id":0,"socket-id":0,"thread-id":0},"qom-path":"/machine/unattached/device[0]","type":"host-x86-cpu","vcpus-count":1},{"props":{"core-id":0,"socket-id":1,"thread-id":0},"qom-path":"/machine/unattached/device[1]","type":"host-x86-cpu","vcpus-count":1}]}""",
            client.Ask("""{ "execute": "query-hotpluggable-cpus" }"""));
    }

    // 查询vCPU上线情况: CPUs that aren't there have no qom-path; dies are named where there are several.
    [Fact]
    public void CpusThatMayComeHaveNoPath()
    {
        _harness.Machine.Topology = new CpuTopology(1, 1, 2, dies: 2) { Present = 2 };
        using TestClient client = _harness.Connect();
        Assert.Equal(
            """{"return":[{"props":{"core-id":0,"die-id":0,"socket-id":0,"thread-id":0},"qom-path":"/machine/unattached/device[0]","type":"host-x86-cpu","vcpus-count":1},{"props":{"core-id":0,"die-id":0,"socket-id":0,"thread-id":1},"qom-path":"/machine/unattached/device[1]","type":"host-x86-cpu","vcpus-count":1},{"props":{"core-id":0,"die-id":1,"socket-id":0,"thread-id":0},"type":"host-x86-cpu","vcpus-count":1},{"props":{"core-id":0,"die-id":1,"socket-id":0,"thread-id":1},"type":"host-x86-cpu","vcpus-count":1}]}""",
            client.Ask("""{ "execute": "query-hotpluggable-cpus" }"""));
    }

    // 暂停虚拟机 and 恢复虚拟机: the event stands before the return.
    [Fact]
    public void StopAndCont()
    {
        using TestClient client = _harness.Connect();
        AssertEvent("""{"event":"STOP","data":{},"timestamp":{"seconds":S,"microseconds":U}}""", client.Ask("""{"execute":"stop"}"""));
        Assert.Equal("""{"return":{}}""", client.ReadLine());

        // 制作快照: the seed prints running:true here.
        Assert.Equal("""{"return":{"running":false,"singlestep":false,"status":"paused"}}""", client.Ask("""{"execute":"query-status"}"""));

        AssertEvent("""{"event":"RESUME","data":{},"timestamp":{"seconds":S,"microseconds":U}}""", client.Ask("""{"execute":"cont"}"""));
        Assert.Equal("""{"return":{}}""", client.ReadLine());
    }

    // 退出虚拟机: the return, the event, the end; the seed prints "ds" for seconds.
    [Fact]
    public void Quit()
    {
        using TestClient client = _harness.Connect();
        Assert.Equal("""{"return":{}}""", client.Ask("""{"execute":"quit"}{"execute":"query-status"}"""));
        AssertEvent("""{"event":"SHUTDOWN","data":{"guest":false,"reason":"host-qmp-quit"},"timestamp":{"seconds":S,"microseconds":U}}""", client.ReadLine());
        Assert.Equal("host-qmp-quit", _harness.Machine.QuitReason);
        _harness.Server.Dispose();
        Assert.Equal("", client.ReadToEnd());
    }

    // 暂停虚拟机, the usage line: quotes that JSON hasn't.
    [Fact]
    public void CurlyQuotesAreRefusedOnce()
    {
        using TestClient client = _harness.Connect();
        Assert.StartsWith("""{"error":{"class":"GenericError","desc":"JSON parse error""", client.Ask("{“execute”:“stop”}\r\n"), StringComparison.Ordinal);
        Assert.Equal("""{"return":{"enabled":true,"present":true}}""", client.Ask("""{"execute":"query-kvm"}"""));
        Assert.Equal(RunState.Running, _harness.Machine.State);
    }

    [Theory]
    [InlineData(nameof(RunState.Prelaunch), "prelaunch")]
    [InlineData(nameof(RunState.Shutdown), "shutdown")]
    [InlineData(nameof(RunState.InternalError), "internal-error")]
    public void OtherStatesHaveQemusNames(string state, string name)
    {
        _harness.Machine.State = Enum.Parse<RunState>(state);
        using TestClient client = _harness.Connect();
        Assert.Equal($$$"""{"return":{"running":false,"singlestep":false,"status":"{{{name}}}"}}""", client.Ask("""{"execute":"query-status"}"""));
    }

    // Seed 001, 使用方式, and seed 003, Balloon设备使用: the value as a number and, in the usage line, as a string.
    [Theory]
    [InlineData("""{"execute": "balloon", "arguments": {"value": "2147483648"}}""")]
    [InlineData("""{"execute": "balloon", "arguments": {"value": 2147483648 }}""")]
    public void BalloonAndQueryBalloon(string command)
    {
        using MmioDriver driver = new(new BalloonDevice("balloon", deflateOnOom: true, reporting: false));
        driver.Start();
        using MemoryBalloon balloon = new((BalloonDevice)driver.Device, 4L << 30, driver.Loop);
        _harness.Machine.Balloon = balloon;
        using TestClient client = _harness.Connect();
        Assert.Equal("""{"return":{}}""", client.Ask(command));

        // The guest gives as many pages as it is asked for.
        driver.Write(MmioRegister.Configuration + BalloonDevice.ActualOffset, driver.Read(MmioRegister.Configuration));
        Assert.Equal("""{"return":{"actual":2147483648}}""", client.Ask("""{"execute": "query-balloon"}"""));
    }

    /// <summary>Compares an event, whose time is now, with a text that has S and U for seconds and microseconds.</summary>
    internal static void AssertEvent(string expected, string line)
    {
        Match time = Timestamp().Match(line);
        Assert.True(time.Success, line);
        long now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        Assert.InRange(long.Parse(time.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture), now - 60, now);
        Assert.InRange(int.Parse(time.Groups[2].Value, System.Globalization.CultureInfo.InvariantCulture), 0, 999_999);
        Assert.Equal(expected, Timestamp().Replace(line, "\"timestamp\":{\"seconds\":S,\"microseconds\":U}"));
    }

    [GeneratedRegex("\"timestamp\":\\{\"seconds\":(\\d+),\"microseconds\":(\\d+)\\}", RegexOptions.None, 1000)]
    private static partial Regex Timestamp();
}
