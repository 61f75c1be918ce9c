using System;
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

    private void UseEngine(string script)
    {
        Store.UseEngineScript(script);
        Environment.SetEnvironmentVariable("STRATO_ENGINE", Store.Engine);
    }
}
