using System;
using System.Collections.Generic;
using System.Text.Json;
using Strato.Engine.Machine;
using Strato.Engine.Snapshot;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp;

/// <summary>One command while it runs: what it may look at, and where its return value goes.</summary>
internal sealed class QmpCall(IMachineControl machine, Migration migration, QmpRequest request, Utf8JsonWriter result, PassedFiles files, Func<IReadOnlyList<OptionGroup>> options)
{
    /// <summary>Descriptors that came over the client's connection.</summary>
    public PassedFiles Files { get; } = files;

    /// <summary>Options of the command line.</summary>
    public IReadOnlyList<OptionGroup> Options => options();

    public IMachineControl Machine { get; } = machine;

    /// <summary>The snapshot that is being saved, or was the last.</summary>
    public Migration Migration { get; } = migration;

    /// <summary>Takes the return value, one JSON value; a command that writes nothing returns <c>{}</c>.</summary>
    public Utf8JsonWriter Result { get; } = result;

    /// <summary>Runs when the reply is queued, before the client's next request, which is never read when it ends the machine.</summary>
    public Action? AfterReply { get; set; }

    /// <summary>The text of one argument, a valid JSON value; empty when it isn't given.</summary>
    /// <exception cref="QmpException">It is given twice.</exception>
    public ReadOnlySpan<byte> Argument(string name) => Arguments.Find(name);

    /// <summary>All arguments.</summary>
    public QmpObject Arguments => new(request.Arguments.Span);
}

/// <summary>Walks through the members of a command's arguments.</summary>
internal ref struct QmpArguments
{
    private readonly ReadOnlySpan<byte> _text;
    private Utf8JsonReader _reader;

    /// <param name="text">A valid JSON object, or empty for no arguments.</param>
    public QmpArguments(ReadOnlySpan<byte> text)
    {
        _text = text;
        _reader = new Utf8JsonReader(text, new JsonReaderOptions { MaxDepth = QmpFramer.MaxDepth });
        if (!text.IsEmpty)
        {
            _ = _reader.Read();
        }
    }

    /// <summary>Gives the next member and its value's text; false after the last.</summary>
    public bool Next(out string name, out ReadOnlySpan<byte> value)
    {
        name = "";
        value = default;
        if (_text.IsEmpty || !_reader.Read() || _reader.TokenType != JsonTokenType.PropertyName)
        {
            return false;
        }

        name = _reader.GetString()!;
        _ = _reader.Read();
        int start = (int)_reader.TokenStartIndex;
        _reader.Skip();
        value = _text[start..(int)_reader.BytesConsumed];
        return true;
    }
}
