using System.Collections.Generic;
using System.Threading;

namespace Strato.Client;

public sealed partial class StratoClient
{
    /// <summary>Begins to listen to VMs; of those whose engines answer within a second nothing is missed from now on.</summary>
    /// <param name="names">Names and wildcards, which mean VMs that are made later, too; null for none.</param>
    /// <param name="ids">Ids of VMs.</param>
    /// <param name="token">Ends the wait for the engines' answers.</param>
    /// <remarks>Errors: <c>WatchFailed</c>, <c>StoreNotWritable</c>.</remarks>
    public EventWatch WatchEvents(IReadOnlyList<string>? names, IEnumerable<string> ids, CancellationToken token = default)
    {
        Store.EnsureDirectories();
        return new EventWatch(this, Registry, names, ids, token);
    }
}
