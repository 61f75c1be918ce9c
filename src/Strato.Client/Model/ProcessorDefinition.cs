using System.Collections.Generic;
using System.Text.Json;

namespace Strato.Client;

/// <summary>What is said of a VM's virtual CPUs beside their number; null for what isn't said.</summary>
public sealed record ProcessorDefinition
{
    /// <summary>CPUs that there can be while it runs.</summary>
    public int? Maximum { get; init; }

    public int? Sockets { get; init; }

    /// <summary>Dies of a socket.</summary>
    public int? Dies { get; init; }

    /// <summary>Cores of a die.</summary>
    public int? Cores { get; init; }

    /// <summary>Threads of a core.</summary>
    public int? Threads { get; init; }

    /// <summary>The CPU model: <c>host</c>, <c>x86-64-v2</c> or <c>x86-64-v3</c>.</summary>
    public string? Model { get; init; }

    /// <summary>Features more or less than the model's: <c>+aes</c>, <c>-rdtscp</c>.</summary>
    public IReadOnlyList<string> Features { get; init; } = [];

    /// <summary>Threads that are pinned to CPUs of the host.</summary>
    public IReadOnlyList<AffinityDefinition> Affinity { get; init; } = [];

    /// <summary>Its share of the host's CPUs beside others that want them, 1 to 10000; those without one have 100.</summary>
    public int? Weight { get; init; }

    /// <summary>The most of the host's CPUs that it uses, in percent of one.</summary>
    public int? Quota { get; init; }

    /// <summary>Fields that a newer version wrote; kept as they are.</summary>
    internal IReadOnlyList<KeyValuePair<string, JsonElement>> Extra { get; init; } = [];
}

/// <summary>A thread that is pinned; without a CPU and an iothread it is the emulator: the main thread and all others.</summary>
public sealed record AffinityDefinition
{
    /// <summary>Number of a virtual CPU.</summary>
    public int? Cpu { get; init; }

    /// <summary>Id of an iothread.</summary>
    public string? IoThread { get; init; }

    /// <summary>Such as <c>0-3,8</c>; empty in a change for no longer.</summary>
    public required string HostCpus { get; init; }
}
