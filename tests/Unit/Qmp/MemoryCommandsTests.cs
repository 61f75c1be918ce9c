using System;
using Strato.Engine.Machine;
using Xunit;

namespace Strato.Tests.Unit.Qmp;

public sealed class MemoryCommandsTests : IDisposable
{
    private readonly QmpHarness _harness = new();

    public void Dispose() => _harness.Dispose();

    [Fact]
    public void TheSizeIsToldAsInQemu()
    {
        using TestClient client = _harness.Connect();
        Assert.Equal("""{"return":{"base-memory":1073741824,"plugged-memory":0}}""", client.Ask("""{"execute":"query-memory-size-summary"}"""));
    }

    [Fact]
    public void WhatTheMemoryIsMadeOfIsTold()
    {
        using TestClient client = _harness.Connect();
        Assert.Equal(
            """{"return":{"backend":"memory-backend-ram","dump":false,"merge":false,"page-size":4096,"prealloc":false,"ranges":[{"size":1073741824,"start":0}],"share":false,"size":1073741824}}""",
            client.Ask("""{"execute":"query-mem"}"""));
        _harness.Machine.Memory = new MemoryStatus
        {
            Size = 5L << 30,
            PageSize = 1 << 30,
            Kind = "file",
            Path = "/dev/huge\"1G",
            Shared = true,
            Dumped = true,
            Preallocated = true,
            Regions = [(0, 3UL << 30), (4UL << 30, 2UL << 30)],
        };
        Assert.Equal(
            """{"return":{"backend":"memory-backend-file","dump":true,"mem-path":"/dev/huge\"1G","merge":false,"page-size":1073741824,"prealloc":true,"ranges":[{"size":3221225472,"start":0},{"size":2147483648,"start":4294967296}],"share":true,"size":5368709120}}""",
            client.Ask("""{"execute":"query-mem"}"""));
    }
}
