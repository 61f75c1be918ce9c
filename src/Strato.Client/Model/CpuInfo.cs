using System;
using System.Collections.Generic;
using Strato.Protocol.Configuration;

namespace Strato.Client;

/// <summary>One virtual CPU at one moment.</summary>
public sealed record CpuInfo
{
    /// <summary>Number from 0.</summary>
    public required int Index { get; init; }

    /// <summary>Where it is in the guest's eyes.</summary>
    public required CpuPlace Place { get; init; }

    /// <summary>The host's id of its thread; null when the VM doesn't run.</summary>
    public int? ThreadId { get; init; }

    /// <summary>The host's CPU that it runs on, or ran on last; null when the VM doesn't run.</summary>
    public int? HostCpu { get; init; }

    /// <summary>The host's CPUs that it may run on; of a stopped VM those that it is pinned to, or null.</summary>
    public string? Affinity { get; init; }

    /// <summary>Processor time that it has used; zero when the VM doesn't run.</summary>
    public TimeSpan Time { get; init; }
}

/// <summary>Threads of a VM; where nothing is named, all are meant.</summary>
/// <param name="Cpus">Numbers of virtual CPUs.</param>
/// <param name="IoThreads">Ids of iothreads.</param>
/// <param name="Emulator">The main thread and all others.</param>
public sealed record AffinityTarget(IReadOnlyList<int> Cpus, IReadOnlyList<string> IoThreads, bool Emulator)
{
    /// <summary>Whether nothing is named.</summary>
    public bool IsAll => this is { Cpus.Count: 0, IoThreads.Count: 0, Emulator: false };
}
