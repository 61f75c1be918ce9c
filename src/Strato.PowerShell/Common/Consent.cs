using System;
using System.Collections.Generic;
using System.Management.Automation;

namespace Strato.PowerShell;

/// <summary>How -Force, -Confirm and -WhatIf work together, for what destroys.</summary>
internal static class Consent
{
    /// <summary>ShouldProcess for a cmdlet of high impact: -Force leaves the question out, and nothing else.</summary>
    public static bool Given(PSCmdlet cmdlet, bool force, string target, string action) =>
        (force && !IsSet(cmdlet, "WhatIf", "WhatIfPreference") && !Bound(cmdlet, "Confirm", out _)) || cmdlet.ShouldProcess(target, action);

    /// <summary>Whether a question beyond ShouldProcess is due: a person sits there, and has not answered by -Force or -Confirm yet.</summary>
    public static bool MayAsk(PSCmdlet cmdlet, bool force) =>
        !force
        && !Bound(cmdlet, "Confirm", out _)
        && cmdlet.GetVariableValue("ConfirmPreference")?.ToString() != nameof(ConfirmImpact.None)
        && cmdlet.Host is { Name: not ("Default Host" or "ServerRemoteHost") }
        && !Console.IsInputRedirected
        && !NonInteractive(Environment.GetCommandLineArgs());

    // PowerShell takes any unambiguous beginning of the option's name.
    internal static bool NonInteractive(IEnumerable<string> arguments)
    {
        foreach (string argument in arguments)
        {
            string option = argument.TrimStart('-', '/');
            if (argument.Length - option.Length is 1 or 2 && option.Length >= 4 && "NonInteractive".StartsWith(option, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsSet(PSCmdlet cmdlet, string parameter, string preference) =>
        Bound(cmdlet, parameter, out bool value) ? value : LanguagePrimitives.IsTrue(cmdlet.GetVariableValue(preference));

    private static bool Bound(PSCmdlet cmdlet, string parameter, out bool value)
    {
        bool bound = cmdlet.MyInvocation.BoundParameters.TryGetValue(parameter, out object? given);
        value = bound && LanguagePrimitives.IsTrue(given);
        return bound;
    }
}
