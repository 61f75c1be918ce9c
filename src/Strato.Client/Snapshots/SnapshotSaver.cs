using System;
using System.Text.Json;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Qmp;

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

    private static readonly TimeSpan TellInterval = TimeSpan.FromMilliseconds(200);

    // What Ctrl-C waits for at most, for the engine to leave off or to let its machine go on.
    private static readonly TimeSpan LastWord = TimeSpan.FromMilliseconds(120);

    private bool _begun;
    private bool _held;

    /// <summary>Whether the machine ran when this began.</summary>
    internal bool Ran { get; private set; }

    /// <summary>Saves; returns when both files are on the disk.</summary>
    /// <param name="state">File for the state, open for reading and writing.</param>
    /// <param name="memory">File for the memory.</param>
    /// <param name="hold">Whether a machine that ran stands still until <see cref="Release"/>, or until this is disposed of.</param>
    /// <param name="progress">Told of bytes of memory that are done, and all.</param>
    /// <exception cref="StratoException"><c>SnapshotUnsupported</c>, <c>SnapshotBusy</c>, <c>SnapshotFailed</c>, <c>SnapshotCancelled</c>, <c>VmEnded</c>.</exception>
    internal void Save(FileDescriptor state, FileDescriptor memory, bool hold, Action<long, long> progress)
    {
        try
        {
            Ran = QmpCommand.State(qmp.Execute("query-status", token: token)) == VmState.Running;
            qmp.Execute("getfd", Arguments($$"""{"fdname":"{{State}}"}"""), state, null, token);
            qmp.Execute("getfd", Arguments($$"""{"fdname":"{{Memory}}"}"""), memory, null, token);
            Begin(hold);

            // What was told before is another command's end, which came while this one began.
            qmp.ForgetEvents();
            Await(progress);
        }
        catch (StratoException e) when (e.Kind == StratoErrorKind.Connection)
        {
            (_begun, _held) = (false, false);
            throw new StratoException(StratoErrorKind.Ended, "VmEnded", $"The VM '{vmName}' ended while its snapshot was saved; nothing of that is left.", e) { VmName = vmName };
        }
    }

    /// <summary>Lets a machine go on that is held.</summary>
    internal void Release()
    {
        if (_held)
        {
            qmp.Execute("cont", token: token);
            _held = false;
        }
    }

    /// <summary>Leaves a machine that is held as it is.</summary>
    internal void LeaveHeld() => _held = false;

    /// <summary>Ends a save that is under way; a machine that is held goes on.</summary>
    public void Dispose()
    {
        if (_begun || _held)
        {
            try
            {
                qmp.Execute(_begun ? "migrate_cancel" : "cont", timeout: LastWord);
            }
            catch (StratoException)
            {
                // It is over, or the engine gets to it later: a save goes with the connection, too.
            }
        }
    }

    private void Begin(bool hold)
    {
        string pause = hold ? ",\"stay-paused\":true" : "";
        _begun = true;
        try
        {
            qmp.Execute("migrate", Arguments($$"""{"uri":"fd:{{State}},{{Memory}}"{{pause}}}"""), token: token);
            _held = hold && Ran;
        }
        catch (StratoException e) when (e.Id == "QmpGenericError")
        {
            // Refused; one that another began isn't this one's to end.
            _begun = false;
            throw new StratoException(
                StratoErrorKind.InvalidState,
                e.Message.StartsWith("The machine can't be saved", StringComparison.Ordinal) ? "SnapshotUnsupported"
                    : e.Message.StartsWith("A snapshot is being saved", StringComparison.Ordinal) ? "SnapshotBusy" : "SnapshotFailed",
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

    private void Await(Action<long, long> progress)
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

            switch (status)
            {
                case "completed":
                    _begun = false;
                    return;
                case "failed":
                    (_begun, _held) = (false, false);
                    string error = QmpCommand.Text(answer ?? qmp.Execute("query-migrate", token: token), "error-desc") ?? "the engine doesn't say why";
                    throw new StratoException(StratoErrorKind.Failed, "SnapshotFailed", $"The snapshot of VM '{vmName}' could not be saved: {error.TrimEnd('.')}. Nothing of it is left, and the VM goes on as before.") { VmName = vmName };
                case "cancelled":
                    (_begun, _held) = (false, false);
                    throw new StratoException(StratoErrorKind.Failed, "SnapshotCancelled", $"The snapshot of VM '{vmName}' was cancelled by another command (migrate_cancel); nothing of it is left.") { VmName = vmName };
            }
        }
    }

    private static JsonElement Arguments(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }
}
