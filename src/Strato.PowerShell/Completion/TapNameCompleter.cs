using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Management.Automation;
using System.Management.Automation.Language;

namespace Strato.PowerShell;

/// <summary>Completes taps of the host.</summary>
public sealed class TapNameCompleter : IArgumentCompleter
{
    private const string Interfaces = "/sys/class/net";
    private const int IFF_TAP = 2;

    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        foreach (string name in Taps())
        {
            if (Completion.Matches(name, wordToComplete))
            {
                yield return Completion.Result(name, "tap of this host");
            }
        }
    }

    /// <summary>Completion shows nothing rather than an error.</summary>
    private static List<string> Taps()
    {
        List<string> taps = [];
        try
        {
            foreach (string folder in Directory.GetDirectories(Interfaces))
            {
                // The kernel shows flags of taps and tuns alone, as 0x….
                string flags = Path.Combine(folder, "tun_flags");
                if (File.Exists(flags) && int.TryParse(File.ReadAllText(flags).Trim()[2..], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out int value) && (value & IFF_TAP) != 0)
                {
                    taps.Add(Path.GetFileName(folder));
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // An interface may go meanwhile.
        }

        taps.Sort(StringComparer.Ordinal);
        return taps;
    }
}
