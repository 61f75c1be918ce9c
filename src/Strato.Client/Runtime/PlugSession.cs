using System;
using System.Buffers;
using System.Collections.Generic;
using System.Text.Json;
using System.Threading;
using Strato.Client.Linux;

namespace Strato.Client.Runtime;

/// <summary>Commands that change a running VM's devices, and the way back.</summary>
/// <remarks>
/// Who ends a command while the engine is at work doesn't know what it does, and neither whether there is something to take back.
/// So the answer is waited for a while all the same; where none comes, the step back is sent behind it.
/// </remarks>
internal sealed class PlugSession(QmpConnection qmp, CancellationToken token) : IDisposable
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);

    private readonly Stack<(string Command, string Key, string Id)> _back = new();

    internal List<HotPlugSlot> Slots => HotPlugSlot.Query(qmp, token);

    /// <summary>One command. Errors: the engine's; OperationCanceledException before it, or when the engine doesn't answer.</summary>
    /// <param name="command">Its name.</param>
    /// <param name="write">Its arguments.</param>
    /// <param name="back">The command that takes it back, with its one argument; null where there is none.</param>
    /// <param name="file">A descriptor that goes with it.</param>
    internal void Do(string command, Action<Utf8JsonWriter> write, (string Command, string Key, string Id)? back = null, FileDescriptor? file = null)
    {
        token.ThrowIfCancellationRequested();
        if (back is { } step)
        {
            _back.Push(step);
        }

        using CancellationTokenSource patience = new();
        try
        {
            using (token.Register(() => patience.CancelAfter(Grace)))
            {
                Execute(command, write, file, null, patience.Token);
            }
        }
        catch (StratoException e) when (e.Kind != StratoErrorKind.Timeout && back is not null)
        {
            // Refused: nothing was done.
            _back.Pop();
            throw;
        }
    }

    /// <summary>Takes back what was done. What fails here is no news: the engine may be gone, or hang.</summary>
    internal void Undo()
    {
        bool done = false;

        // A device takes its backend with it.
        while (!done && _back.TryPop(out (string Command, string Key, string Id) step))
        {
            try
            {
                Execute(step.Command, json => json.WriteString(step.Key, step.Id), null, Grace, CancellationToken.None);
                done = true;
            }
            catch (StratoException)
            {
            }
        }
    }

    public void Dispose() => qmp.Dispose();

    private void Execute(string command, Action<Utf8JsonWriter> write, FileDescriptor? file, TimeSpan? timeout, CancellationToken cancellation)
    {
        ArrayBufferWriter<byte> arguments = new();
        using (Utf8JsonWriter json = new(arguments))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        using JsonDocument document = JsonDocument.Parse(arguments.WrittenMemory);
        qmp.Execute(command, document.RootElement, file, timeout, cancellation);
    }
}
