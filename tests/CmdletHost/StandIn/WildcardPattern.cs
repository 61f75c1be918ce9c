using System.Text;
using System.Text.RegularExpressions;

namespace System.Management.Automation;

[Flags]
public enum WildcardOptions
{
    None = 0,
    Compiled = 1,
    IgnoreCase = 2,
    CultureInvariant = 4,
}

/// <summary>* ? [a-z], and the backtick that takes their meaning away.</summary>
public sealed class WildcardPattern
{
    private readonly Regex _regex;

    private WildcardPattern(string pattern, WildcardOptions options) =>
        _regex = new Regex(
            ToRegex(pattern),
            RegexOptions.Singleline | RegexOptions.CultureInvariant | (options.HasFlag(WildcardOptions.IgnoreCase) ? RegexOptions.IgnoreCase : RegexOptions.None),
            TimeSpan.FromSeconds(5));

    public static WildcardPattern Get(string pattern, WildcardOptions options) => new(pattern, options);

    public static bool ContainsWildcardCharacters(string? pattern)
    {
        for (int i = 0; i < (pattern ?? "").Length; i++)
        {
            if (pattern![i] == '`')
            {
                i++;
            }
            else if (pattern[i] is '*' or '?' or '[' or ']')
            {
                return true;
            }
        }

        return false;
    }

    public bool IsMatch(string input) => _regex.IsMatch(input);

    private static string ToRegex(string pattern)
    {
        StringBuilder regex = new("^");
        for (int i = 0; i < pattern.Length; i++)
        {
            char c = pattern[i];
            int close = c == '[' ? pattern.IndexOf(']', i + 1) : -1;
            if (c == '`' && i + 1 < pattern.Length)
            {
                regex.Append(Regex.Escape(pattern[++i].ToString()));
            }
            else if (close > 0)
            {
                regex.Append('[').Append(pattern.AsSpan(i + 1, close - i - 1).ToString().Replace("\\", "\\\\", StringComparison.Ordinal)).Append(']');
                i = close;
            }
            else
            {
                regex.Append(c switch { '*' => ".*", '?' => ".", _ => Regex.Escape(c.ToString()) });
            }
        }

        return regex.Append('$').ToString();
    }
}
