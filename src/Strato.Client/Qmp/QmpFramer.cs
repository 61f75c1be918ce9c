using System;
using System.Buffers;
using System.Text.Json;

namespace Strato.Client.Qmp;

/// <summary>Cuts the byte stream of an engine into JSON values, wherever it was split, whatever white space stands between.</summary>
internal sealed class QmpFramer
{
    /// <summary>An answer longer than this is a fault.</summary>
    internal const int MaximumMessage = 16 << 20;

    private readonly ArrayBufferWriter<byte> _buffer = new(4096);
    private int _consumed;

    /// <summary>Room to receive into; tell <see cref="Received"/> how much came.</summary>
    internal Span<byte> GetSpan()
    {
        if (_consumed == _buffer.WrittenCount)
        {
            _buffer.ResetWrittenCount();
            _consumed = 0;
        }

        return _buffer.GetSpan(4096);
    }

    internal void Received(int count) => _buffer.Advance(count);

    /// <summary>Takes the next whole value; false when more bytes are needed.</summary>
    /// <exception cref="StratoException">QmpProtocol: what came isn't JSON, or is too long.</exception>
    internal bool TryTake(out JsonElement message)
    {
        message = default;
        ReadOnlySpan<byte> bytes = _buffer.WrittenSpan[_consumed..];
        int blank = 0;
        while (blank < bytes.Length && bytes[blank] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t')
        {
            blank++;
        }

        _consumed += blank;
        bytes = bytes[blank..];
        if (bytes.IsEmpty)
        {
            return false;
        }

        try
        {
            Utf8JsonReader reader = new(bytes, isFinalBlock: false, default);
            if (JsonDocument.TryParseValue(ref reader, out JsonDocument? document))
            {
                using (document)
                {
                    message = document.RootElement.Clone();
                }

                _consumed += (int)reader.BytesConsumed;
                return true;
            }
        }
        catch (JsonException e)
        {
            throw new StratoException(StratoErrorKind.Connection, "QmpProtocol", $"The engine sent something that is not JSON: {e.Message}", e);
        }

        return bytes.Length <= MaximumMessage
            ? false
            : throw new StratoException(StratoErrorKind.Connection, "QmpProtocol", $"The engine sent a message longer than {MaximumMessage} bytes.");
    }
}
