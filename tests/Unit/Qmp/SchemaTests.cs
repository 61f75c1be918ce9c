using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using Xunit;

namespace Strato.Tests.Unit.Qmp;

/// <summary>query-qmp-schema: every name leads somewhere, and the server refuses by it. That replies follow it is seen at each of the tests' replies.</summary>
public sealed class SchemaTests : IDisposable
{
    private readonly QmpHarness _harness = new();
    private readonly TestClient _client;
    private readonly SchemaCheck _schema;

    public SchemaTests()
    {
        _client = _harness.Connect();
        using JsonDocument reply = JsonDocument.Parse(_client.Ask("""{"execute":"query-qmp-schema"}"""));
        _schema = new SchemaCheck(reply.RootElement.GetProperty("return"));
    }

    public void Dispose()
    {
        _client.Dispose();
        _harness.Dispose();
    }

    [Fact]
    public void EveryTypeIsReferredToAndThere() => Assert.Empty(_schema.Faults());

    [Fact]
    public void ItHasEachCommandAndEvent()
    {
        Assert.Equal(Names("query-commands"), _schema.Commands);
        Assert.Equal(Names("query-events"), _schema.Events);
        Assert.Contains("device_add", _schema.Commands);
        Assert.Contains("SHUTDOWN", _schema.Events);

        IEnumerable<string> Names(string command)
        {
            using JsonDocument reply = JsonDocument.Parse(_client.Ask($$"""{"execute":"{{command}}"}"""));
            return [.. reply.RootElement.GetProperty("return").EnumerateArray().Select(element => element.GetProperty("name").GetString()!)];
        }
    }

    [Fact]
    public void EveryCommandThatOnlyAsksAnswersAsItSays()
    {
        // Ask compares each reply.
        foreach (string command in _schema.Commands.Where(name => name.StartsWith("query-", StringComparison.Ordinal) && name is not ("query-balloon" or "query-stats")))
        {
            Assert.StartsWith("""{"return":""", _client.Ask($$"""{"execute":"{{command}}"}"""), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("""{"return":{"running":true,"singlestep":false}}""", "return.status is missing")]
    [InlineData("""{"return":{"running":1,"singlestep":false,"status":"running"}}""", "return.running is no bool: 1")]
    [InlineData("""{"return":{"running":true,"singlestep":false,"status":"walking"}}""", "return.status is none of RunState: \"walking\"")]
    [InlineData("""{"return":{"running":true,"singlestep":false,"status":"running","more":1}}""", "return.more is not in StatusInfo, or there twice")]
    [InlineData("""{"return":{"running":true,"singlestep":false,"status":"running"}}""", null)]
    public void ReplyThatIsNotTheSchemasIsSeen(string reply, string? fault)
    {
        using JsonDocument document = JsonDocument.Parse(reply);
        Assert.Equal(fault, _schema.FaultOfReply("query-status", document.RootElement));
    }

    [Theory]
    [InlineData("device_add", """{"id":"x"}""", "Parameter 'driver' is missing")]
    [InlineData("device_add", """{"id":"x","driver":"virtio-blk-mmio","addr":true}""", "Parameter 'addr' must be a whole number")]
    [InlineData("device_add", """{"id":"x","driver":"virtio-blk-mmio","write-cache":"maybe"}""", "Parameter 'write-cache' is 'maybe'; allowed: on, off")]
    [InlineData("netdev_add", """{"id":"x","hostfwd":[{"str":"tcp::1-:1"},{"str":2}]}""", "Parameter 'hostfwd[1].str' must be a string")]
    [InlineData("netdev_add", """{"id":"x","hostfwd":{}}""", "Parameter 'hostfwd' must be an array")]
    [InlineData("blockdev-add", """{"node-name":"d","file":{"filename":"/f","filename":"/g"}}""", "Parameter 'file.filename' is given twice")]
    [InlineData("set_link", """{"name":"n","up":true,"down":1}""", "Parameter 'down' of set_link is unexpected; allowed: name, up")]
    [InlineData("block_set_io_throttle", """{"id":"rootfs","iops":1e3}""", "Parameter 'iops' must be a whole number")]
    [InlineData("block_set_io_throttle", """{"id":"rootfs","iops":9223372036854775808}""", "Parameter 'iops' must be a whole number")]
    [InlineData("set_link", """{"name":"\ud800","up":true}""", "JSON parse error, a string has half of a surrogate pair")]
    [InlineData("set_link", """{"\udc00":"n","up":true}""", "JSON parse error, a string has half of a surrogate pair")]
    [InlineData("device_add", """{"id":"x","driver":"virtio-blk-mmio","werror":"\ud800"}""", "JSON parse error, a string has half of a surrogate pair")]
    public void WhatIsNotTheSchemasIsRefused(string command, string arguments, string description)
    {
        using JsonDocument reply = JsonDocument.Parse(_client.Ask($$"""{"execute":"{{command}}","arguments":{{arguments}}}"""));
        Assert.Equal(description, reply.RootElement.GetProperty("error").GetProperty("desc").GetString());
    }
}
