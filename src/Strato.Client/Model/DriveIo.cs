using Strato.Protocol.Configuration;

namespace Strato.Client;

/// <summary>How a drive's requests are served. Null means the engine's default; in a change, what was before.</summary>
public sealed record DriveIo
{
    /// <summary>Way to the host's kernel; default native with <see cref="Direct"/> where the host allows it, else threads.</summary>
    public DriveAio? Aio { get; init; }

    /// <summary>Page cache and flushes; default writeback.</summary>
    public DriveCache? Cache { get; init; }

    /// <summary>Past the host's page cache (O_DIRECT).</summary>
    public bool? Direct { get; init; }

    /// <summary>Most requests a second on average, at most 1,000,000; 0 for no limit.</summary>
    public int? Iops { get; init; }

    /// <summary>Name of the thread that serves the drive; drives of one name share it. Empty for the main thread.</summary>
    public string? IoThread { get; init; }

    /// <summary>Request queues, 1 to 32.</summary>
    public int? QueueCount { get; init; }

    /// <summary>Entries of a queue, a power of two from 4 to 1024.</summary>
    public int? QueueSize { get; init; }

    /// <summary>What becomes of the guest's discards.</summary>
    public DriveDiscard? Discard { get; init; }

    /// <summary>Whether writes of zeros are looked for.</summary>
    public DriveDetectZeroes? DetectZeroes { get; init; }

    /// <summary>What is done when the host fails at a write.</summary>
    public DriveErrorAction? WriteErrorAction { get; init; }

    /// <summary>What is done when the host fails at a read.</summary>
    public DriveErrorAction? ReadErrorAction { get; init; }

    /// <summary>What the guest writes is thrown away when the VM ends.</summary>
    public bool? Snapshot { get; init; }

    /// <summary>This, with what <paramref name="change"/> gives in its place.</summary>
    internal DriveIo With(DriveIo change) => new()
    {
        Aio = change.Aio ?? Aio,
        Cache = change.Cache ?? Cache,
        Direct = change.Direct ?? Direct,
        Iops = change.Iops ?? Iops,
        IoThread = change.IoThread ?? IoThread,
        QueueCount = change.QueueCount ?? QueueCount,
        QueueSize = change.QueueSize ?? QueueSize,
        Discard = change.Discard ?? Discard,
        DetectZeroes = change.DetectZeroes ?? DetectZeroes,
        WriteErrorAction = change.WriteErrorAction ?? WriteErrorAction,
        ReadErrorAction = change.ReadErrorAction ?? ReadErrorAction,
        Snapshot = change.Snapshot ?? Snapshot,
    };

    /// <summary>The engine's own form, which knows the rules.</summary>
    internal DriveConfiguration ToConfiguration(string id, string path) => new()
    {
        Id = id,
        File = path,
        Aio = Aio,
        Cache = Cache,
        Direct = Direct,
        Iops = Iops ?? 0,
        QueueCount = QueueCount ?? 1,
        QueueSize = QueueSize ?? DriveConfiguration.DefaultQueueSize,
        Discard = Discard ?? default,
        DetectZeroes = DetectZeroes ?? default,
        WriteError = WriteErrorAction ?? default,
        ReadError = ReadErrorAction ?? default,
        Snapshot = Snapshot ?? false,
    };
}
