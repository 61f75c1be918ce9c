using System;

namespace Strato.Client.Store;

/// <summary>PowerShell's wildcards: <c>*</c>, <c>?</c>, <c>[a-z]</c>, and the backtick that takes a sign as it is. Case does not count.</summary>
internal static class Wildcard
{
    internal static bool HasWildcard(string pattern)
    {
        for (int i = 0; i < pattern.Length; i++)
        {
            if (pattern[i] == '`')
            {
                i++;
            }
            else if (pattern[i] is '*' or '?' or '[')
            {
                return true;
            }
        }

        return false;
    }

    internal static bool Matches(string pattern, string text)
    {
        // Where the last star stood, and how far it had reached: on a mismatch it takes one character more.
        int p = 0;
        int t = 0;
        int star = -1;
        int reached = 0;
        while (t < text.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                star = p++;
                reached = t;
            }
            else if (p < pattern.Length && MatchOne(pattern, p, text[t], out int next))
            {
                p = next;
                t++;
            }
            else if (star >= 0)
            {
                p = star + 1;
                t = ++reached;
            }
            else
            {
                return false;
            }
        }

        while (p < pattern.Length && pattern[p] == '*')
        {
            p++;
        }

        return p == pattern.Length;
    }

    private static bool MatchOne(string pattern, int p, char c, out int next)
    {
        next = p + 1;
        switch (pattern[p])
        {
            case '?':
                return true;
            case '`' when p + 1 < pattern.Length:
                next = p + 2;
                return Same(pattern[p + 1], c);
            case '[' when pattern.IndexOf(']', p + 1) is int end and > 0:
                next = end + 1;
                return InSet(pattern.AsSpan(p + 1, end - p - 1), c);
            default:
                return Same(pattern[p], c);
        }
    }

    private static bool InSet(ReadOnlySpan<char> set, char c)
    {
        char folded = char.ToUpperInvariant(c);
        for (int i = 0; i < set.Length; i++)
        {
            if (i + 2 < set.Length && set[i + 1] == '-')
            {
                if (folded >= char.ToUpperInvariant(set[i]) && folded <= char.ToUpperInvariant(set[i + 2]))
                {
                    return true;
                }

                i += 2;
            }
            else if (Same(set[i], c))
            {
                return true;
            }
        }

        return false;
    }

    private static bool Same(char a, char b) => char.ToUpperInvariant(a) == char.ToUpperInvariant(b);
}
