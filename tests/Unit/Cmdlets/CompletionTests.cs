using System.Collections;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Language;
using Strato.Client;
using Strato.PowerShell;
using Strato.Tests.CmdletHost;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>What Tab offers.</summary>
[Collection(CmdletCollection.Name)]
public sealed class CompletionTests : CmdletTests
{
    [Fact]
    public void NamesOfVmsQuotedWhereNeeded()
    {
        New("web");
        New("we are 'one'");
        New("other");
        Assert.Equal(["'we are ''one'''", "web"], Texts(new VmNameCompleter(), "WE"));
        Assert.Equal(["'we are ''one'''", "web"], Texts(new VmNameCompleter(), "'we"));
        Assert.Equal(3, Texts(new VmNameCompleter(), "").Length);
    }

    [Fact]
    public void AnUnreadableStoreOffersNothing()
    {
        File.WriteAllText(Store.Paths.StateRoot, "not a folder");
        Assert.Empty(Texts(new VmNameCompleter(), ""));
        File.Delete(Store.Paths.StateRoot);
    }

    [Fact]
    public void DrivesOfTheVmsThatAreMeant()
    {
        foreach (string name in (string[])["web", "db"])
        {
            New(name);
            Run(new Step("Add-StratoDrive", "vmlinuz").With("VMName", name).With("Id", $"{name}-root"));
        }

        Assert.Equal(["db-root", "web-root"], Texts(new DriveIdCompleter(), "").Order(System.StringComparer.Ordinal));
        Assert.Equal(["web-root"], Texts(new DriveIdCompleter(), "", ("VMName", "w*")));
        Assert.Equal(["web-root"], Texts(new DriveIdCompleter(), "", ("VM", Run(new Step("Get-StratoVm", "web")).Single<Vm>())));
        Assert.Empty(Texts(new DriveIdCompleter(), "web", ("VMName", new[] { "db" })));
    }

    [Fact]
    public void IdsOfVmsAlsoOfDamagedOnes()
    {
        string good = New("web").Id;
        string damaged = New("db").Id;
        File.WriteAllText(Store.Paths.DefinitionFile(damaged), "{");
        Assert.Equal([.. new[] { good, damaged }.Order(System.StringComparer.Ordinal)], Texts(new VmIdCompleter(), "").Select(text => text.Trim('\'')).Order(System.StringComparer.Ordinal));
        Assert.Equal([good], Texts(new VmIdCompleter(), good).Select(text => text.Trim('\'')));
    }

    [Fact]
    public void NumbersOfVirtualCpusWithoutQuotes()
    {
        Run(new Step("New-StratoVm", "web").With("Kernel", "vmlinuz").With("Cpu", 2));
        Run(new Step("New-StratoVm", "db").With("Kernel", "vmlinuz").With("Cpu", 3));
        Assert.Equal(["0", "1"], Texts(new VirtualCpuCompleter(), "", ("VMName", "web")));
        Assert.Equal(["0", "1", "2"], Texts(new VirtualCpuCompleter(), "").Order(System.StringComparer.Ordinal));
        Assert.Equal(["2"], Texts(new VirtualCpuCompleter(), "2", ("VMName", new[] { "db" })));
    }

    [Fact]
    public void CpusOfTheHostThatSetStratoCpuTakes()
    {
        string[] offered = [.. Texts(new HostCpuCompleter(), "").Select(text => text.Trim('\''))];
        Assert.NotEmpty(offered);
        Assert.All(offered, cpus => Assert.Equal(cpus, HostCpus.Parse(cpus, "").ToString()));
        Assert.Contains("0", Texts(new HostCpuCompleter(), "0"));
    }

    [Fact]
    public void SnapshotsOfTheVmsThatAreMeant()
    {
        Start();
        Start("db");
        Run(new Step("Save-StratoSnapshot", "web", "before upgrade"));
        Run(new Step("Save-StratoSnapshot", "db", "base"));
        Assert.Equal(["base", "'before upgrade'"], Texts(new SnapshotNameCompleter(), "b").Order(System.StringComparer.Ordinal).Reverse());
        Assert.Equal(["'before upgrade'"], Texts(new SnapshotNameCompleter(), "", ("VMName", "web")));
    }

    [Fact]
    public void FixedLists()
    {
        Assert.Equal(["microvm"], Texts(new MachineCompleter(), "m"));
        Assert.Equal(["system_powerdown", "system_reset"], Texts(new QmpCommandCompleter(), "system"));
    }

    [Theory]
    [InlineData("web-1.a_b", "web-1.a_b")]
    [InlineData("-web", "'-web'")]
    [InlineData("@web", "'@web'")]
    [InlineData("a b", "'a b'")]
    [InlineData("it's", "'it''s'")]
    [InlineData("a[1]", "'a[1]'")]
    [InlineData("5", "'5'")]
    [InlineData("größe", "größe")]
    public void Quoting(string value, string typed) => Assert.Equal(typed, Completion.Quote(value));

    private static string[] Texts(IArgumentCompleter completer, string word, params (string Name, object Value)[] bound)
    {
        Hashtable parameters = [];
        foreach ((string name, object value) in bound)
        {
            parameters[name] = value;
        }

        return [.. completer.CompleteArgument("x", "y", word, new CommandAst(), parameters).Select(result => result.CompletionText)];
    }
}
