using System.Collections.Generic;

namespace Strato.Client;

public sealed partial class StratoClient
{
    /// <summary>Begins to listen to VMs; from now on nothing is missed of those that run.</summary>
    /// <param name="names">Names and wildcards, which mean VMs that are made later, too; null for none.</param>
    /// <param name="ids">Ids of VMs.</param>
    /// <remarks>Errors: <c>WatchFailed</c>.</remarks>
    public EventWatch WatchEvents(IReadOnlyList<string>? names, IEnumerable<string> ids) => new(this, Registry, names, ids);
}
