using Strato.Engine.Cli;
using Strato.Engine.Linux;
using Strato.Engine.Security;
using Strato.Protocol;
using Xunit;

namespace Strato.Tests.Unit.Security;

public class SandboxTests
{
    private const string Status = "Name:\tx\nUid:\t5\t5\t5\t5\nGid:\t5\t5\t5\t5\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t0\n";

    [Theory]
    [InlineData("on", null, 0u, true)]
    [InlineData("enabled=on", null, 0u, true)]
    [InlineData("on,namespaces=off", null, 0u, false)]
    [InlineData("on,user=1234", 1234u, 1234u, true)]
    [InlineData("on,user=1234:77", 1234u, 77u, true)]
    [InlineData("on,user=daemon", 1u, 1u, true)]
    public void TheOptionSaysHow(string value, uint? user, uint group, bool namespaces) =>
        Assert.Equal(new SandboxPlan(user, group, namespaces), Options.Parse(["-kernel", "/k", "-sandbox", value]).Sandbox);

    [Fact]
    public void ByDefaultThereIsNone()
    {
        Assert.Null(Options.Parse(["-kernel", "/k"]).Sandbox);
        Assert.Null(Options.Parse(["-kernel", "/k", "-sandbox", "off"]).Sandbox);
    }

    [Theory]
    [InlineData("yes", "'enabled=yes' is unknown; allowed: on, off.")]
    [InlineData("on,user=0", "'user=0' can't be a sandbox's; allowed are users from 1 to 4294967294, which root isn't.")]
    [InlineData("on,user=4294967295", "'user=4294967295' can't be a sandbox's; allowed are users from 1 to 4294967294, which root isn't.")]
    [InlineData("on,user=5:x", "'x' is no group; allowed is a group's number.")]
    [InlineData("on,user=5:6:7", "'user=5:6:7' is no user; allowed are USER and USER:GROUP.")]
    [InlineData("on,user=no-such-user", "/etc/passwd has no user 'no-such-user'; allowed are the name of a user there, and a number.")]
    [InlineData("on,spawn=deny", "'spawn' is unknown; allowed: enabled, user, namespaces.")]
    public void WhatItIsNotIsSaid(string value, string message)
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => Options.Parse(["-kernel", "/k", "-sandbox", value]));
        Assert.Equal(("InvalidOption", message), (error.Id, error.Message));
    }

    [Theory]
    [InlineData("         0          0 4294967295\n", 0x70000001u, true)]
    [InlineData("         0       1000          1\n", 0u, true)]
    [InlineData("         0       1000          1\n", 1u, false)]
    [InlineData("0 100000 65536\n65536 1000 1\n", 65536u, true)]
    [InlineData("0 100000 65536\n65536 1000 1\n", 65537u, false)]
    [InlineData("", 0u, false)]
    [InlineData("rubbish", 0u, false)]
    public void AUserIsThereWhereTheMapHasIt(string map, uint id, bool there) => Assert.Equal(there, new IdMap(map).Has(id));

    [Theory]
    [InlineData("", "", null)]
    [InlineData("Uid:\t5\t5\t5\t5", "Uid:\t5\t0\t5\t5", "Uid 5 0 5 5, and not 5 5 5 5")]
    [InlineData("CapPrm:\t0000000000000000", "CapPrm:\t0000000000000001", "CapPrm 0000000000000001, and not 0000000000000000")]
    [InlineData("CapEff:\t0000000000000000", "CapEff:\t000001ffffffffff", "CapEff 000001ffffffffff, and not 0000000000000000")]
    [InlineData("NoNewPrivs:\t1", "NoNewPrivs:\t0", "NoNewPrivs 0, and not 1")]
    [InlineData("NoNewPrivs:\t1\n", "", "NoNewPrivs nothing, and not 1")]
    public void AThreadThatIsNotShutInIsFound(string line, string instead, string? fault) =>
        Assert.Equal(fault, ThreadProof.Fault(line.Length == 0 ? Status : Status.Replace(line, instead, System.StringComparison.Ordinal), 5));

    [Theory]
    [InlineData("12 (kvm-nx) lpage) S 1 1 1 0 -1 4210752 0", true)]
    [InlineData("12 (iou-wrk-1) S 1 1 1 0 -1 4194384 0", true)]
    [InlineData("12 (strato-engine) S 1 1 1 0 -1 4194560 0", false)]
    [InlineData("12 (x", false)]
    [InlineData("", false)]
    public void AKernelsThreadIsKnownByItsFlags(string stat, bool kernels) => Assert.Equal(kernels, ThreadProof.IsKernels(stat));

    [Fact]
    public void TheRuntimesThreadIsAnother()
    {
        int own = Libc.gettid();
        int other = RuntimeThread.Run(Libc.gettid);
        Assert.True(other > 0 && other != own, $"{other} beside {own}");
    }
}
