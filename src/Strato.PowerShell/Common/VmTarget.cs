using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>One VM that a cmdlet works on.</summary>
/// <param name="Client">The store it is in: that of the object, else that of the environment.</param>
/// <param name="Id">Its id in that store.</param>
/// <param name="Name">Its name, for messages.</param>
internal sealed record VmTarget(StratoClient Client, string Id, string Name)
{
    /// <summary>The VM as it was when it was looked up; null for a damaged one.</summary>
    public VmDefinition? Seen { get; init; }

    public static VmTarget Of(Vm vm) => new(vm.Client, vm.Id, vm.Name) { Seen = vm.Definition };

    public static IEnumerable<VmTarget> Of(StratoClient client, IEnumerable<VmDefinition> definitions)
    {
        foreach (VmDefinition definition in definitions)
        {
            yield return new VmTarget(client, definition.Id, definition.Name) { Seen = definition };
        }
    }

    /// <summary>Good ones of that name, else damaged ones. A wildcard means no VM whose name nobody can read: it would have to guess.</summary>
    public static IEnumerable<VmTarget> FindEvenDamaged(StratoClient client, string name)
    {
        bool wildcard = WildcardPattern.ContainsWildcardCharacters(name);
        List<VmTarget> found = [.. Of(client, client.Find(name, withEnded: true))];
        if (found.Count == 0 || wildcard)
        {
            found.AddRange(client.FindDamaged(name)
                .Where(vm => vm.Name is not null || !wildcard)
                .Select(vm => new VmTarget(client, vm.Id, vm.Name ?? vm.Id)));
        }

        return found.Count > 0 ? found : Of(client, Find(client, name));
    }

    /// <summary>The VMs of that name. A wildcard that matches none is silent; a name that no VM has is the error <c>VmNotFound</c>.</summary>
    /// <param name="client">The store.</param>
    /// <param name="name">Name or wildcard.</param>
    /// <param name="withEnded">Whether ephemeral VMs that have ended count.</param>
    public static IReadOnlyList<VmDefinition> Find(StratoClient client, string name, bool withEnded = false)
    {
        IReadOnlyList<VmDefinition> found = client.Find(name, withEnded);
        return found.Count > 0 || WildcardPattern.ContainsWildcardCharacters(name) ? found : [client.Get(name)];
    }
}
