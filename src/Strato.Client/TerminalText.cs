using System;
using System.Text;

namespace Strato.Client;

/// <summary>Words of a guest, which may be anything, for a terminal.</summary>
public static class TerminalText
{
    private const int Most = 1000;

    /// <summary>The text with U+FFFD in place of each control character (Unicode's category Cc: C0, DEL and C1), cut after 1000 characters.</summary>
    public static string Plain(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        StringBuilder plain = new(Math.Min(text.Length, Most + 1));
        foreach (char c in text.AsSpan(0, Math.Min(text.Length, Most)))
        {
            plain.Append(char.IsControl(c) ? '\ufffd' : c);
        }

        return text.Length > Most ? plain.Append('…').ToString() : plain.ToString();
    }
}
