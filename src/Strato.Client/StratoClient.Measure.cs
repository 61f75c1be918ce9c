using System;
using System.Collections.Generic;
using System.Threading;

namespace Strato.Client;

public sealed partial class StratoClient
{
    /// <summary>Begins to measure VMs: what they use of processors, memory, disks and networks, again and again.</summary>
    /// <param name="vms">Those that don't run are left out.</param>
    /// <param name="interval">Time between samples.</param>
    /// <param name="token">Ends the wait for the engines' first answers.</param>
    public MeasurementStream Measure(IReadOnlyList<VmDefinition> vms, TimeSpan interval, CancellationToken token = default) => new(Registry, vms, interval, token);

    /// <summary>Whether an engine runs for a VM.</summary>
    public bool IsRunning(string id)
    {
        using Runtime.EngineProcess? process = Registry.TryOpen(id);
        return process is not null;
    }
}
