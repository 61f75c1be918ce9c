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

    [Fact]
    public void LinesComeApartAgain()
    {
        DateTime time = new DateTime(2026, 1, 31, 12, 34, 56, DateTimeKind.Utc).AddMicroseconds(7);
        Assert.Equal(new EngineLogLine(time, "info", "net", "a: b c"), EngineLog.TryParse(EngineLog.Line(time, "info", "net", "a: b c").TrimEnd('\n')));
        Assert.Equal(DateTimeKind.Utc, EngineLog.TryParse(EngineLog.Line(time, "info", "net", "x").TrimEnd('\n'))!.Time.Kind);
        Assert.Equal(new EngineLogLine(DateTime.UnixEpoch.AddSeconds(1795346304), "error", "seccomp", "the system call 90"), EngineLog.TryParse("@1795346304 error seccomp: the system call 90"));
    }

    [Theory]
    [InlineData("Unhandled exception. System.Exception: it fell over")]
    [InlineData("   at Strato.Engine.Program.Main()")]
    [InlineData("2026-01-31T12:34:56.000007Z error")]
    [InlineData("2026-01-31T12:34:56.000007Z error machine")]
    [InlineData("2026-01-31T12:34:56.000007Z error two words: x")]
    [InlineData("2026-13-31T12:34:56.000007Z error machine: x")]
    [InlineData("@99999999999999 error seccomp: x")]
    [InlineData("@ error seccomp: x")]
    [InlineData("")]
    public void WhatIsNoLineStaysWhole(string line) => Assert.Null(EngineLog.TryParse(line));

    [Theory]
    [InlineData("client", "start of 'web'", true)]
    [InlineData("log", "/x/engine.log was full, and is emptied: it can't be renamed", true)]
    [InlineData("machine", "start of 'web'", false)]
    [InlineData("client", "end (guest-shutdown)", false)]
    public void ARunIsKnownByItsFirstLine(string room, string message, bool expected) =>
        Assert.Equal(expected, EngineLog.BeginsRun(EngineLog.Line(DateTime.UtcNow, "info", room, message).TrimEnd('\n')));
}
