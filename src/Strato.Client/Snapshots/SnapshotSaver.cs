using System;
using System.Text.Json;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Qmp;
using Strato.Protocol.Snapshots;

namespace Strato.Client.Snapshots;

/// <summary>Has a running engine save its machine into two files, and holds the machine afterwards if wished.</summary>
/// <remarks>The save is this connection's: an engine whose client has died ends it, and its machine goes on.</remarks>
/// <param name="qmp">To the engine; whoever made it closes it.</param>
/// <param name="vmName">For messages.</param>
/// <param name="token">Ends it.</param>
internal sealed class SnapshotSaver(QmpConnection qmp, string vmName, CancellationToken token) : IDisposable
{
    private const string State = "snapshot-state";
    private const string Memory = "snapshot-memory";
    private const string Held = "pre-switchover";

    private static readonly TimeSpan TellInterval = TimeSpan.FromMilliseconds(200);

    // What Ctrl-C waits for at most, for the engine to leave off or to let its machine go on.
    private static readonly TimeSpan LastWord = TimeSpan.FromMilliseconds(120);

    private bool _begun;

    /// <summary>Saves; returns when both files are on the disk.</summary>
    /// <param name="state">File for the state, open for reading and writing.</param>
    /// <param name="memory">File for the memory.</param>
    /// <param name="hold">Whether the machine stands still until <see cref="Complete"/>, or until this is disposed of; nobody lets it go on before.</param>
    /// <param name="staysPaused">Whether a machine that ran doesn't go on when it is saved.</param>
    /// <param name="progress">Told of bytes of memory that are done, and all.</param>
    /// <exception cref="StratoException"><c>SnapshotUnsupported</c>, <c>SnapshotBusy</c>, <c>SnapshotFailed</c>, <c>SnapshotCancelled</c>, <c>VmEnded</c>.</exception>
    internal void Save(FileDescriptor state, FileDescriptor memory, bool hold, bool staysPaused, Action<long, long> progress)
    {
        Talk(() =>
        {
            qmp.Execute("getfd", Arguments($$"""{"fdname":"{{State}}"}"""), state, null, token);
            qmp.Execute("getfd", Arguments($$"""{"fdname":"{{Memory}}"}"""), memory, null, token);
            Begin(hold, staysPaused);

            // What was told before is another command's end, which came while this one began.
            qmp.ForgetEvents();
            Await(hold ? Held : "completed", progress);
            _begun = hold;
        });
    }

    /// <summary>Completes a save that holds the machine, which goes on as it was to.</summary>
    /// <exception cref="StratoException"><c>SnapshotCancelled</c>: it may have gone on before. <c>SnapshotFailed</c>, <c>VmEnded</c>.</exception>
    internal void Complete()
    {
        if (_begun)
        {
            Talk(() =>
            {
                try
                {
                    qmp.Execute("migrate-continue", Arguments($$"""{"state":"{{Held}}"}"""), token: token);
                }
                catch (StratoException e) when (e.Id == "QmpGenericError")
                {
                    // It holds the machine no more: somebody has ended it.
                    _begun = false;
                    throw Cancelled(e);
                }

                Await("completed", (_, _) => { });
                _begun = false;
            });
        }
    }

    /// <summary>Ends a save that is under way; a machine that is held goes on.</summary>
    public void Dispose()
    {
        if (_begun)
        {
            try
            {
                qmp.Execute("migrate_cancel", timeout: LastWord);
            }
            catch (StratoException)
            {
                // It is over, or the engine gets to it later: a save goes with the connection, too.
            }
        }
    }

    private void Talk(Action work)
    {
        try
        {
            work();
        }
        catch (StratoException e) when (e.Kind == StratoErrorKind.Connection)
        {
            _begun = false;
            throw new StratoException(StratoErrorKind.Ended, "VmEnded", $"The VM '{vmName}' ended while its snapshot was saved; nothing of that is left.", e) { VmName = vmName };
        }
    }

    private void Begin(bool hold, bool staysPaused)
    {
        string how = (hold ? ",\"hold\":true" : "") + (staysPaused ? ",\"stay-paused\":true" : "");
        _begun = true;
        try
        {
            qmp.Execute("migrate", Arguments($$"""{"uri":"fd:{{State}},{{Memory}}"{{how}}}"""), token: token);
        }
        catch (StratoException e) when (e.Id == "QmpGenericError")
        {
            // Refused; one that another began isn't this one's to end.
            _begun = false;
            throw new StratoException(
                StratoErrorKind.InvalidState,
                SnapshotFailure.IdOf(e.Message),
                $"The VM '{vmName}' can't be saved: {e.Message}",
                e)
            {
                VmName = vmName,
            };
        }
        catch (StratoException e) when (e.Id == "QmpCommandNotFound")
        {
            _begun = false;
            throw new StratoException(StratoErrorKind.InvalidState, "SnapshotUnsupported", $"The engine of VM '{vmName}' knows no snapshots: it is older than this module.", e)
            {
                VmName = vmName,
                RecommendedAction = $"Restart-StratoVm '{vmName}' starts the engine of now.",
            };
        }
    }

    /// <summary>Waits until it has come as far as a status.</summary>
    private void Await(string end, Action<long, long> progress)
    {
        while (true)
        {
            string? status;
            JsonElement? answer = null;
            if (qmp.ReadEvent(TellInterval, token) is { } told)
            {
                status = told.Name == "MIGRATION" ? QmpCommand.Text(told.Data, "status") : null;
            }
            else
            {
                answer = qmp.Execute("query-migrate", token: token);
                status = QmpCommand.Text(answer.Value, "status");
                if (answer.Value.TryGetProperty("ram", out JsonElement ram))
                {
                    long total = ram.GetProperty("total").GetInt64();
                    progress(total - ram.GetProperty("remaining").GetInt64(), total);
                }
            }

            if (status == end)
            {
                return;
            }

            switch (status)
            {
                case "failed":
                    _begun = false;
                    string error = QmpCommand.Text(answer ?? qmp.Execute("query-migrate", token: token), "error-desc") ?? "the engine doesn't say why";
                    throw new StratoException(StratoErrorKind.Failed, "SnapshotFailed", $"The snapshot of VM '{vmName}' could not be saved: {error.TrimEnd('.')}. Nothing of it is left, and the VM goes on as before.") { VmName = vmName };
                case "cancelled":
                    _begun = false;
                    throw Cancelled();
            }
        }
    }

    private StratoException Cancelled(Exception? inner = null) =>
        new(StratoErrorKind.Failed, "SnapshotCancelled", $"The snapshot of VM '{vmName}' was cancelled by another command (migrate_cancel); nothing of it is left.", inner) { VmName = vmName };

    private static JsonElement Arguments(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }
}
