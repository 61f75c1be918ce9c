using System;

namespace Strato.Protocol.Qmp;

/// <summary>What <see cref="QmpFramer.TryRead"/> found in the stream.</summary>
public enum QmpFrame
{
    /// <summary>No whole message is there yet.</summary>
    None,

    /// <summary>A JSON object or array, balanced, and otherwise unchecked.</summary>
    Message,

    /// <summary>Bytes that no message begins with or can hold; the framer goes on at the next line or opening brace.</summary>
    Malformed,

    /// <summary>A message that passed the size limit; its rest is dropped and the framer goes on behind it.</summary>
    TooLarge,

    /// <summary>A message nested too deeply; its rest is dropped and the framer goes on behind it.</summary>
    TooDeep,
}

/// <summary>Cuts a byte stream into JSON texts: split at any byte, several at once, with or without white space between.</summary>
/// <remarks>
/// QMP has no framing of its own: a message ends where its brace closes. As QEMU's streamer, this one only counts braces
/// and brackets outside strings, so that one faulty message costs that message alone. What resynchronises: a raw control
/// character within a string (so a line's end ends a string left open), a byte outside strings that JSON never has (so
/// 0xFF resets, which QEMU's clients rely on), or a closing brace of the wrong kind.
/// </remarks>
public sealed class QmpFramer
{
    /// <summary>Bytes of the largest message that is taken.</summary>
    public const int MaxMessage = 1 << 20;

    /// <summary>Deepest nesting of objects and arrays that is taken.</summary>
    public const int MaxDepth = 64;

    private const int InitialCapacity = 4096;

    // An idle buffer above this is given back, so that one large message doesn't cost its memory for ever.
    private const int IdleCapacity = 64 << 10;

    private readonly int _maxMessage;
    private byte[] _buffer = new byte[InitialCapacity];

    // _start ≤ _scan ≤ _end: the message being read begins at _start, and is looked at up to _scan.
    private int _start;
    private int _scan;
    private int _end;
    private State _state;
    private int _depth;
    private ulong _arrays;
    private bool _inString;
    private bool _escaped;

    /// <param name="maxMessage">Bytes of the largest message.</param>
    public QmpFramer(int maxMessage = MaxMessage)
    {
        _maxMessage = maxMessage;
    }

    private enum State
    {
        Idle,
        InMessage,
        Recovering,
        Dropping,
    }

    /// <summary>Whether a message has begun and not ended.</summary>
    public bool IsInsideMessage => _state is State.InMessage or State.Dropping;

    /// <summary>Bytes of memory held.</summary>
    public int Capacity => _buffer.Length;

    /// <summary>Room to receive into. What <see cref="TryRead"/> gave before isn't valid any more.</summary>
    public Span<byte> GetSpan(int atLeast = InitialCapacity)
    {
        if (_start == _end)
        {
            (_start, _scan, _end) = (0, 0, 0);
            if (_buffer.Length > IdleCapacity)
            {
                _buffer = new byte[InitialCapacity];
            }
        }

        if (_buffer.Length - _end < atLeast)
        {
            int length = _end - _start;
            int doubled = Math.Min(_buffer.Length * 2, _maxMessage);
            byte[] target = _buffer.Length - length >= atLeast ? _buffer : new byte[Math.Max(doubled, length + atLeast)];
            Buffer.BlockCopy(_buffer, _start, target, 0, length);
            _buffer = target;
            (_start, _scan, _end) = (0, _scan - _start, length);
        }

        return _buffer.AsSpan(_end);
    }

    /// <summary>Says how many bytes of <see cref="GetSpan"/> were received.</summary>
    public void Advance(int count) => _end += count;

    /// <summary>Adds received bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(GetSpan(bytes.Length));
        Advance(bytes.Length);
    }

    /// <summary>Takes the next thing from the stream; to be called until it gives <see cref="QmpFrame.None"/>.</summary>
    /// <param name="message">The message's bytes, valid until <see cref="GetSpan"/> or <see cref="Append"/>; empty for all but messages.</param>
    public QmpFrame TryRead(out ReadOnlyMemory<byte> message)
    {
        message = default;
        while (_scan < _end)
        {
            byte b = _buffer[_scan];
            QmpFrame frame = _state switch
            {
                State.Idle => Begin(b),
                State.Recovering => Recover(b),
                _ => Continue(b),
            };
            if (frame == QmpFrame.Message)
            {
                message = _buffer.AsMemory(_start, _scan - _start);
                _start = _scan;
            }

            if (frame != QmpFrame.None)
            {
                return frame;
            }
        }

        return QmpFrame.None;
    }

    private QmpFrame Begin(byte b)
    {
        if (b is (byte)'{' or (byte)'[')
        {
            _start = _scan;
            _scan++;
            _state = State.InMessage;
            _depth = 1;
            _arrays = b == '[' ? 1u : 0;
            _inString = false;
            return QmpFrame.None;
        }

        _scan++;
        _start = _scan;
        if (b is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n')
        {
            return QmpFrame.None;
        }

        // A closed pair of 0xFF or a lone one is a reset (guest-sync's sentinel); nothing follows that needs skipping.
        _state = b == 0xff ? State.Idle : State.Recovering;
        return QmpFrame.Malformed;
    }

    private QmpFrame Recover(byte b)
    {
        if (b == '{')
        {
            _state = State.Idle;
            return QmpFrame.None;
        }

        _scan++;
        _start = _scan;
        if (b is (byte)'\n' or 0xff)
        {
            _state = State.Idle;
        }

        return QmpFrame.None;
    }

    private QmpFrame Continue(byte b)
    {
        if (_inString)
        {
            if (b < 0x20 || b >= 0xfe)
            {
                return Break();
            }

            if (_escaped)
            {
                _escaped = false;
            }
            else if (b == '\\')
            {
                _escaped = true;
            }
            else if (b == '"')
            {
                _inString = false;
            }

            return Step();
        }

        switch (b)
        {
            case (byte)'"':
                _inString = true;
                _escaped = false;
                return Step();
            case (byte)'{' or (byte)'[':
                return Open(b == '[');
            case (byte)'}' or (byte)']':
                return Close(b == ']');
            case (byte)'\t' or (byte)'\r' or (byte)'\n':
                return Step();
            default:
                return b is < 0x20 or >= 0x7f ? Break() : Step();
        }
    }

    private QmpFrame Open(bool array)
    {
        if (_state == State.InMessage && _depth == MaxDepth)
        {
            _depth++;
            _scan++;
            _start = _scan;
            _state = State.Dropping;
            return QmpFrame.TooDeep;
        }

        // While dropping only the depth is kept; it can't overflow before the stream has had 2 GiB of braces.
        if (_state == State.InMessage)
        {
            ulong bit = 1UL << _depth;
            _arrays = array ? _arrays | bit : _arrays & ~bit;
        }

        _depth++;
        return Step();
    }

    private QmpFrame Close(bool array)
    {
        if (_state == State.Dropping)
        {
            _depth--;
            _scan++;
            _start = _scan;
            _state = _depth == 0 ? State.Idle : State.Dropping;
            return QmpFrame.None;
        }

        if (((_arrays >> (_depth - 1)) & 1) == 1 != array)
        {
            return Break();
        }

        _depth--;
        if (_depth > 0)
        {
            return Step();
        }

        if (_scan + 1 - _start > _maxMessage)
        {
            _scan++;
            _start = _scan;
            _state = State.Idle;
            return QmpFrame.TooLarge;
        }

        _scan++;
        _state = State.Idle;
        return QmpFrame.Message;
    }

    /// <summary>Goes on by one byte of a message, unless that makes it too large.</summary>
    private QmpFrame Step()
    {
        _scan++;
        if (_state == State.Dropping)
        {
            _start = _scan;
            return QmpFrame.None;
        }

        if (_scan - _start < _maxMessage)
        {
            return QmpFrame.None;
        }

        _start = _scan;
        _state = State.Dropping;
        return QmpFrame.TooLarge;
    }

    /// <summary>Gives a message up at a byte that can't be in it; the byte itself may be a line's end, so it is looked at again.</summary>
    private QmpFrame Break()
    {
        bool reported = _state == State.Dropping;
        _start = _scan;
        _state = State.Recovering;
        return reported ? QmpFrame.None : QmpFrame.Malformed;
    }
}
