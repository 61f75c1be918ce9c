using System;
using Strato.Engine.Boot;
using Strato.Engine.Qmp.Schema;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp;

/// <summary>device_add of a CPU.</summary>
internal static class CpuCommands
{
    /// <summary>The type that query-hotpluggable-cpus names.</summary>
    public const string Driver = "host-x86-cpu";

    /// <summary>StratoVirt says which by its number, QEMU by the place that query-hotpluggable-cpus tells.</summary>
    public static readonly string[] PlaceArguments = ["cpu-id", "socket-id", "die-id", "core-id", "thread-id"];

    public static void Add(QmpCall call)
    {
        QmpObject arguments = call.Arguments;
        foreach ((string name, _, _) in QmpArgumentTypes.AddDevice.Members)
        {
            if (name is not ("id" or "driver") && Array.IndexOf(PlaceArguments, name) < 0 && !arguments.Find(name).IsEmpty)
            {
                throw new QmpException($"Parameter '{name}' doesn't go with {Driver}");
            }
        }

        call.Machine.AddCpu(arguments.Require("id"), ReadPlace(arguments, call.Machine.Topology));
    }

    private static long ReadPlace(QmpObject arguments, CpuTopology topology)
    {
        long? cpu = arguments.Number("cpu-id");
        bool isPlaced = false;
        long index = 0;
        foreach ((string name, int count) in (ReadOnlySpan<(string, int)>)[("socket-id", topology.Sockets), ("die-id", topology.Dies), ("core-id", topology.Cores), ("thread-id", topology.Threads)])
        {
            long? number = arguments.Number(name);
            if (number < 0 || number >= count)
            {
                throw new QmpException($"Parameter '{name}' is {number}; allowed: 0 to {count - 1}");
            }

            isPlaced |= number is not null;
            index = (index * count) + (number ?? 0);
        }

        return isPlaced && cpu is not null && cpu != index
            ? throw new QmpException($"Parameter 'cpu-id' is {cpu}, and the place is that of CPU {index}; give one of both")
            : cpu ?? (isPlaced ? index : throw new QmpException("Parameter 'cpu-id' is missing"));
    }
}
