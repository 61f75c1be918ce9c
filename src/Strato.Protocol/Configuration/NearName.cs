using System;
using System.Collections.Generic;

namespace Strato.Protocol.Configuration;

/// <summary>Finds the name that a user probably meant.</summary>
public static class NearName
{
    /// <summary>The candidate nearest to what was given, where it is near enough to be a slip of the fingers; else null.</summary>
    /// <remarks>Near: at most two letters left out, added, changed or swapped, and fewer than half of them; case aside.</remarks>
    public static string? Find(string given, IEnumerable<string> candidates)
    {
        // A text of a user can be long; nothing far longer than any name is near one.
        if (given.Length is 0 or > 64)
        {
            return null;
        }

        string? best = null;
        int bestDistance = 3;
        foreach (string candidate in candidates)
        {
            int distance = Distance(given.ToLowerInvariant(), candidate.ToLowerInvariant());
            if (distance < bestDistance && distance * 2 < Math.Max(given.Length, candidate.Length))
            {
                best = candidate;
                bestDistance = distance;
            }
        }

        return best;
    }

    /// <summary>" (did you mean x?)" for a message, or nothing.</summary>
    public static string Hint(string given, IEnumerable<string> candidates) =>
        Find(given, candidates) is string name ? $" (did you mean {name}?)" : "";

    /// <summary>Distance of Damerau and Levenshtein in its restricted form: no letter is moved twice.</summary>
    private static int Distance(string a, string b)
    {
        int[] beforeLast = new int[b.Length + 1];
        int[] last = new int[b.Length + 1];
        int[] current = new int[b.Length + 1];
        for (int j = 0; j <= b.Length; j++)
        {
            last[j] = j;
        }

        for (int i = 1; i <= a.Length; i++)
        {
            current[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int change = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                current[j] = Math.Min(change, Math.Min(last[j], current[j - 1]) + 1);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    current[j] = Math.Min(current[j], beforeLast[j - 2] + 1);
                }
            }

            (beforeLast, last, current) = (last, current, beforeLast);
        }

        return last[b.Length];
    }
}
