using System;
using System.IO;
using System.Linq;
using Strato.Engine.Diagnostics;
using Strato.Protocol;
using Xunit;

namespace Strato.Tests.Unit.Protocol;

public class EngineLogTests
{
    [Fact]
    public void WhatTheEngineWritesIsUnderstood()
    {
        string mark = $"{Guid.NewGuid():N}";
        Log.Error("machine", $"{mark} KVM_RUN failed");
        Log.Warning("machine", $"{mark} beware");
        Log.Info("machine", EngineLog.End(mark));
        string[] lines = [.. File.ReadLines(TestLog.OwnPath!).Where(line => line.Contains(mark, StringComparison.Ordinal))];
        Assert.Equal([true, false, false], lines.Select(EngineLog.IsError));
        Assert.Equal([null, null, mark], lines.Select(EngineLog.FindEnd));
    }

    [Theory]
    [InlineData("T info machine: end (guest-shutdown)", "guest-shutdown")]
    [InlineData("T info machine: end (host-error", null)]
    [InlineData("T info machine: the end (host-error)", null)]
    [InlineData("T info serial: the guest says: end (host-error)", null)]
    [InlineData("T error options: 'end (host-error)'", null)]
    [InlineData("info machine: end (host-error)", null)]
    [InlineData("end (host-error)", null)]
    [InlineData("a b : end (", null)]
    [InlineData("  ", null)]
    [InlineData("", null)]
    public void OnlyAnEndIsAnEnd(string line, string? reason) => Assert.Equal(reason, EngineLog.FindEnd(line));

    [Theory]
    [InlineData("T error machine: x", true)]
    [InlineData("T info machine: an error of the guest's", false)]
    [InlineData("error", false)]
    [InlineData("", false)]
    public void OnlyALevelMakesAnError(string line, bool expected) => Assert.Equal(expected, EngineLog.IsError(line));
}
