using System;
using System.Text;

namespace Strato.Client.Consoles;

/// <summary>Console bytes to plain text, fed in pieces of any size: UTF-8 decoded, escape sequences removed, CR LF made LF.</summary>
/// <remarks>
/// Escape sequences are those of ECMA-48: CSI (ESC [ … final byte 0x40–0x7E), strings (ESC ] P X ^ _ … up to BEL or ESC \), and
/// two-character ones with intermediates 0x20–0x2F. CAN and SUB break one off. Bytes that aren't UTF-8 become U+FFFD.
/// </remarks>
internal sealed class ConsoleText
{
    private enum State
    {
        Text,
        Escape,
        Control,
        String,
        StringEscape,
    }

    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private State _state;
    private bool _return;

    /// <summary>Appends what the bytes mean.</summary>
    internal void Feed(ReadOnlySpan<byte> bytes, StringBuilder text)
    {
        Span<char> buffer = stackalloc char[512];
        while (!bytes.IsEmpty)
        {
            _decoder.Convert(bytes, buffer, flush: false, out int used, out int count, out _);
            bytes = bytes[used..];
            foreach (char c in buffer[..count])
            {
                Feed(c, text);
            }
        }
    }

    private void Feed(char c, StringBuilder text)
    {
        switch (_state)
        {
            case State.Text:
                Plain(c, text);
                break;
            case State.Escape:
                _state = c switch
                {
                    '[' => State.Control,
                    ']' or 'P' or 'X' or '^' or '_' => State.String,
                    >= ' ' and <= '/' or '\u001b' => State.Escape,
                    _ => State.Text,
                };
                break;
            case State.Control:
                // Parameters and intermediates go on; a final byte ends it, and so does what can't be part of it.
                if (c == '\u001b')
                {
                    _state = State.Escape;
                }
                else if (c is not (>= ' ' and <= '?'))
                {
                    _state = State.Text;
                    if (c is '\n' or '\r')
                    {
                        Plain(c, text);
                    }
                }

                break;
            case State.String:
                _state = c switch
                {
                    '\u0007' or '\u0018' or '\u001a' => State.Text,
                    '\u001b' => State.StringEscape,
                    _ => State.String,
                };
                break;
            default:
                // ESC \ ends a string; any other escape begins a sequence of its own.
                _state = State.Text;
                if (c != '\\')
                {
                    _state = State.Escape;
                    Feed(c, text);
                }

                break;
        }
    }

    private void Plain(char c, StringBuilder text)
    {
        if (c == '\u001b')
        {
            _state = State.Escape;
            return;
        }

        // Terminals drivers send CR CR LF at times; a CR that no LF follows begins the line anew and is kept.
        if (c == '\r')
        {
            _return = true;
            return;
        }

        if (_return && c != '\n')
        {
            text.Append('\r');
        }

        _return = false;
        text.Append(c);
    }
}
