using System.Numerics;

namespace Strato.Protocol.Configuration;

/// <summary>One disk: a raw image file or a block device.</summary>
public sealed class DriveConfiguration
{
    public const int MaxQueues = 32;
    public const int MinQueueSize = 4;
    public const int MaxQueueSize = 1024;
    public const int DefaultQueueSize = 256;
    public const int MaxIops = 1_000_000;

    /// <summary>Whether its file is never written: what a <c>snapshot=on</c> drive's guest writes goes elsewhere.</summary>
    public bool IsFileReadOnly => ReadOnly || Snapshot;

    /// <summary>The user's id, 1 to 255 characters, unique in the machine.</summary>
    public required string Id { get; init; }

    /// <summary>Id of the device that the guest sees; the drive's own unless the user named it.</summary>
    public string DeviceId { get; set; } = "";

    /// <summary>Path of the image or block device.</summary>
    public required string File { get; init; }

    /// <summary>Whether the guest can't write.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>Serial number that the guest sees, at most 20 bytes; null for none.</summary>
    public string? Serial { get; set; }

    /// <summary>Id of the iothread that serves it; null for the main loop.</summary>
    public string? IoThread { get; set; }

    /// <summary>How requests reach the host's kernel; null for native with O_DIRECT where the host allows it, else threads.</summary>
    public DriveAio? Aio { get; set; }

    /// <summary>Whether the file is opened with O_DIRECT; null for what <see cref="Cache"/> says.</summary>
    public bool? Direct { get; set; }

    /// <summary>Page cache and flushes; null for writeback.</summary>
    public DriveCache? Cache { get; set; }

    public DriveDiscard Discard { get; set; }

    public DriveDetectZeroes DetectZeroes { get; set; }

    /// <summary>Request queues, 1 to 32.</summary>
    public int QueueCount { get; set; } = 1;

    /// <summary>Entries of a queue, a power of two from 4 to 1024.</summary>
    public int QueueSize { get; set; } = DefaultQueueSize;

    /// <summary>Most requests a second on average, 1 to 1,000,000; 0 for no limit.</summary>
    public int Iops { get; set; }

    public DriveErrorAction WriteError { get; set; }

    public DriveErrorAction ReadError { get; set; }

    /// <summary>Whether what the guest writes is thrown away at the end.</summary>
    public bool Snapshot { get; set; }

    /// <summary>Path of the empty file that takes what is thrown away; null for one of the engine's own in <c>$TMPDIR</c>.</summary>
    public string? SnapshotFile { get; set; }

    /// <summary>Whether the file is opened with O_DIRECT.</summary>
    public bool IsDirect => Direct ?? Cache is DriveCache.None or DriveCache.DirectSync;

    /// <summary>Whether each write is stable when it is answered.</summary>
    public bool IsWriteThrough => Cache is DriveCache.Writethrough or DriveCache.DirectSync;

    /// <summary>Where the drive was given, for errors: <c>-drive</c> or <c>drive[1]</c>.</summary>
    public string Where { get; init; } = "";

    /// <summary>Where one of its fields was given: <c>-drive file</c> or <c>drive[1].path_on_host</c>.</summary>
    /// <param name="option">The field's name in <c>-drive</c>.</param>
    /// <param name="json">The field's name in the JSON form.</param>
    public string WhereIs(string option, string json) => Where.StartsWith('-') ? $"{Where} {option}" : $"{(Where.Length == 0 ? "drive" : Where)}.{json}";

    /// <summary>Whether the fields about I/O are in range and go together.</summary>
    /// <exception cref="UserErrorException">InvalidDrive.</exception>
    public void CheckIo()
    {
        string name = ConfigurationLimits.Printable(Id);
        if (Direct is { } direct && Cache is { } cache && direct != cache is DriveCache.None or DriveCache.DirectSync)
        {
            throw Invalid(
                $"The drive '{name}' has direct={(direct ? "on" : "off")} and cache={DriveNames.Of(cache)}, which means direct={(direct ? "off" : "on")}; give one.", "direct", "direct");
        }

        if (Aio == DriveAio.Native && !IsDirect)
        {
            throw Invalid(
                $"The drive '{name}' has aio=native without direct=on (cache=none or cache=directsync), which it needs; allowed without: threads, io_uring, off.", "aio", "aio");
        }

        if (QueueCount is < 1 or > MaxQueues)
        {
            throw Invalid($"{QueueCount} queues of the drive '{name}' are out of range; allowed: 1 to {MaxQueues}.", "num-queues", "num_queues");
        }

        if (QueueSize is < MinQueueSize or > MaxQueueSize || !BitOperations.IsPow2(QueueSize))
        {
            throw Invalid($"A queue size of {QueueSize} of the drive '{name}' is out of range; allowed: powers of two from {MinQueueSize} to {MaxQueueSize}.", "queue-size", "queue_size");
        }

        if (Iops is < 0 or > MaxIops)
        {
            throw Invalid($"A limit of {Iops} requests a second on the drive '{name}' is out of range; allowed: 0 (none) to {MaxIops}.", "iops", "iops");
        }

        if (DetectZeroes == DriveDetectZeroes.Unmap && Discard != DriveDiscard.Unmap)
        {
            throw Invalid($"The drive '{name}' has detect-zeroes=unmap without discard=unmap, which it needs; allowed without: off, on.", "detect-zeroes", "detect_zeroes");
        }

        if (ReadError == DriveErrorAction.Enospc)
        {
            throw Invalid($"The drive '{name}' has rerror=enospc, but a read never finds the disk full; allowed: {string.Join(", ", DriveNames.ReadError)}.", "rerror", "rerror");
        }
    }

    private UserErrorException Invalid(string message, string option, string json) => new("InvalidDrive", message, WhereIs(option, json));
}
