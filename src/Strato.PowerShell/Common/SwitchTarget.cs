using System.Collections.Generic;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>Which switches a cmdlet means.</summary>
internal static class SwitchTarget
{
    /// <summary>The switches of that name; all where none is given. A wildcard that matches none is silent; a name that no switch has is the error <c>SwitchNotFound</c>.</summary>
    public static IReadOnlyList<SwitchDefinition> Find(StratoClient client, string? name)
    {
        IReadOnlyList<SwitchDefinition> found = client.FindSwitches(name);
        return name is null || found.Count > 0 || WildcardPattern.ContainsWildcardCharacters(name) ? found : [client.GetSwitch(name)];
    }
}
