using System.Collections.Generic;
using Strato.Protocol;
using Strato.Protocol.CommandLine;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary>Options of QEMU that people paste: those that say how it is here anyway are taken, those that would change something are refused with what to use instead (<see cref="QemuOptions"/>).</summary>
internal static class QemuHabits
{
    /// <summary>Options for the table, each of which does nothing.</summary>
    public static IEnumerable<OptionSpec> Accepted
    {
        get
        {
            foreach (string name in QemuOptions.SaidAnyway)
            {
                yield return new OptionSpec(name, null, "Taken for QEMU's users: it is so anyway.", (_, _) => { });
            }

            foreach ((string name, string value) in QemuOptions.ValueSaidAnyway)
            {
                yield return new OptionSpec(name, value, "Taken for QEMU's users: it is so anyway. No other value is.", (_, given) => CheckValue(name, value, given));
            }
        }
    }

    private static void CheckValue(string name, string allowed, string given)
    {
        if (given != allowed)
        {
            throw new UserErrorException("InvalidOption", $"'{name} {ConfigurationLimits.Printable(given)}' is an option of QEMU that isn't built here; allowed: {name} {allowed}, which is how it is.", name);
        }
    }
}
