using System;
using System.Collections;
using System.Linq;
using System.Management.Automation;
using System.Text.Json;
using Strato.Client;
using Strato.PowerShell;
using Strato.Tests.CmdletHost;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Invoke-StratoQmp and its conversions.</summary>
[Collection(CmdletCollection.Name)]
public sealed class QmpTests : CmdletTests
{
    [Fact]
    public void TheAnswerIsAnObject()
    {
        Start();
        PSObject answer = Run(new Step("Invoke-StratoQmp", "query-status").With("VMName", "web")).Single<PSObject>();
        Assert.Equal([("running", true), ("status", "running")], answer.Properties.Select(property => (property.Name, property.Value)));
    }

    [Fact]
    public void AnEmptyAnswerIsSilentAndCommandsAskFirst()
    {
        Start();
        Assert.Empty(Run(new Step("Invoke-StratoQmp", "stop").With("VMName", "web").Switch("WhatIf")).Output);
        Assert.Equal("Running", State("web"));
        HostResult result = Run(new Step("Get-StratoVm"), new Step("Invoke-StratoQmp", "stop").With("Arguments", new Hashtable()));
        Assert.Equal(["QMP stop: web"], result.ShouldProcess);
        Assert.Empty(result.Output);
        Assert.Equal("Paused", State("web"));
        Assert.Empty(Run(new Step("Invoke-StratoQmp", "query-status").With("VMName", "web")).ShouldProcess);
    }

    [Fact]
    public void AnErrorOfTheEngineKeepsItsClass()
    {
        Start();
        AssertError(Error(new Step("Invoke-StratoQmp", "fly").With("VMName", "web")), "QmpCommandNotFound", ErrorCategory.InvalidArgument, "web");
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("[1]")]
    [InlineData(5)]
    public void ArgumentsThatAreNoObjectEndTheCmdlet(object arguments) =>
        Assert.StartsWith("ArgumentsInvalid,", Terminates(new Step("Invoke-StratoQmp", "stop").With("VMName", "web").With("Arguments", arguments)), StringComparison.Ordinal);

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void ANumberThatJsonLacksIsRefused(object number) =>
        Assert.StartsWith("ArgumentsInvalid,", Terminates(new Step("Invoke-StratoQmp", "stop").With("VMName", "web").With("Arguments", new Hashtable { ["x"] = number })), StringComparison.Ordinal);

    [Fact]
    public void ArgumentsBecomeJson()
    {
        PSObject custom = new();
        custom.Properties.Add(new PSNoteProperty("name", "n"));
        Hashtable given = new(StringComparer.Ordinal) { ["a"] = 1, ["b"] = new object?[] { "x", null, true, 1.5, new PSObject(ulong.MaxValue), custom } };
        JsonElement json = Json.ParseArguments(given);
        Assert.Equal(1, json.GetProperty("a").GetInt32());
        Assert.Equal("[\"x\",null,true,1.5,18446744073709551615,{\"name\":\"n\"}]", json.GetProperty("b").GetRawText());
        Assert.Equal("{ \"deep\": [1] }", Json.ParseArguments("{ \"deep\": [1] }").GetRawText());
        Hashtable ring = new(StringComparer.Ordinal);
        ring["self"] = ring;
        Assert.Contains("nested", Assert.Throws<StratoException>(() => Json.ParseArguments(ring)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void JsonBecomesObjects()
    {
        using JsonDocument document = JsonDocument.Parse("""{"n":-1,"big":18446744073709551615,"f":0.5,"t":true,"z":null,"list":[1,"a",{"x":[]}],"n":2,"":3}""");
        PSObject value = Assert.IsType<PSObject>(Json.ToObject(document.RootElement));
        Assert.Equal(2L, value.Properties["n"]!.Value);
        Assert.Equal(ulong.MaxValue, value.Properties["big"]!.Value);
        Assert.Equal(0.5, value.Properties["f"]!.Value);
        Assert.Null(value.Properties["z"]!.Value);
        Assert.Equal(3L, value.Properties["_"]!.Value);
        object?[] list = Assert.IsType<object?[]>(value.Properties["list"]!.Value);
        Assert.Equal([1L, "a"], list[..2]);
    }
}
