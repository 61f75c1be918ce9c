using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Qmp;
using Strato.Client.Runtime;
using Strato.Client.Store;

namespace Strato.Client;

/// <summary>The events of many VMs in one stream: of those that run, and of those that are started or made meanwhile.</summary>
/// <remarks>
/// One connection to each engine, one watch of the folders where starts are noted, and one wait for all of them; nothing is polled, and no
/// engine holds up the others. Of what happens before an engine has answered nothing is told. One thread at a time.
/// </remarks>
public sealed class EventWatch : IDisposable
{
    // An engine that doesn't answer is tried again after so long, and so is one that has closed the connection but runs on.
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(1);

    private readonly StratoClient _client;
    private readonly EngineRegistry _registry;
    private readonly IReadOnlyList<string>? _names;
    private readonly HashSet<string> _ids;
    private readonly DirectoryWatch _folders;
    private readonly Dictionary<string, Source> _sources = [];
    private readonly Queue<VmEvent> _events = new();
    private Deadline _retry = Deadline.Never;

    // Those that ran before this began: it doesn't tell that they were started.
    private readonly HashSet<(int Pid, long StartTime)> _old = [];

    /// <param name="client">The store.</param>
    /// <param name="registry">Which engines run.</param>
    /// <param name="names">Names and wildcards, for VMs that come later, too; null for none.</param>
    /// <param name="ids">Ids of VMs.</param>
    /// <param name="token">Ends the wait for the engines.</param>
    internal EventWatch(StratoClient client, EngineRegistry registry, IReadOnlyList<string>? names, IEnumerable<string> ids, CancellationToken token)
    {
        _client = client;
        _registry = registry;
        _names = names;
        _ids = [.. ids];
        _folders = new DirectoryWatch(client.Paths.VmsDirectory);
        try
        {
            Begin(token);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Waits for the next event.</summary>
    /// <param name="timeout">Null waits for ever.</param>
    /// <param name="token">Ends the wait.</param>
    /// <returns>Null when the time limit passed.</returns>
    public VmEvent? Read(TimeSpan? timeout = null, CancellationToken token = default)
    {
        Deadline deadline = Deadline.After(timeout);
        using Waiter waiter = new(token);
        while (_events.Count == 0)
        {
            token.ThrowIfCancellationRequested();
            if (!Turn(waiter, deadline) && deadline.Passed)
            {
                return null;
            }
        }

        return _events.Dequeue();
    }

    public void Dispose()
    {
        foreach (Source source in _sources.Values)
        {
            source.Dispose();
        }

        _folders.Dispose();
    }

    /// <summary>Finds who runs, and gives the engines a moment to answer: from then on nothing of theirs is missed.</summary>
    private void Begin(CancellationToken token)
    {
        foreach (VmDefinition vm in new VmStore(_client.Paths).List().Definitions)
        {
            using EngineProcess? process = _registry.TryOpen(vm.Id);
            if (process is { Run.Ready: true })
            {
                _old.Add((process.Run.Pid, process.Run.StartTime));
            }
        }

        Look();
        Deadline deadline = Deadline.After(QmpConnection.QuickLimit);
        using Waiter waiter = new(token);
        while (_sources.Values.Any(source => source.Qmp is { Listens: false }) && !deadline.Passed)
        {
            Turn(waiter, deadline);
        }
    }

    /// <summary>Waits for one thing to happen; false when the time limit passed.</summary>
    private bool Turn(Waiter waiter, Deadline deadline)
    {
        if (_retry.Passed)
        {
            Look();
            return true;
        }

        Source[] sources = [.. _sources.Values];
        int[] descriptors = [_folders.Fd, .. sources.Select(source => source.Fd)];
        int ready = waiter.WaitReadable(deadline.Sooner(_retry), descriptors);
        if (ready == 0)
        {
            Look();
        }
        else if (ready > 0)
        {
            // All that have something, so that one that tells without end doesn't hide the others.
            Hear(sources[ready - 1]);
            foreach (Source source in sources)
            {
                if (source != sources[ready - 1] && source.Qmp is not null && !Take(source))
                {
                    Retry();
                }
            }
        }

        return ready >= 0;
    }

    /// <summary>Finds the engines that are there now.</summary>
    private void Look()
    {
        _retry = Deadline.Never;
        _folders.Clear();
        foreach (VmDefinition vm in new VmStore(_client.Paths).List().Definitions)
        {
            bool isMeant = _ids.Contains(vm.Id) || _names?.Any(name => VmStore.SameName(name, vm.Name) || Wildcard.Matches(name, vm.Name)) == true;

            // A VM may get a name that is asked for.
            bool isWatched = (isMeant || _names is not null) && _folders.TryAdd(_client.Paths.VmDirectory(vm.Id));
            if (isMeant && isWatched)
            {
                Look(vm);
            }
            else if (_sources.Remove(vm.Id, out Source? renamed))
            {
                renamed.Dispose();
            }
        }
    }

    private void Look(VmDefinition vm)
    {
        if (_sources.TryGetValue(vm.Id, out Source? source))
        {
            source.Name = vm.Name;

            // What listens on the socket now may be the next engine.
            if (source.Process.HasEnded)
            {
                Finish(source);
            }
            else
            {
                source.Qmp ??= TryConnect(source.Process);
                return;
            }
        }

        if (_registry.TryOpen(vm.Id) is not { } process)
        {
            return;
        }

        if (!process.Run.Ready)
        {
            // Its record is written anew when it is ready, unless the shell that starts it dies.
            process.Dispose();
            Retry();
            return;
        }

        _sources.Add(vm.Id, new Source(vm, process) { Qmp = TryConnect(process) });
        if (!_old.Contains((process.Run.Pid, process.Run.StartTime)))
        {
            Tell(vm.Id, vm.Name, VmEvent.Started, null);
        }
    }

    private QmpEventStream? TryConnect(EngineProcess process)
    {
        QmpEventStream? stream = null;
        try
        {
            RuntimeFolder.Check(process.Run.Runtime);
            stream = QmpEventStream.TryConnect(process.Run.QmpSocket);
        }
        catch (StratoException)
        {
            // It ends just now, or its folder isn't to be trusted.
        }

        if (stream is null)
        {
            Retry();
        }

        return stream;
    }

    private void Retry() => _retry = _retry.Sooner(Deadline.After(RetryInterval));

    private void Hear(Source source)
    {
        if (source.Qmp is null)
        {
            // Without a connection it is the process that is waited for.
            Finish(source);

            // Another may run for this VM already.
            _retry = Deadline.After(TimeSpan.Zero);
        }
        else if (!Take(source))
        {
            Retry();
        }
    }

    /// <summary>Takes all events that are there; false when the connection is over.</summary>
    private bool Take(Source source)
    {
        QmpEventStream qmp = source.Qmp!;
        bool ended;
        try
        {
            while (qmp.TryTake(out ended) is { } told)
            {
                _events.Enqueue(new VmEvent(source.Id, source.Name, told.Name, told.Data, told.Timestamp, told.Dropped));
            }
        }
        catch (StratoException)
        {
            ended = true;
        }

        if (ended)
        {
            qmp.Dispose();
            source.Qmp = null;
        }

        return !ended;
    }

    /// <summary>Tells what an engine that has ended said last, and its end.</summary>
    private void Finish(Source source)
    {
        if (source.Qmp is not null)
        {
            Take(source);
        }

        _sources.Remove(source.Id);
        using (source)
        {
            // What the next engine has left in the same places says nothing of this one.
            RunRecord run = source.Process.Run;
            bool isLast = _registry.LastRun(source.Id) is not { } last || (last.Pid == run.Pid && last.StartTime == run.StartTime);
            Tell(source.Id, source.Name, VmEvent.Ended, isLast ? _registry.WhyEnded(source.Id, run) ?? "It was powered off." : "It ended, and was started again since.");
        }
    }

    private void Tell(string id, string vmName, string name, string? reason)
    {
        using JsonDocument data = JsonDocument.Parse(reason is null ? "{}" : $$"""{"reason":"{{JsonEncodedText.Encode(reason)}}"}""");
        _events.Enqueue(new VmEvent(id, vmName, name, data.RootElement.Clone(), DateTimeOffset.UtcNow));
    }

    /// <summary>One engine.</summary>
    private sealed class Source(VmDefinition vm, EngineProcess process) : IDisposable
    {
        public string Id => vm.Id;

        public string Name { get; set; } = vm.Name;

        public EngineProcess Process => process;

        public QmpEventStream? Qmp { get; set; }

        /// <summary>What becomes readable next: its connection, and when that is gone its process at its end.</summary>
        public int Fd => Qmp?.Fd ?? process.Fd;

        public void Dispose()
        {
            Qmp?.Dispose();
            process.Dispose();
        }
    }
}
