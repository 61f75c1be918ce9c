using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Strato.Client.Store;

namespace Strato.Client;

/// <summary>The events of many VMs in one stream: of those that run, and of those that are started or made meanwhile.</summary>
/// <remarks>
/// One connection to each engine, one watch of the folders where starts are noted, and one wait for all of them; nothing is polled. Of what
/// happens before an engine is noted as ready nothing is told. One thread at a time.
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
    internal EventWatch(StratoClient client, EngineRegistry registry, IReadOnlyList<string>? names, IEnumerable<string> ids)
    {
        _client = client;
        _registry = registry;
        _names = names;
        _ids = [.. ids];
        Directory.CreateDirectory(client.Paths.VmsDirectory);
        _folders = new DirectoryWatch(client.Paths.VmsDirectory);
        foreach (VmDefinition vm in client.List().Definitions)
        {
            using EngineProcess? process = registry.TryOpen(vm.Id);
            if (process is { Run.Ready: true })
            {
                _old.Add((process.Run.Pid, process.Run.StartTime));
            }
        }

        Look(CancellationToken.None);
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
            if (_retry.Passed)
            {
                Look(token);
                continue;
            }

            Source[] sources = [.. _sources.Values];
            int[] descriptors = [_folders.Fd, .. sources.Select(source => source.Fd)];
            int ready = waiter.WaitReadable(deadline.Sooner(_retry), descriptors);
            if (ready == 0)
            {
                Look(token);
            }
            else if (ready > 0)
            {
                Hear(sources[ready - 1]);
            }
            else if (deadline.Passed)
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

    /// <summary>Finds the engines that are there now.</summary>
    private void Look(CancellationToken token)
    {
        _retry = Deadline.Never;
        _folders.Clear();
        foreach (VmDefinition vm in _client.List().Definitions)
        {
            bool isMeant = _ids.Contains(vm.Id) || _names?.Any(name => Wildcard.Matches(name, vm.Name)) == true;

            // A VM may get a name that is asked for.
            bool isWatched = (isMeant || _names is not null) && _folders.TryAdd(_client.Paths.VmDirectory(vm.Id));
            if (!isMeant || !isWatched)
            {
                continue;
            }

            if (_sources.TryGetValue(vm.Id, out Source? source))
            {
                source.Name = vm.Name;
                source.Qmp ??= TryConnect(source.Process, vm.Name, token);
                continue;
            }

            if (_registry.TryOpen(vm.Id) is not { } process)
            {
                continue;
            }

            if (!process.Run.Ready)
            {
                // Its record is written anew when it is ready, unless the shell that starts it dies.
                process.Dispose();
                Retry();
                continue;
            }

            _sources.Add(vm.Id, new Source(vm, process) { Qmp = TryConnect(process, vm.Name, token) });
            if (!_old.Contains((process.Run.Pid, process.Run.StartTime)))
            {
                Tell(vm.Id, vm.Name, VmEvent.Started, null);
            }
        }
    }

    private QmpConnection? TryConnect(EngineProcess process, string name, CancellationToken token)
    {
        try
        {
            RuntimeFolder.Check(process.Run.Runtime);
            return QmpConnection.Open(process.Run.QmpSocket, name, QmpConnection.QuickLimit, token);
        }
        catch (StratoException)
        {
            // It hangs, or ends: then its process tells.
            Retry();
            return null;
        }
    }

    private void Retry() => _retry = _retry.Sooner(Deadline.After(RetryInterval));

    private void Hear(Source source)
    {
        if (source.Qmp is { } qmp)
        {
            bool ended;
            try
            {
                while (qmp.TryTakeEvent(out ended) is { } told)
                {
                    _events.Enqueue(new VmEvent(source.Id, source.Name, told.Name, told.Data, told.Timestamp));
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
                Retry();
            }

            return;
        }

        // Without a connection it is the process that is waited for.
        _sources.Remove(source.Id);
        using (source)
        {
            Tell(source.Id, source.Name, VmEvent.Ended, _registry.WhyEnded(source.Id, source.Process.Run) ?? "It was powered off.");
        }

        // Another may run for this VM already.
        _retry = Deadline.After(TimeSpan.Zero);
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

        public QmpConnection? Qmp { get; set; }

        /// <summary>What becomes readable next: its connection, and when that is gone its process at its end.</summary>
        public int Fd => Qmp?.Fd ?? process.Fd;

        public void Dispose()
        {
            Qmp?.Dispose();
            process.Dispose();
        }
    }
}
