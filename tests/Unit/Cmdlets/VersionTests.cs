using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using Strato.Tests.CmdletHost;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>A module that was updated while VMs ran: their engines, and what was written down about them, are of another version.</summary>
[Collection(CmdletCollection.Name)]
public sealed class VersionTests : CmdletTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AnEngineOfAnotherVersionIsRecognisedAndControlled(bool turnOff)
    {
        Vm vm = Start("web", "alien");
        Assert.Equal(("Running", "9.8.7", "Operating normally"), (vm.State, vm.EngineVersion, vm.Status));
        Assert.Equal(vm.Memory, vm.MemoryAssigned);
        Assert.Equal("Paused", Run(new Step("Suspend-StratoVm", "web").Switch("PassThru")).Single<Vm>().State);
        Assert.Equal("Running", Run(new Step("Resume-StratoVm", "web").Switch("PassThru")).Single<Vm>().State);
        Assert.Equal("Running", Run(new Step("Wait-StratoVm", "web").Switch("PassThru")).Single<Vm>().State);
        Assert.Contains("fake engine", Run(new Step("Get-StratoConsole", "web")).Of<string>());
        Assert.Equal("VmRunning", Error(new Step("Remove-StratoVm", "web").Switch("Force")).FullyQualifiedErrorId.Split(',')[0]);

        // Without quit it can only be ended from outside.
        Step stop = new Step("Stop-StratoVm", "web").Switch("PassThru");
        Vm stopped = Run(turnOff ? stop.Switch("TurnOff") : stop).Single<Vm>();
        Assert.Equal(("Stopped", null, null, "Operating normally"), (stopped.State, stopped.EngineVersion, stopped.ProcessId, stopped.Status));
        Run(new Step("Remove-StratoVm", "web").Switch("Force"));
        Assert.Empty(Run(new Step("Get-StratoVm")).Output);
    }

    /// <summary>The record of a run that an older module wrote has less in it, and a newer one's more.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ARunThatAnotherModuleWroteDownIsTheSameRun(bool newer)
    {
        Vm vm = Start();
        string path = Store.Paths.RunFile(vm.Id);
        JsonObject run = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        foreach (string name in (string[])["force", "sandboxed"])
        {
            run.Remove(name);
        }

        if (newer)
        {
            run["force"] = "maybe";
            run["cgroup"] = new JsonArray(1);
            run["more"] = new JsonObject { ["a"] = 1 };
        }

        File.WriteAllText(path, run.ToJsonString());
        Assert.Equal(vm.ProcessId, Run(new Step("Get-StratoVm", "web")).Single<Vm>().ProcessId);
        Assert.Equal("Stopped", Run(new Step("Stop-StratoVm", "web").Switch("PassThru")).Single<Vm>().State);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Store.Paths.RuntimeRoot));
        Assert.False(Store.Client.List().Definitions.Single().Ephemeral);
    }
}
