using System;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;
using Strato.Client;
using Strato.Client.Linux;
using Strato.Client.Store;
using Xunit;

namespace Strato.Tests.Unit.Client;

/// <summary>VMs that are gone when they have run, however they end.</summary>
public sealed class EphemeralTests : IDisposable
{
    private readonly ClientFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    private StratoClient Client => _fixture.Client;

    private VmDefinition Create(string name = "web", string commandLine = "quiet") =>
        Client.Create(new VmSettings { Name = name, Kernel = _fixture.Kernel, CommandLine = commandLine, Ephemeral = true });

    private VmInfo Start(string commandLine = "quiet") => Client.Start(Create(commandLine: commandLine).Id, null, _fixture.Token);

    private void AssertNothingIsLeft(string id)
    {
        Assert.False(Directory.Exists(_fixture.Paths.VmDirectory(id)));
        Assert.False(Directory.Exists(_fixture.Paths.RuntimeDirectory(id)));
        Assert.Empty(Directory.EnumerateDirectories(_fixture.Paths.VmsDirectory));
    }

    [Fact]
    public void OneThatWasNeverStartedStays()
    {
        VmDefinition vm = Create();
        Assert.True(Client.Get("web").Ephemeral && Client.Snapshot(vm.Id).Ephemeral);
        Assert.Equal(VmState.Stopped, Client.Stop(vm.Id, null, _fixture.Token).State);
        Client.Wait(vm.Id, WaitTarget.Stopped, null, _fixture.Token);
        Assert.Single(Client.List().Definitions);
        Client.Delete(vm.Id);
        AssertNothingIsLeft(vm.Id);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void StoppingRemovesIt(bool turnOff)
    {
        VmInfo vm = Start();
        VmInfo stopped = Client.Stop(vm.Id, new StopOptions { TurnOff = turnOff }, _fixture.Token);
        Assert.Equal((VmState.Stopped, null, "Operating normally"), (stopped.State, stopped.StateReason, stopped.Status));
        AssertNothingIsLeft(vm.Id);
        ClientFixture.Fails("VmNotFound", () => Client.Start(vm.Id));
    }

    [Fact]
    public void WaitingForItsEndRemovesItAndAWaitThatComesLaterIsOver()
    {
        VmInfo vm = Start("print=done short");
        Assert.Equal(VmState.Stopped, Client.Wait(vm.Id, WaitTarget.Stopped, null, _fixture.Token).Vm.State);
        AssertNothingIsLeft(vm.Id);
        Assert.Equal("web", Client.Wait(vm.Id, WaitTarget.Stopped, new WaitOptions { Seen = vm.Definition }, _fixture.Token).Vm.Name);
        Assert.Equal(VmState.Stopped, Client.Stop(vm.Id, new StopOptions { Seen = vm.Definition }, _fixture.Token).State);
        ClientFixture.Fails("VmNotFound", () => Client.Wait(vm.Id, WaitTarget.Stopped, null, _fixture.Token));
    }

    [Fact]
    public void WhatItPrintedIsFoundAfterItsEndAndThenItIsGone()
    {
        VmInfo vm = Start("print=done short");
        ClientFixture.Until(() => Client.Snapshot(vm.Id).State == VmState.Stopped, "the end");
        Assert.Equal("done", Client.Wait(vm.Id, WaitTarget.Console, new WaitOptions { Match = new Regex("done") }, _fixture.Token).ConsoleMatch!.Text);
        AssertNothingIsLeft(vm.Id);
    }

    [Fact]
    public void NobodyWaitsForAnEndedOneToRun()
    {
        VmInfo vm = Start("short");
        ClientFixture.Until(() => Client.Snapshot(vm.Id).State == VmState.Stopped, "the end");
        ClientFixture.Fails("VmEnded", () => Client.Wait(vm.Id, WaitTarget.Paused, null, _fixture.Token));
        AssertNothingIsLeft(vm.Id);
    }

    [Theory]
    [InlineData("list")]
    [InlineData("find")]
    [InlineData("get")]
    [InlineData("create")]
    [InlineData("start")]
    [InlineData("rename")]
    [InlineData("copy")]
    public void WhoLooksNextRemovesOneWhoseEngineWasKilled(string command)
    {
        VmDefinition other = _fixture.Create("other");
        VmInfo vm = Start();
        ClientFixture.Signal(vm.ProcessId!.Value, Libc.SIGKILL);
        ClientFixture.Until(() => Client.Snapshot(vm.Id).State == VmState.Stopped, "the end");
        Assert.Equal("web", Assert.Single(Client.Find("web", withEnded: true)).Name);
        switch (command)
        {
            case "list":
                Assert.Equal("other", Assert.Single(Client.List().Definitions).Name);
                break;
            case "find":
                Assert.Empty(Client.Find("web"));
                break;
            case "get":
                ClientFixture.Fails("VmNotFound", () => Client.Get("web"));
                break;
            case "create":
                _fixture.Create();
                break;
            case "start":
                ClientFixture.Fails("VmNotFound", () => Client.Start(vm.Id));
                break;
            case "rename":
                Client.Update(other.Id, new VmSettings { Name = "web" });
                break;
            default:
                Client.Copy(other.Id, "web");
                break;
        }

        Assert.False(Directory.Exists(_fixture.Paths.VmDirectory(vm.Id)));
        Assert.False(Directory.Exists(_fixture.Paths.RuntimeDirectory(vm.Id)));
    }

    [Fact]
    public async Task ARestartKeepsItWhoeverLooksMeanwhile()
    {
        VmInfo vm = Start();
        Assert.Equal(vm.ProcessId, Client.Restart(vm.Id, RestartKind.Reset, null, _fixture.Token).ProcessId);
        using CancellationTokenSource enough = new();
        Task looking = Task.Run(
            () =>
            {
                while (!enough.IsCancellationRequested)
                {
                    Client.List();
                }
            },
            _fixture.Token);
        VmInfo again = Client.Restart(vm.Id, RestartKind.Reboot, null, _fixture.Token);
        await enough.CancelAsync();
        await looking.WaitAsync(TimeSpan.FromSeconds(20), _fixture.Token);
        Assert.Equal(VmState.Running, again.State);
        Assert.NotEqual(vm.ProcessId, again.ProcessId);
        Assert.Single(Client.List().Definitions);
    }

    [Fact]
    public void ARestartThatFailsIsItsEnd()
    {
        VmInfo vm = Start();
        _fixture.UseEngineScript("exit 3");
        ClientFixture.Fails("EngineFailed", () => Client.Restart(vm.Id, RestartKind.Reboot, null, _fixture.Token));
        AssertNothingIsLeft(vm.Id);
    }

    [Fact]
    public void ARestartThatIsKilledHalfwayIsItsEnd()
    {
        // As one is that was killed between the end of one engine and the start of the next.
        VmDefinition vm = Create();
        File.WriteAllText(_fixture.Paths.MakerLock(vm.Id), "");
        Assert.Empty(Client.List().Definitions);
        AssertNothingIsLeft(vm.Id);
    }

    [Fact]
    public async Task OneThatRanWhileAnotherWaitedForItsLockDoesNotRunAgain()
    {
        VmDefinition vm = Create(commandLine: "short");
        Task<VmInfo> second;
        using (new VmStore(_fixture.Paths).Lock(vm.Id, _fixture.Token))
        {
            second = Task.Run(() => Client.Start(vm.Id, null, _fixture.Token), _fixture.Token);
            ClientFixture.Until(() => second.Status == TaskStatus.Running, "the second start");

            // The record of a run that is over, which the first start would have left.
            File.WriteAllText(_fixture.Paths.RunFile(vm.Id), """{"pid":2147483,"startTime":1,"bootId":"x","runtime":"/nowhere"}""");
        }

        StratoException error = await Assert.ThrowsAsync<StratoException>(() => second);
        Assert.Equal("VmNotFound", error.Id);
    }

    [Fact]
    public void OneThatCouldNotBeRemovedWhenItStoppedIsRemovedByTheNext()
    {
        VmInfo vm = Start();
        using (new VmStore(_fixture.Paths).Lock(vm.Id, _fixture.Token))
        {
            Assert.Equal(VmState.Stopped, Client.Stop(vm.Id, new StopOptions { TurnOff = true }, _fixture.Token).State);
        }

        Assert.Empty(Client.List().Definitions);
        AssertNothingIsLeft(vm.Id);
    }

    [Theory]
    [InlineData("fail", "KernelNotFound")]
    [InlineData("crash", "EngineFailed")]
    public void OneWhoseStartFailsStays(string commandLine, string error)
    {
        VmDefinition vm = Create(commandLine: commandLine);
        ClientFixture.Fails(error, () => Client.Start(vm.Id, null, _fixture.Token));
        Assert.Single(Client.List().Definitions);
        ClientFixture.Fails(error, () => Client.Start(vm.Id, null, _fixture.Token));
    }

    [Fact]
    public void OneThatIsLockedIsLeftForTheNextAndHoldsUpNobody()
    {
        VmInfo vm = Start("short");
        ClientFixture.Until(() => Client.Snapshot(vm.Id).State == VmState.Stopped, "the end");
        using (new VmStore(_fixture.Paths).Lock(vm.Id, _fixture.Token))
        {
            Assert.Single(Client.List().Definitions);
        }

        Assert.Empty(Client.List().Definitions);
    }

    [Fact]
    public void EveryDriveThatCanBeWrittenThrowsChangesAway()
    {
        string disk = _fixture.WriteFile("root.img", new string('d', 512));
        VmDefinition vm = Create();
        Assert.True(Client.AddDrive(vm.Id, new DriveSettings { Path = disk }).Io.Snapshot);
        Assert.Null(Client.AddDrive(vm.Id, new DriveSettings { Path = disk, ReadOnly = true }).Io.Snapshot);
        Assert.True(Client.SetDrive(vm.Id, "disk1", new DriveChange { ReadOnly = false }).Io.Snapshot);
        ClientFixture.Fails("EphemeralDrive", () => Client.AddDrive(vm.Id, new DriveSettings { Path = disk, Io = new DriveIo { Snapshot = false } }));
        ClientFixture.Fails("EphemeralDrive", () => Client.SetDrive(vm.Id, "disk0", new DriveChange { Io = new DriveIo { Snapshot = false } }));

        // Also where somebody has written the definition by hand.
        string path = _fixture.Paths.DefinitionFile(vm.Id);
        File.WriteAllText(path, File.ReadAllText(path).Replace("\"snapshot\"", "\"_\"", StringComparison.Ordinal));
        Assert.All(Client.Get("web").Drives, drive => Assert.True(drive.Io.Snapshot));
        VmInfo running = Client.Start(vm.Id, null, _fixture.Token);
        Assert.Equal(2, Procfs.ReadText($"/proc/{running.ProcessId}/cmdline")!.Split('\0').Count(argument => argument.Contains("snapshot=on", StringComparison.Ordinal)));
    }

    [Fact]
    public void ACopyIsEphemeralToo()
    {
        VmDefinition vm = Create();
        Assert.True(Client.Copy(vm.Id, "copy").Vm.Ephemeral);
    }
}
