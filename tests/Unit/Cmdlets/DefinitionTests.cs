using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using Strato.Client;
using Strato.Client.Runtime;
using Strato.Tests.CmdletHost;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>New-, Get-, Set- and Remove-StratoVm.</summary>
[Collection(CmdletCollection.Name)]
public sealed class DefinitionTests : CmdletTests
{
    [Fact]
    public void NewEmitsTheVmWithWhatWasGiven()
    {
        Store.WriteFile("initrd.img", "initrd");
        Vm vm = Run(new Step("New-StratoVm", "web", "vmlinuz").With("Initrd", "./initrd.img").With("CommandLine", "a b").With("Memory", 1L << 30).With("Cpu", 2).With("Notes", "n")).Single<Vm>();
        Assert.Equal(("web", "Stopped", 1L << 30, 2, "microvm", "a b", "n"), (vm.Name, vm.State, vm.Memory, vm.Cpu, vm.Machine, vm.CommandLine, vm.Notes));
        Assert.Equal((Store.Kernel, Path.Combine(Store.Root, "initrd.img")), (vm.Kernel, vm.Initrd));
        Assert.Equal(8, vm.Id.Length);
        Assert.Equal((0.0, 0L, null), (vm.Uptime, vm.MemoryAssigned, vm.ProcessId));
    }

    [Fact]
    public void NewTakesPropertiesFromThePipeline()
    {
        HostResult result = Host.Invoke([new { Name = "a", Kernel = "vmlinuz", Cpu = "3" }, new { Name = "b", Kernel = "vmlinuz", Cpu = "1" }], new Step("New-StratoVm"));
        Assert.Equal([("a", 3), ("b", 1)], result.Of<Vm>().Select(vm => (vm.Name, vm.Cpu)));
    }

    [Fact]
    public void NewWithWhatIfChecksAndMakesNothing()
    {
        HostResult result = Run(new Step("New-StratoVm", "web", "vmlinuz").Switch("WhatIf"));
        Assert.Empty(result.Output);
        Assert.Equal(["Define a VM: web"], result.ShouldProcess);
        Assert.Empty(Run(new Step("Get-StratoVm")).Output);
        AssertError(Error(new Step("New-StratoVm", "web", "missing").Switch("WhatIf")), "KernelNotFound", ErrorCategory.ObjectNotFound, "web");
    }

    [Theory]
    [InlineData("", "InvalidName", ErrorCategory.InvalidArgument)]
    [InlineData("a/b", "InvalidName", ErrorCategory.InvalidArgument)]
    [InlineData("WEB", "VmExists", ErrorCategory.ResourceExists)]
    public void ABadNameIsRefused(string name, string id, ErrorCategory category)
    {
        New();
        ErrorRecord error = Error(new Step("New-StratoVm", name, "vmlinuz"));
        AssertError(error, id, category, name);
        Assert.Contains(name.Length == 0 ? "0 characters" : $"'{name}'", error.ToString(), StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("Memory", 100L << 20, "InvalidMemory", "100")]
    [InlineData("Memory", 600L << 30, "InvalidMemory", "512")]
    [InlineData("Cpu", 255, "InvalidCpuCount", "254")]
    [InlineData("Cpu", 0, "InvalidCpuCount", "254")]
    [InlineData("Kernel", "nowhere/vmlinuz", "KernelNotFound", "nowhere/vmlinuz")]
    [InlineData("Initrd", "nowhere/initrd", "InitrdNotFound", "nowhere/initrd")]
    [InlineData("Machine", "i440fx", "UnknownMachineType", "i440fx")]
    public void ABadSettingIsRefusedByNewAndSet(string parameter, object value, string id, string says)
    {
        New();
        Step made = new Step("New-StratoVm", "other").With(parameter, value);
        ErrorRecord error = Error(parameter == "Kernel" ? made : made.With("Kernel", "vmlinuz"));
        AssertError(error, id, id.EndsWith("NotFound", StringComparison.Ordinal) ? ErrorCategory.ObjectNotFound : ErrorCategory.InvalidArgument, "other");
        Assert.Contains(says, error.ToString(), StringComparison.Ordinal);
        Assert.StartsWith(id, Error(new Step("Set-StratoVm", "web").With(parameter, value)).FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Single(Run(new Step("Get-StratoVm")).Output);
    }

    [Fact]
    public void AKernelOfAnotherProviderIsRefused() =>
        AssertError(Error(new Step("New-StratoVm", "web", "Env::HOME")), "PathNotFile", ErrorCategory.InvalidArgument, "web");

    [Fact]
    public void TildeIsTheHomeFolder()
    {
        string? home = Environment.GetEnvironmentVariable("HOME");
        Environment.SetEnvironmentVariable("HOME", Store.Root);
        try
        {
            Host.Location = "/";
            Assert.Equal(Store.Kernel, Run(new Step("New-StratoVm", "web", "~/vmlinuz")).Single<Vm>().Kernel);
        }
        finally
        {
            Environment.SetEnvironmentVariable("HOME", home);
        }
    }

    [Fact]
    public void MoreMemoryThanTheHostHasIsAWarning()
    {
        HostResult result = Run(new Step("New-StratoVm", "web", "vmlinuz").With("Memory", StratoClient.MaximumMemory));
        Assert.Matches(@"^The VM 'web' has \d+ MiB of memory; the host has \d+ MiB\.$", Assert.Single(result.Warnings));
        Assert.Single(result.Output);
    }

    [Fact]
    public void GetFindsByNameWildcardIdAndObject()
    {
        Vm[] made = [New("web1"), New("web2"), New("db"), New("odd[1]")];
        Assert.Equal(["db", "odd[1]", "web1", "web2"], Names(new Step("Get-StratoVm")));
        Assert.Equal(["web1", "web2"], Names(new Step("Get-StratoVm", "WEB*")));
        Assert.Equal(["odd[1]"], Names(new Step("Get-StratoVm", "odd[1]")));
        Assert.Equal(["db", "web1"], Names(new Step("Get-StratoVm").With("VMName", new[] { "db", "web1" })));
        Assert.Equal(["db"], Names(new Step("Get-StratoVm").With("Id", made[2].Id)));
        Assert.Equal(["web1", "web2"], Names(new Step("Get-StratoVm", "web?"), new Step("Get-StratoVm")));
    }

    [Fact]
    public void ALiteralNameThatIsNotThereIsAnErrorAndTheRestGoesOn()
    {
        New();
        HostResult result = Host.Invoke(new Step("Get-StratoVm", (object)new object[] { "nobody", "web" }));
        AssertError(Assert.Single(result.Errors), "VmNotFound", ErrorCategory.ObjectNotFound, "nobody");
        Assert.Equal("VmNotFound,Strato.PowerShell.Commands.GetStratoVmCommand", result.Errors[0].FullyQualifiedErrorId);
        Assert.Contains("'nobody'", result.Errors[0].ToString(), StringComparison.Ordinal);
        Assert.Single(result.Output);
    }

    [Fact]
    public void AWildcardWithoutMatchIsSilent()
    {
        Assert.Empty(Run(new Step("Get-StratoVm", "no*")).Output);
        Assert.Empty(Run(new Step("Remove-StratoVm", "no*")).Output);
    }

    [Fact]
    public void ADamagedDefinitionIsAnErrorBesideTheOthers()
    {
        Vm bad = New("bad");
        New("good");
        File.WriteAllText(Store.Paths.DefinitionFile(bad.Id), "{ \"name\": \"bad\", ");
        HostResult result = Host.Invoke(new Step("Get-StratoVm"));
        Assert.Equal(["good"], result.Of<Vm>().Select(vm => vm.Name));
        Assert.StartsWith("VmDefinitionDamaged,", Assert.Single(result.Errors).FullyQualifiedErrorId, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{ \"name\": \"bad\", ")]
    [InlineData("{ \"version\": 1, \"name\": \"bad\" }")]
    [InlineData("{ \"version\": 2, \"name\": \"bad\" }")]
    public void ADamagedVmIsToldAndRemovedByWhatCanBeReadOfItsName(string json)
    {
        New("good");
        foreach (string given in (string[])["BAD", "b*"])
        {
            Damage(json);
            ErrorRecord error = Error(new Step("Get-StratoVm", given));
            AssertError(error, "VmDefinitionDamaged", ErrorCategory.InvalidData, error.TargetObject);
            Assert.Contains("-Id", error.ErrorDetails!.RecommendedAction, StringComparison.Ordinal);
            Assert.Equal(["Remove the definition and the logs: bad"], Run(new Step("Remove-StratoVm", given).Switch("WhatIf")).ShouldProcess);
            Run(new Step("Remove-StratoVm", given).Switch("Force"));
            Assert.Equal("good", Run(new Step("Get-StratoVm")).Single<Vm>().Name);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("\0\0\0\0")]
    [InlineData("[]")]
    [InlineData("{ \"name\": ")]
    public void ADamagedVmWithoutANameIsRemovedByItsIdAlone(string json)
    {
        foreach (string parameter in (string[])["Name", "Id"])
        {
            string id = Damage(json);
            Assert.Equal(id, Error(new Step("Get-StratoVm")).TargetObject);
            Assert.Equal(id, Error(new Step("Get-StratoVm", id[..3] + "*")).TargetObject);
            AssertError(Error(new Step("Get-StratoVm", id)), "VmDefinitionDamaged", ErrorCategory.InvalidData, id);
            Assert.Empty(Run(new Step("Remove-StratoVm", "*").Switch("Force")).ShouldProcess);
            Assert.Single(Store.Client.List().Damaged);
            Run(new Step("Remove-StratoVm").With(parameter, id).Switch("Force"));
            Assert.Empty(Store.Client.List().Damaged);
        }
    }

    [Fact]
    public void RemoveTakesIds()
    {
        string id = New("web").Id;
        AssertError(Error(new Step("Remove-StratoVm").With("Id", "nobody00").Switch("Force")), "VmNotFound", ErrorCategory.ObjectNotFound, "nobody00");
        Assert.Equal(["Remove the definition and the logs: web"], Run(new Step("Remove-StratoVm").With("Id", id).Switch("WhatIf")).ShouldProcess);
        Run(new Step("Remove-StratoVm").With("Id", id).Switch("Force"));
        Assert.Empty(Run(new Step("Get-StratoVm")).Output);
    }

    [Theory]
    [InlineData("{ \"name\": \"web\"", true, true)]
    [InlineData("{ \"name\": \"web\"", true, false)]
    [InlineData("", false, true)]
    [InlineData("[]", false, false)]
    public void ADamagedVmThatRunsIsShownAndStopped(string json, bool named, bool turnOff)
    {
        New("good");
        Vm vm = Start();
        File.WriteAllText(Store.Paths.DefinitionFile(vm.Id), json);
        string name = named ? "web" : vm.Id;

        HostResult shown = Host.Invoke(new Step("Get-StratoVm"));
        AssertError(Assert.Single(shown.Errors), "VmDefinitionDamaged", ErrorCategory.InvalidData, name);
        Assert.Contains($"Stop-StratoVm {vm.Id} -TurnOff", shown.Errors[0].ErrorDetails!.RecommendedAction, StringComparison.Ordinal);
        Assert.Equal([("good", "Stopped", null), (name, "Running", vm.ProcessId)], shown.Of<Vm>().Select(one => (one.Name, one.State, one.ProcessId)));
        Assert.Contains("damaged", shown.Of<Vm>().Last().Status, StringComparison.Ordinal);
        foreach (Step step in (Step[])[new("Get-StratoVm", name), new("Get-StratoVm", name[..3] + "*"), new Step("Get-StratoVm").With("Id", vm.Id)])
        {
            HostResult one = Host.Invoke(step);
            AssertError(Assert.Single(one.Errors), "VmDefinitionDamaged", ErrorCategory.InvalidData, one.Errors[0].TargetObject);
            Assert.Equal(vm.ProcessId, Assert.Single(one.Of<Vm>()).ProcessId);
        }

        ErrorRecord error = Error(new Step("Remove-StratoVm", name).Switch("Force"));
        AssertError(error, "VmRunning", ErrorCategory.InvalidOperation, name);
        Assert.Contains($"Stop-StratoVm '{name}'", error.ErrorDetails!.RecommendedAction, StringComparison.Ordinal);

        // A wildcard means no VM whose name nobody can read; a name that can't be read is told of where it isn't found.
        Assert.Equal(named ? ["Power down: good", "Power down: web"] : ["Power down: good"], Run(new Step("Stop-StratoVm", "*").Switch("WhatIf")).ShouldProcess);
        if (!named)
        {
            error = Error(new Step("Stop-StratoVm", "web"));
            AssertError(error, "VmNotFound", ErrorCategory.ObjectNotFound, "web");
            Assert.Contains(vm.Id, error.ErrorDetails!.RecommendedAction, StringComparison.Ordinal);
        }

        Step stop = new Step("Stop-StratoVm", name).Switch("PassThru");
        Vm stopped = Run(turnOff ? stop.Switch("TurnOff") : stop).Single<Vm>();
        Assert.Equal(("Stopped", null), (stopped.State, stopped.ProcessId));
        Assert.Contains("damaged", stopped.Status, StringComparison.Ordinal);
        Run(new Step("Remove-StratoVm", name).Switch("Force"));
        Assert.Equal(["good"], Names(new Step("Get-StratoVm")));
    }

    [Fact]
    public void ADamagedVmThatRunsIsStoppedAsAnObject()
    {
        Vm vm = Start();
        File.WriteAllText(Store.Paths.DefinitionFile(vm.Id), "");
        vm.Refresh();
        Assert.Equal("Running", vm.State);
        HostResult result = Host.Invoke(new Step("Get-StratoVm"), new Step("Stop-StratoVm").Switch("TurnOff"));
        AssertError(Assert.Single(result.Errors), "VmDefinitionDamaged", ErrorCategory.InvalidData, vm.Id);
        vm.Refresh();
        Assert.Equal("Stopped", vm.State);
        AssertError(Error(new Step("Start-StratoVm", vm.Id)), "VmDefinitionDamaged", ErrorCategory.InvalidData, vm.Id);
    }

    private string Damage(string json)
    {
        Vm bad = New("bad");
        File.WriteAllText(Store.Paths.DefinitionFile(bad.Id), json);
        return bad.Id;
    }

    [Fact]
    public void SetChangesWhatIsGivenAndIsSilent()
    {
        New();
        Assert.Empty(Run(new Step("Set-StratoVm", "web").With("Memory", 1L << 30)).Output);
        Vm vm = Run(new Step("Get-StratoVm", "web"), new Step("Set-StratoVm").With("Cpu", 4).With("NewName", "www").Switch("PassThru")).Single<Vm>();
        Assert.Equal(("www", 1L << 30, 4, "quiet"), (vm.Name, vm.Memory, vm.Cpu, vm.CommandLine));
        Assert.Equal("", Run(new Step("Set-StratoVm", "www").With("CommandLine", "").Switch("PassThru")).Single<Vm>().CommandLine);
        Run(new Step("Set-StratoVm", "www").With("Cpu", 8).Switch("WhatIf"));
        Assert.Equal(4, Run(new Step("Get-StratoVm", "www")).Single<Vm>().Cpu);
    }

    [Fact]
    public void RefreshAsksAgainAndNothingElseDoes()
    {
        Vm vm = New();
        Run(new Step("Set-StratoVm", "web").With("Cpu", 2));
        Assert.Equal(1, vm.Cpu);
        vm.Refresh();
        Assert.Equal(2, vm.Cpu);
    }

    [Fact]
    public void RemoveAsksUnlessForced()
    {
        New("a");
        New("b");
        Host.Ask = _ => false;
        HostResult refused = Run(new Step("Remove-StratoVm", "*"));
        Assert.Equal(["Remove the definition and the logs: a", "Remove the definition and the logs: b"], refused.ShouldProcess);
        Run(new Step("Remove-StratoVm", "*").Switch("Force", "WhatIf"));
        Assert.Equal(2, Run(new Step("Get-StratoVm")).Output.Count);
        Run(new Step("Get-StratoVm", "a"), new Step("Remove-StratoVm").Switch("Force"));
        Assert.Equal(["b"], Names(new Step("Get-StratoVm")));
        Host.Ask = null;
        Run(new Step("Remove-StratoVm", "b"));
        Assert.Empty(Run(new Step("Get-StratoVm")).Output);
    }

    [Fact]
    public void AVmFromAJobIsFoundAgainById()
    {
        Vm vm = New();
        PSObject copy = new();
        copy.TypeNames.Insert(0, "Deserialized.Strato.Vm");
        copy.Properties.Add(new PSNoteProperty("Id", vm.Id));
        HostResult result = Host.Invoke([copy], new Step("Set-StratoVm").With("Cpu", 3).Switch("PassThru"));
        Assert.Equal(3, result.Single<Vm>().Cpu);
    }

    [Fact]
    public void AnEngineIsNotShutInWhereTheUserSaysSo()
    {
        Assert.False(New("db").NoSandbox);
        Assert.True(Run(new Step("New-StratoVm", "web").With("Kernel", "vmlinuz").Switch("NoSandbox")).Single<Vm>().NoSandbox);
        Run(new Step("Set-StratoVm", "web").With("Memory", 1L << 30));
        Vm web = Run(new Step("Get-StratoVm", "web")).Single<Vm>();
        Assert.True(web.NoSandbox);
        Assert.Null(web.IsSandboxed);
        Assert.True(Run(new Step("Get-StratoVm", "web"), new Step("New-StratoVm").With("Name", "copy")).Single<Vm>().NoSandbox);
        Run(new Step("Set-StratoVm", "web").With("NoSandbox", new SwitchParameter(false)));
        Assert.False(Run(new Step("Get-StratoVm", "web")).Single<Vm>().NoSandbox);
        Run(new Step("Start-StratoVm", "web"));
        AssertError(Error(new Step("Set-StratoVm", "web").Switch("NoSandbox")), "VmRunning", ErrorCategory.InvalidOperation, "web");
    }

    [Fact]
    public void EmptySlotsAreLeftOutWhereTheUserSaysSo()
    {
        Assert.False(New("db").NoHotPlug);
        Assert.DoesNotContain("hotplug", Machine("db"), StringComparison.Ordinal);
        Assert.True(Run(new Step("New-StratoVm", "web").With("Kernel", "vmlinuz").Switch("NoHotPlug")).Single<Vm>().NoHotPlug);
        Assert.Equal("type=microvm,hotplug=off", Machine("web"));
        Run(new Step("Set-StratoVm", "web").With("Memory", 1L << 30));
        Assert.True(Run(new Step("Get-StratoVm", "web")).Single<Vm>().NoHotPlug);

        // A VM on the pipeline is made once more as it was.
        Assert.True(Run(new Step("Get-StratoVm", "web"), new Step("New-StratoVm").With("Name", "copy")).Single<Vm>().NoHotPlug);
        Run(new Step("Set-StratoVm", "web").With("NoHotPlug", new SwitchParameter(false)));
        Assert.Equal("type=microvm", Machine("web"));
        Run(new Step("Start-StratoVm", "web"));
        AssertError(Error(new Step("Set-StratoVm", "web").Switch("NoHotPlug")), "VmRunning", ErrorCategory.InvalidOperation, "web");

        string Machine(string name)
        {
            List<string> line = EngineArguments.Build(Store.Client.Get(name), "/run", "/log", "/console", new StartOptions());
            return line[line.IndexOf("-machine") + 1];
        }
    }

    private string[] Names(params Step[] pipeline) => [.. Run(pipeline).Of<Vm>().Select(vm => vm.Name)];
}
