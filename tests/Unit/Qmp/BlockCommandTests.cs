using System;
using System.Text.Json;
using Strato.Engine.Block;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.Protocol.Configuration;
using Xunit;

namespace Strato.Tests.Unit.Qmp;

public sealed class BlockCommandTests : IDisposable
{
    private readonly QmpHarness _harness = new();

    public void Dispose() => _harness.Dispose();

    [Theory]
    [InlineData("""{"id":"rootfs","iops":200}""", 200)]
    [InlineData("""{"device":"rootfs","iops":1000000,"bps":0,"bps_rd":0,"bps_wr":0,"iops_rd":0,"iops_wr":0}""", 1_000_000)]
    [InlineData("""{"id":"rootfs","iops":0}""", 0)]
    public void ALimitIsChanged(string arguments, int iops)
    {
        using TestClient client = _harness.Connect();
        Assert.Equal("""{"return":{}}""", client.Ask($$"""{"execute":"block_set_io_throttle","arguments":{{arguments}}}"""));
        Assert.Equal(iops, _harness.Machine.HotPlug.Drives[0].Iops);
        Assert.Contains($"\"iops\":{iops},", client.Ask("""{"execute":"query-block"}"""), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"id":"vda","iops":1}""", "DeviceNotFound", "Device 'vda' not found; allowed: rootfs")]
    [InlineData("""{"iops":1}""", "GenericError", "Parameter 'id' is missing")]
    [InlineData("""{"id":"rootfs"}""", "GenericError", "Parameter 'iops' is missing")]
    [InlineData("""{"id":"rootfs","iops":1000001}""", "GenericError", "Parameter 'iops' is 1000001; allowed: 0 (no limit) to 1000000")]
    [InlineData("""{"id":"rootfs","iops":-1}""", "GenericError", "Parameter 'iops' is -1; allowed: 0 (no limit) to 1000000")]
    [InlineData("""{"id":"rootfs","iops":"many"}""", "GenericError", "Parameter 'iops' must be a whole number")]
    [InlineData("""{"id":5,"iops":1}""", "GenericError", "Parameter 'id' must be a string")]
    [InlineData("""{"id":"rootfs","iops":1,"bps":4096}""", "GenericError", "Parameter 'bps' is not built; allowed: 0. The limit is 'iops', reads and writes together")]
    public void AFaultIsNamed(string arguments, string errorClass, string description)
    {
        using TestClient client = _harness.Connect();
        using JsonDocument reply = JsonDocument.Parse(client.Ask($$"""{"execute":"block_set_io_throttle","arguments":{{arguments}}}"""));
        JsonElement error = reply.RootElement.GetProperty("error");
        Assert.Equal((errorClass, description), (error.GetProperty("class").GetString(), error.GetProperty("desc").GetString()));
        Assert.Equal(0, _harness.Machine.HotPlug.Drives[0].Iops);
    }

    [Fact]
    public void AFailureOfTheHostIsAnEventWithQemusMembers()
    {
        MachineEvent raised = MachineEvent.BlockIoError(new BlockFailure("a \"b\"", Writes: true, Errno.ENOSPC, DriveErrorAction.Stop));
        Assert.Equal("BLOCK_IO_ERROR", raised.Name);
        using JsonDocument data = JsonDocument.Parse(raised.Data);
        Assert.Equal("a \"b\"", data.RootElement.GetProperty("device").GetString());
        Assert.Equal("a \"b\"", data.RootElement.GetProperty("node-name").GetString());
        Assert.Equal(("write", "stop", true), (data.RootElement.GetProperty("operation").GetString(), data.RootElement.GetProperty("action").GetString(), data.RootElement.GetProperty("nospace").GetBoolean()));
        Assert.Equal("No space left on device", data.RootElement.GetProperty("reason").GetString());
        Assert.Contains("read", MachineEvent.BlockIoError(new BlockFailure("a", Writes: false, Errno.EIO, DriveErrorAction.Report)).Data, StringComparison.Ordinal);
    }
}
