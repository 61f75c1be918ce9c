using System;
using System.Collections.Generic;
using System.Text;

namespace Strato.Engine.Qmp;

/// <summary>Messages behind those that a slow client hasn't read yet, in their order. Replies stay; of too many events the oldest are dropped.</summary>
/// <remarks>
/// The event after dropped ones says how many they were: <c>"dropped": N</c> beside its timestamp. A server that stands
/// still for its slowest client, or cuts it off for what the guest does, would be worse than a gap that is told.
/// </remarks>
internal sealed class LateMessages
{
    /// <summary>Events that wait at most. One has some 100 bytes.</summary>
    public const int MaxEvents = 128;

    // Each message ends so: its object's end, and the line's.
    private static ReadOnlySpan<byte> End => "}\r\n"u8;

    private readonly LinkedList<(byte[] Text, bool IsEvent)> _messages = new();
    private int _events;
    private long _dropped;

    /// <summary>Bytes of all that wait.</summary>
    public int Length { get; private set; }

    public bool IsEmpty => _messages.Count == 0;

    public void AddReply(ReadOnlySpan<byte> message) => Add(message, isEvent: false);

    public void AddEvent(ReadOnlySpan<byte> message)
    {
        if (_events == MaxEvents)
        {
            DropOldest();
        }

        Add(message, isEvent: true);
        _events++;
    }

    /// <summary>Takes the first message; there must be one.</summary>
    public byte[] Take()
    {
        (byte[] text, bool isEvent) = _messages.First!.Value;
        _messages.RemoveFirst();
        Length -= text.Length;
        if (!isEvent)
        {
            return text;
        }

        _events--;
        if (_dropped > 0)
        {
            text = [.. text.AsSpan(0, text.Length - End.Length), .. Encoding.UTF8.GetBytes($",\"dropped\":{_dropped}"), .. End];
            _dropped = 0;
        }

        return text;
    }

    public void Clear()
    {
        _messages.Clear();
        (_events, _dropped, Length) = (0, 0, 0);
    }

    private void Add(ReadOnlySpan<byte> message, bool isEvent)
    {
        _messages.AddLast((message.ToArray(), isEvent));
        Length += message.Length;
    }

    private void DropOldest()
    {
        LinkedListNode<(byte[] Text, bool IsEvent)> oldest = _messages.First!;
        while (!oldest.Value.IsEvent)
        {
            oldest = oldest.Next!;
        }

        _messages.Remove(oldest);
        Length -= oldest.Value.Text.Length;
        _events--;
        _dropped++;
    }
}
