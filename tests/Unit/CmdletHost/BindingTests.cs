using System.Linq;
using System.Management.Automation;
using Strato.Tests.CmdletHost;
using Strato.Tests.Unit.Cmdlets;
using Xunit;

namespace Strato.Tests.Unit.CmdletHost;

/// <summary>The test host binds as PowerShell does; each case was tried in PowerShell 7.6.</summary>
[Collection(CmdletCollection.Name)]
public sealed class BindingTests : CmdletTests
{
    [Theory]
    [InlineData("Get-StratoVm", "Nonsense", "NamedParameterNotFound")]
    [InlineData("Wait-StratoVm", "T", null)]
    [InlineData("Stop-StratoVm", "T", "NamedParameterNotFound")]
    [InlineData("Get-StratoVm", "WhatIf", "NamedParameterNotFound")]
    public void ParameterNamesMayBeShortenedWhileTheyAreClear(string cmdlet, string parameter, string? id)
    {
        if (id is null)
        {
            Host.Invoke(new Step(cmdlet, "nobody").With(parameter, 1));
        }
        else
        {
            Assert.Equal(id, Assert.Throws<BindingException>(() => Host.Invoke(new Step(cmdlet, "nobody").With(parameter, 1))).Id);
        }
    }

    [Fact]
    public void WhatIsMandatoryHasToCome()
    {
        Assert.Equal("MissingMandatoryParameter", Assert.Throws<BindingException>(() => Host.Invoke(new Step("Start-StratoVm"))).Id);
        Assert.Equal("MissingMandatoryParameter", Assert.Throws<BindingException>(() => Host.Invoke(new Step("Add-StratoDrive", "root.ext4"))).Id);
        Assert.Equal("CommandNotFound", Assert.Throws<BindingException>(() => Host.Invoke(new Step("Get-Process"))).Id);
        Assert.Equal("PositionalParameterNotFound", Assert.Throws<BindingException>(() => Host.Invoke(new Step("Get-StratoVm", "a", "b"))).Id);
    }

    [Fact]
    public void SetsExcludeEachOther() =>
        Assert.Equal("AmbiguousParameterSet", Assert.Throws<BindingException>(() => Host.Invoke(new Step("Get-StratoVm").With("Name", "a").With("Id", "b"))).Id);

    [Fact]
    public void ValuesAreConvertedAndValidated()
    {
        New();
        Assert.Equal(3, Run(new Step("Set-StratoVm", "web").With("Cpu", "3").Switch("PassThru")).Single<Vm>().Cpu);
        Assert.Equal("ParameterArgumentTransformationError", Assert.Throws<BindingException>(() => Host.Invoke(new Step("Set-StratoVm", "web").With("Cpu", "many"))).Id);
        Assert.Equal("ParameterArgumentValidationError", Assert.Throws<BindingException>(() => Host.Invoke(new Step("Wait-StratoVm", "web").With("Timeout", -1))).Id);
        Assert.Equal("ParameterArgumentValidationError", Assert.Throws<BindingException>(() => Host.Invoke(new Step("Get-StratoVm").With("Name", null))).Id);
    }

    [Fact]
    public void AnObjectBindsToVmAndAnythingElseToItsText()
    {
        Vm vm = New();
        Assert.Equal("web", Run(new Step("Start-StratoVm", vm).Switch("PassThru")).Single<Vm>().Name);
        HostResult result = Host.Invoke(["web", vm, 5], new Step("Suspend-StratoVm").Switch("PassThru"));
        Assert.Equal(["web", "web"], result.Of<Vm>().Select(item => item.Name));
        AssertError(Assert.Single(result.Errors), "VmNotFound", ErrorCategory.ObjectNotFound, "5");
    }

    [Fact]
    public void ErrorActionStopEndsThePipeline()
    {
        HostResult result = Host.Invoke(new Step("Get-StratoVm", (object)new object[] { "a", "b" }).With("ErrorAction", "Stop"));
        Assert.Equal("a", result.Terminating!.TargetObject);
        Assert.Empty(result.Errors);
    }

    [Fact]
    public void ATranscriptSaysWhatRanIt()
    {
        using System.IO.StringWriter text = new();
        Transcript transcript = new(Host, text);
        transcript.Run(new Step("New-StratoVm", "web").With("Kernel", "vmlinuz").With("Memory", 256L << 20), new Step("Get-StratoVm"));
        transcript.Run(new Step("Get-StratoVm", "not there"));
        Assert.Equal(
            """
            cmdlet test host> New-StratoVm web -Kernel vmlinuz -Memory 256MB | Get-StratoVm
            Name State   CpuUsage(%) MemoryAssigned Uptime   Status
            ---- -----   ----------- -------------- ------   ------
            web  Stopped             0 B            00:00:00 Operating normally
            cmdlet test host> Get-StratoVm 'not there'
            """,
            string.Join('\n', text.ToString().Split('\n')[..5]));
        Assert.Contains("ERROR: ", text.ToString(), System.StringComparison.Ordinal);
    }
}
