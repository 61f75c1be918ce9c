using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Strato.Client.Runtime;
using Strato.Tests.CmdletHost;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Get-StratoHost.</summary>
[Collection(CmdletCollection.Name)]
public sealed class HostTests : CmdletTests
{
    [Fact]
    public void TheProbesVerdictIsShown()
    {
        UseEngine("""echo '{"verdict":"emulated","reason":"2 MIPS","mips":2.1,"firstRunMicroseconds":900,"apiVersion":12}'; exit 10""");
        global::Strato.Host host = Run(new Step("Get-StratoHost")).Single<global::Strato.Host>();
        Assert.Equal(("emulated", 2.1, 900L, 12), (host.Kvm, host.KvmMips, host.FirstRunMicroseconds, host.KvmApiVersion));
        Assert.NotNull(host.KvmRemedy);
        Assert.Equal((Store.Paths.StateRoot, Store.Engine), (host.StateRoot, host.EnginePath));
        Assert.InRange(host.MemoryAvailable, 1, host.MemoryTotal);

        UseEngine("""echo '{"verdict":"usable","reason":"ok"}'""");
        Assert.Equal("emulated", host.Kvm);
        host.Refresh();
        Assert.Equal(("usable", null), (host.Kvm, host.KvmRemedy));
    }

    [Fact]
    public void AMissingEngineIsAVerdictToo()
    {
        Environment.SetEnvironmentVariable("STRATO_ENGINE", "/nowhere/strato-engine");
        Assert.Equal("unknown", Run(new Step("Get-StratoHost")).Single<global::Strato.Host>().Kvm);
    }

    [Fact]
    public void TheChecklistSaysWhatToDo()
    {
        UseEngine("""echo '{"verdict":"absent","reason":"no /dev/kvm"}'""");
        Dictionary<string, HostCheck> checks = Run(new Step("Test-StratoHost")).Output.Cast<HostCheck>().ToDictionary(check => check.Name);
        Assert.Equal(
            ["Cgroup", "Engine", "HugePages", "Kernel", "Kvm", "Memory", "Passt", "Sandbox", "Sockets", "State", "Tap", "VhostNet", "VhostVsock", "Virtiofsd"], checks.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(("Failed", "no /dev/kvm"), (checks["Kvm"].Result, checks["Kvm"].Detail));
        Assert.All(checks.Values, check => Assert.Equal(check.Result == "Passed", check.Remedy is null));
        Assert.Equal(("Passed", Store.Engine), (checks["Engine"].Result, checks["Engine"].Detail));
        Assert.Equal(("Passed", "Passed"), (checks["State"].Result, checks["Sockets"].Result));
        Assert.Equal(Store.Paths.StateRoot, checks["State"].Detail);
        Assert.False(Run(new Step("Test-StratoHost").Switch("Quiet")).Single<bool>());
        UseEngine("""echo '{"verdict":"usable","reason":"ok"}'""");
        Assert.True(Run(new Step("Test-StratoHost").Switch("Quiet")).Single<bool>());
        Assert.False(Directory.Exists(Store.Paths.StateRoot));
    }

    [Fact]
    public void WhatIsMissingFails()
    {
        Environment.SetEnvironmentVariable("STRATO_ENGINE", "/nowhere/strato-engine");
        Environment.SetEnvironmentVariable("STRATO_STATE", Path.Combine(Store.WriteFile("file", ""), "below"));
        Environment.SetEnvironmentVariable("STRATO_RUNTIME", $"{Store.Root}/{new string('r', 100)}");
        Dictionary<string, HostCheck> checks = Run(new Step("Test-StratoHost")).Output.Cast<HostCheck>().ToDictionary(check => check.Name);
        Assert.Equal(["Engine", "Kvm", "Sockets", "State"], checks.Values.Where(check => check.Result == "Failed").Select(check => check.Name).Order(StringComparer.Ordinal));
        Assert.Contains("STRATO_RUNTIME", checks["Sockets"].Remedy, StringComparison.Ordinal);
        Assert.Contains("a file in the way", checks["State"].Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("6.1.0-13-amd64", "Passed")]
    [InlineData("5.10.0+", "Passed")]
    [InlineData("5.9.16", "Warning")]
    [InlineData("5.3", "Warning")]
    [InlineData("5.2.0", "Failed")]
    [InlineData("next", "Warning")]
    public void KernelsAreComparedByNumbers(string release, string result) => Assert.Equal(result, HostChecks.Kernel(release).Result);

    [Fact]
    public void LittleMemoryIsAWarning()
    {
        Assert.Equal("Warning", HostChecks.Memory((256L << 20) - 1).Result);
        Assert.Equal("Passed", HostChecks.Memory(256L << 20).Result);
    }

    private void UseEngine(string script)
    {
        Store.UseEngineScript(script);
        Environment.SetEnvironmentVariable("STRATO_ENGINE", Store.Engine);
    }
}
