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
        global::Strato.Host host = Run(new Step("Get-StratoHost")).Single<global::Strato.Host>();
        Assert.Equal(("unknown", null), (host.Kvm, host.EngineVersion));
    }

    [Fact]
    public void DevicesAndProgramsHaveAVersionOrARemedy()
    {
        UseEngine("""[ "$1" = -version ] && echo 'strato-engine 9.8.7' || echo '{"verdict":"usable","reason":"ok"}'""");
        string programs = Directory.CreateDirectory(Path.Combine(Store.Root, "bin")).FullName;
        foreach ((string name, string says) in (ReadOnlySpan<(string, string)>)[("passt", "echo passt 0.0~git20230309.7c7625d; echo more"), ("dnsmasq", "exit 1"), ("nft", "echo 'nftables v1.0.6 (Lester Gooch #5)'")])
        {
            TestProgram.Write(Path.Combine(programs, name), "#!/bin/sh\n" + says);
        }

        string? path = Environment.GetEnvironmentVariable("PATH");
        Environment.SetEnvironmentVariable("PATH", $"{programs}:{path}");
        try
        {
            global::Strato.Host host = Run(new Step("Get-StratoHost")).Single<global::Strato.Host>();
            Assert.Equal(("9.8.7", "0.1.0"), (host.EngineVersion, host.ModuleVersion));
            Assert.Equal(["passt", "virtiofsd", "dnsmasq", "nft"], host.Programs.Select(program => program.Name));
            Assert.Equal(
                [($"{programs}/passt", "0.0~git20230309.7c7625d", null), ($"{programs}/dnsmasq", null, null), ($"{programs}/nft", "1.0.6", null)],
                host.Programs.Where(program => program.Name != "virtiofsd").Select(program => (program.Path!, program.Version, program.Remedy)));
            Assert.Equal(["Tap", "VhostNet", "VhostVsock", "Vfio"], host.Devices.Select(device => device.Name));
            Assert.All(host.Devices, device => Assert.Equal(device.Usable, device.Remedy is null));
            Assert.All(host.Devices, device => Assert.Equal(device.Name != "Tap" && File.Exists(device.Path), device.Usable && device.Name != "Tap"));
            Assert.All(host.Programs, program => Assert.Equal(program.Path is null, program.Remedy is not null));
        }
        finally
        {
            Environment.SetEnvironmentVariable("PATH", path);
        }
    }

    [Theory]
    [InlineData("Dnsmasq version 2.90  Copyright", "2.90")]
    [InlineData("virtiofsd version 7.2.22 (Debian 1:7.2+dfsg-7)", "7.2.22")]
    [InlineData("passt 2024_12_11.09478d5", "2024_12_11.09478d5")]
    [InlineData("virtiofsd 1.10.0", "1.10.0")]
    [InlineData("passt unknown version", null)]
    [InlineData("", null)]
    public void VersionsAreRead(string line, string? version) => Assert.Equal(version, HostPrograms.ParseVersion(line));

    [Fact]
    public void SwitchesAndOthersTapsTakeARight() => Client.NetworkNamespace.Run(() =>
    {
        Assert.Contains(HostDevices.Find(), device => device is { Name: "Tap", Usable: true });
        Client.NetworkNamespace.GiveUpNetAdmin();
        Assert.Contains(HostDevices.Find(), device => device is { Name: "Tap", Usable: false, Remedy: not null } && device.Detail.Contains("CAP_NET_ADMIN", StringComparison.Ordinal));
    });

    [Fact]
    public void TheChecklistSaysWhatToDo()
    {
        UseEngine("""echo '{"verdict":"absent","reason":"no /dev/kvm"}'""");
        Dictionary<string, HostCheck> checks = Run(new Step("Test-StratoHost")).Output.Cast<HostCheck>().ToDictionary(check => check.Name);
        Assert.Equal(
            ["Cgroup", "Dnsmasq", "Engine", "HugePages", "Kernel", "Kvm", "Memory", "Nft", "Passt", "Sandbox", "Sockets", "State", "Tap", "VhostNet", "VhostVsock", "Virtiofsd"], checks.Keys.Order(StringComparer.Ordinal));
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
