using System;
using System.Text.Json;
using Strato.Client.Linux;

namespace Strato.Client.Qmp;

/// <summary>A connection to an engine that only listens, and never waits.</summary>
internal sealed class QmpEventStream : IDisposable
{
    private readonly UnixStream _stream;
    private readonly Strato.Protocol.Qmp.QmpFramer _framer = QmpCommand.NewFramer();

    private QmpEventStream(UnixStream stream)
    {
        _stream = stream;
    }

    // Sent at once, without waiting for the greeting.
    private static ReadOnlySpan<byte> Negotiation => "{\"execute\":\"qmp_capabilities\",\"id\":1}\n"u8;

    internal int Fd => _stream.Fd;

    /// <summary>Whether the engine has answered: from then on it tells everything.</summary>
    internal bool Listens { get; private set; }

    /// <summary>Null when nobody is there, or it hasn't accepted for a while.</summary>
    internal static QmpEventStream? TryConnect(string path)
    {
        if (UnixStream.TryConnect(path, out UnixStream? stream) != ConnectOutcome.Connected)
        {
            return null;
        }

        if (stream!.Send(Negotiation) == Negotiation.Length)
        {
            return new QmpEventStream(stream);
        }

        stream.Dispose();
        return null;
    }

    /// <summary>The next event that is there; null for none.</summary>
    /// <param name="ended">The engine closed the connection, or speaks no QMP; nothing comes any more.</param>
    internal QmpEvent? TryTake(out bool ended)
    {
        ended = false;
        while (true)
        {
            while (QmpCommand.TryTake(_framer, out JsonElement message))
            {
                if (QmpCommand.TryEvent(message) is { } told)
                {
                    return told;
                }

                Listens |= QmpCommand.Answers(message, 1);
            }

            int count = _stream.Receive(_framer.GetSpan());
            if (count <= 0)
            {
                ended = count == 0;
                return null;
            }

            _framer.Advance(count);
        }
    }

    public void Dispose() => _stream.Dispose();
}
