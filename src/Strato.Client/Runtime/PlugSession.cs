using System;
using System.Buffers;
using System.Collections.Generic;
using System.Globalization;
using System.Text.Json;
using System.Threading;
using Strato.Client.Linux;

namespace Strato.Client.Runtime;

/// <summary>Commands that change a running VM's devices, and the way back.</summary>
/// <remarks>
/// Who ends a command while the engine is at work doesn't know what it does, and neither whether there is something to take back.
/// So the answer is waited for a moment all the same; where none comes, the step back is sent behind it, and the engine takes it when it
/// gets there.
/// </remarks>
/// <param name="qmp">Owned from now on.</param>
/// <param name="takesPaths">Whether the engine opens files itself: one in a sandbox is given descriptors.</param>
/// <param name="token">Ends the commands.</param>
internal sealed class PlugSession(QmpConnection qmp, bool takesPaths, CancellationToken token) : IDisposable
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);

    // What Ctrl-C waits for at most: for the answer to what is under way, and for those to all the steps back.
    private static readonly TimeSpan AnswerGrace = TimeSpan.FromMilliseconds(75);
    private static readonly TimeSpan CancelledGrace = TimeSpan.FromMilliseconds(60);

    /// <summary>Above the numbers of sets that others choose.</summary>
    private const long FirstSet = 1L << 32;

    private readonly Stack<(string Command, string Key, string Id)> _back = new();
    private Deadline? _end;

    internal bool TakesPaths => takesPaths;

    /// <summary>Ends the commands, and what is to be waited for before them.</summary>
    internal CancellationToken Token => token;

    internal List<HotPlugSlot> Slots => HotPlugSlot.Query(qmp, token);

    /// <summary>What a step back may take.</summary>
    private TimeSpan StepGrace
    {
        get
        {
            if (!token.IsCancellationRequested)
            {
                return Grace;
            }

            _end ??= Deadline.After(CancelledGrace);
            return _end.Value.Remaining;
        }
    }

    /// <summary>One command. Errors: the engine's; OperationCanceledException before it, or when the engine doesn't answer.</summary>
    /// <param name="command">Its name.</param>
    /// <param name="write">Its arguments.</param>
    /// <param name="back">The command that takes it back, with its one argument; null where there is none.</param>
    internal void Do(string command, Action<Utf8JsonWriter> write, (string Command, string Key, string Id)? back = null)
    {
        token.ThrowIfCancellationRequested();
        if (back is { } step)
        {
            _back.Push(step);
        }

        try
        {
            Patiently(patience => Execute(command, write, null, patience));
        }
        catch (StratoException e) when (e.Kind != StratoErrorKind.Timeout && back is not null)
        {
            // Refused: nothing was done.
            _back.Pop();
            throw;
        }
    }

    /// <summary>Gives the engine a descriptor under a name, for one command of this connection that takes it (getfd).</summary>
    internal void PassNamed(FileDescriptor file, string name)
    {
        token.ThrowIfCancellationRequested();
        Execute("getfd", json => json.WriteString("fdname", name), null, token, file);
    }

    /// <summary>Gives the engine the descriptor of a file for as long as an action takes, which opens it by the path that it gets (add-fd).</summary>
    /// <param name="file">The file's.</param>
    /// <param name="name">What the user knows it by.</param>
    /// <param name="use">Gets the path.</param>
    internal void WithFile(FileDescriptor file, string name, Action<string> use)
    {
        token.ThrowIfCancellationRequested();

        // Of our own choice, so that it can be removed whatever came of the command that makes it.
        long set = Random.Shared.NextInt64(FirstSet, 1L << 53);
        bool done = false;
        try
        {
            Patiently(patience => Execute(
                "add-fd",
                json =>
                {
                    json.WriteNumber("fdset-id", set);
                    json.WriteString("opaque", name);
                },
                null,
                patience,
                file));
            use(string.Create(CultureInfo.InvariantCulture, $"/dev/fdset/{set}"));
            done = true;
        }
        finally
        {
            try
            {
                // What the engine has opened by it stays open.
                Execute("remove-fd", json => json.WriteNumber("fdset-id", set), done ? null : StepGrace, CancellationToken.None);
            }
            catch (StratoException) when (!done)
            {
                // It was never made, or the engine is gone; the first error counts.
            }
        }
    }

    /// <summary>A command that is waited for a while even after the user has ended it.</summary>
    private void Patiently(Action<CancellationToken> command)
    {
        using CancellationTokenSource patience = new();
        using (token.Register(() => patience.CancelAfter(AnswerGrace)))
        {
            command(patience.Token);
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
                Execute(step.Command, json => json.WriteString(step.Key, step.Id), StepGrace, CancellationToken.None);
                done = true;
            }
            catch (StratoException)
            {
            }
        }
    }

    public void Dispose() => qmp.Dispose();

    private JsonElement Execute(string command, Action<Utf8JsonWriter> write, TimeSpan? timeout, CancellationToken cancellation, FileDescriptor? file = null)
    {
        ArrayBufferWriter<byte> arguments = new();
        using (Utf8JsonWriter json = new(arguments))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        using JsonDocument document = JsonDocument.Parse(arguments.WrittenMemory);
        return qmp.Execute(command, document.RootElement, file, timeout, cancellation);
    }
}
