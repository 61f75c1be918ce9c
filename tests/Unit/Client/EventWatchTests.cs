using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Strato.Client;
using Xunit;

namespace Strato.Tests.Unit.Client;

/// <summary>One stream of many VMs' events.</summary>
public sealed class EventWatchTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly ClientFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    private StratoClient Client => _fixture.Client;

    [Fact]
    public void TellsOfVmsThatRunAndOfThoseThatCome()
    {
        VmInfo web = _fixture.Start();
        using EventWatch watch = Client.WatchEvents(["*"], []);
        Client.Suspend(web.Id, _fixture.Token);
        Assert.Equal(("web", "STOP"), Next(watch));
        VmDefinition db = _fixture.Create("db");
        Client.Start(db.Id, null, _fixture.Token);
        Assert.Equal(("db", VmEvent.Started), Next(watch));
        Client.Suspend(db.Id, _fixture.Token);
        Assert.Equal(("db", "STOP"), Next(watch));
        Client.Resume(web.Id, _fixture.Token);
        Assert.Equal(("web", "RESUME"), Next(watch));
    }

    [Fact]
    public void AnEndIsToldWithItsReasonAndTheNextStartToo()
    {
        VmInfo web = _fixture.Start();
        using EventWatch watch = Client.WatchEvents(null, [web.Id]);
        ClientFixture.Signal(web.ProcessId!.Value, 9);
        VmEvent ended = watch.Read(Limit, _fixture.Token)!;
        Assert.Equal((web.Id, VmEvent.Ended), (ended.VmId, ended.Name));
        Assert.Contains("ended unexpectedly", ended.Data.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Client.Start(web.Id, null, _fixture.Token);
        Assert.Equal(("web", VmEvent.Started), Next(watch));

        Client.Stop(web.Id, new StopOptions { TurnOff = true }, _fixture.Token);
        List<string> names = [];
        while (names.LastOrDefault() != VmEvent.Ended)
        {
            names.Add(Next(watch).Name);
        }

        Assert.Equal([VmEvent.Ended], names.Except(["SHUTDOWN"]));
    }

    /// <summary>What listens on the socket when it is looked at again is the next engine.</summary>
    [Fact]
    public void AnEngineThatWasReplacedUnseenHasEnded()
    {
        VmInfo web = _fixture.Start();
        using EventWatch watch = Client.WatchEvents(["*"], []);
        ClientFixture.Signal(web.ProcessId!.Value, 9);
        ClientFixture.Until(() => Client.Snapshot(web.Id).State == VmState.Stopped, "the end");
        int second = Client.Start(web.Id, null, _fixture.Token).ProcessId!.Value;
        VmEvent ended = watch.Read(Limit, _fixture.Token)!;
        Assert.Equal((VmEvent.Ended, "It ended, and was started again since."), (ended.Name, ended.Data.GetProperty("reason").GetString()));
        Assert.Equal(("web", VmEvent.Started), Next(watch));
        Client.Suspend(web.Id, _fixture.Token);
        Assert.Equal(("web", "STOP"), Next(watch));
        ClientFixture.Signal(second, 9);
        Assert.Equal(("web", VmEvent.Ended), Next(watch));
    }

    [Fact]
    public void AnEngineThatHangsHoldsUpNobody()
    {
        VmInfo web = _fixture.Start();
        VmInfo hung = _fixture.Start("hung");
        ClientFixture.Signal(hung.ProcessId!.Value, 19);
        using EventWatch watch = Client.WatchEvents(["*"], []);
        Client.Suspend(web.Id, _fixture.Token);
        Assert.Equal(("web", "STOP"), Next(watch));
        ClientFixture.Signal(hung.ProcessId!.Value, 18);
        ClientFixture.Until(() => Client.Snapshot(hung.Id).State == VmState.Running, "the engine that goes on");
        Client.Suspend(hung.Id, _fixture.Token);
        Assert.Equal(("hung", "STOP"), Next(watch));
    }

    [Fact]
    public void OnlyThoseThatWereAskedFor()
    {
        VmInfo web = _fixture.Start();
        VmInfo other = _fixture.Start("other");
        using EventWatch watch = Client.WatchEvents(["w*"], []);
        Client.Suspend(other.Id, _fixture.Token);
        Client.Suspend(web.Id, _fixture.Token);
        Assert.Equal(("web", "STOP"), Next(watch));
        Client.Update(other.Id, new VmSettings { Name = "web2" });
        Assert.Null(watch.Read(TimeSpan.Zero, _fixture.Token));
        Client.Resume(other.Id, _fixture.Token);
        Assert.Equal(("web2", "RESUME"), Next(watch));
    }

    [Fact]
    public void ANameIsItselfAndOneThatIsGivenAwayIsNoLonger()
    {
        VmInfo web = _fixture.Start("web[1]");
        using EventWatch watch = Client.WatchEvents(["web[1]"], []);
        Client.Suspend(web.Id, _fixture.Token);
        Assert.Equal(("web[1]", "STOP"), Next(watch));
        Client.Update(web.Id, new VmSettings { Name = "other" });
        Assert.Null(watch.Read(TimeSpan.Zero, _fixture.Token));
        Client.Resume(web.Id, _fixture.Token);
        Assert.Null(watch.Read(TimeSpan.FromMilliseconds(50), _fixture.Token));
    }

    [Fact]
    public void TheFolderOfVmsIsItsOwnersAlone()
    {
        using EventWatch watch = Client.WatchEvents(["*"], []);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(_fixture.Paths.VmsDirectory));
    }

    [Fact]
    public async Task TheWaitEndsAtItsLimitAndByTheToken()
    {
        _fixture.Start();
        using EventWatch watch = Client.WatchEvents(["*"], []);
        Assert.Null(watch.Read(TimeSpan.FromMilliseconds(20), _fixture.Token));
        using CancellationTokenSource stop = new();
        Task<VmEvent?> read = Task.Factory.StartNew(() => watch.Read(null, stop.Token), _fixture.Token, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read);
    }

    private (string Vm, string Name) Next(EventWatch watch)
    {
        VmEvent told = watch.Read(Limit, _fixture.Token) ?? throw new InvalidOperationException($"no event within {Limit}");
        return (told.VmName, told.Name);
    }
}
