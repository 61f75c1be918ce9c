using System;
using System.Collections.Concurrent;
using System.Linq;
using System.Management.Automation;
using System.Threading.Tasks;
using Strato.PowerShell;
using Strato.Tests.CmdletHost;
using Strato.Tests.Unit.Client;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Watch-StratoEvent.</summary>
[Collection(CmdletCollection.Name)]
public sealed class EventTests : CmdletTests
{
    [Fact]
    public async Task EventsAreObjects()
    {
        Vm web = Start();
        Task<HostResult> watching = InBackground(new Step("Watch-StratoEvent", "web").With("Event", new[] { "RES*", "STOP" }).With("Count", 2));
        UntilWatched(web);
        Store.Client.Suspend(web.Id, Store.Token);
        Store.Client.Resume(web.Id, Store.Token);
        Event[] events = [.. (await watching).Output.Cast<Event>()];
        Assert.Equal([("web", "STOP"), ("web", "RESUME")], events.Select(told => (told.VMName, told.Name)));
        Assert.Equal(DateTimeKind.Local, events[0].Time.Kind);
        Assert.Equal("web STOP {}", events[0].ToString());
    }

    [Fact]
    public async Task TheEndOfAnObjectsVmIsTold()
    {
        Vm web = Start();
        Start("other");
        Task<HostResult> watching = InBackground(new Step("Watch-StratoEvent").With("VM", new[] { web }).With("Event", new[] { "ENDED" }).With("Count", 1));
        UntilWatched(web);
        ClientFixture.Signal(web.ProcessId!.Value, 9);
        Event told = (await watching).Output.Cast<Event>().Single();
        Assert.Contains("ended unexpectedly", ((PSObject)told.Data!).Properties["reason"]?.Value as string, StringComparison.Ordinal);
    }

    [Fact]
    public void ANameThatNoVmHasIsAnErrorAndTheTimeLimitIsNone()
    {
        AssertError(Error(new Step("Watch-StratoEvent", "nobody")), "VmNotFound", ErrorCategory.ObjectNotFound, "nobody");
        Assert.Empty(Run(new Step("Watch-StratoEvent", "no*").With("Timeout", 0)).Output);
    }

    [Fact]
    public void CompletesTheEnginesEvents()
    {
        string[] offered = [.. new EventNameCompleter().CompleteArgument("", "", "", null!, new System.Collections.Hashtable()).Select(result => result.CompletionText)];
        Assert.Equal(Engine.Qmp.Schema.QmpEvent.All.Select(told => told.Name).Concat([global::Strato.Client.VmEvent.Started, global::Strato.Client.VmEvent.Ended]).Order(StringComparer.Ordinal), offered.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void ASubscriptionRunsItsActionUntilItIsEnded()
    {
        Vm web = Start();
        using BlockingCollection<Event> told = [];
        ScriptBlock action = new(arguments => told.Add((Event)arguments!));
        HostResult result = Run(new Step("Register-StratoEvent", "web").With("Event", new[] { "STOP" }).With("Action", action).With("SourceIdentifier", "stops"));
        Assert.IsType<PSEventJob>(Assert.Single(result.Output));
        Store.Client.Suspend(web.Id, Store.Token);
        Assert.True(told.TryTake(out Event? first, 60_000, Store.Token));
        Assert.Equal(("web", "STOP"), (first.VMName, first.Name));
        AssertError(Error(new Step("Register-StratoEvent", "web").With("SourceIdentifier", "Stops")), "SubscriberExists", ErrorCategory.ResourceExists, "Stops");

        Host.Events.Subscribers.Single().Unsubscribe();
        ClientFixture.Until(() => Connections(web) == 0, "the end of the connection");
        Store.Client.Resume(web.Id, Store.Token);
        Assert.Empty(told);
    }

    [Fact]
    public void ASubscriptionWithoutAnActionIsQueuedAndEmitsNothing()
    {
        Vm web = Start();
        Assert.Empty(Run(new Step("Register-StratoEvent")).Output);
        Store.Client.Suspend(web.Id, Store.Token);
        ClientFixture.Until(() => Host.Events.Queue.Count > 0, "the event");
        Assert.Equal("web STOP {}", Host.Events.Queue[0]!.ToString());
        Host.Events.Subscribers.Single().Unsubscribe();
    }

    private Task<HostResult> InBackground(params Step[] pipeline) =>
        Task.Factory.StartNew(() => Host.Invoke(pipeline), Store.Token, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>The fake engine's clients are this test's alone.</summary>
    private void UntilWatched(Vm vm) => ClientFixture.Until(() => Connections(vm) > 0, "a connection of the watch");

    private static int Connections(Vm vm) => System.IO.File.ReadLines("/proc/net/unix").Count(line => line.EndsWith(" " + vm.QmpPath, StringComparison.Ordinal)) - 1;
}
