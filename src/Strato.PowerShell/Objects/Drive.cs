using System;
using System.IO;
using Strato.Client;
using Strato.PowerShell;
using Strato.Protocol.Configuration;

namespace Strato;

/// <summary>A disk of a VM.</summary>
public sealed class Drive
{
    internal Drive(VmTarget vm, DriveDefinition drive)
    {
        Vm = vm;
        VMName = vm.Name;
        VMId = vm.Id;
        Id = drive.Id;
        Path = drive.Path;
        ReadOnly = drive.ReadOnly;
        Serial = drive.Serial;
        Size = SizeOf(drive.Path);
        Aio = drive.Io.Aio?.ToString();
        Cache = drive.Io.Cache?.ToString();
        Direct = drive.Io.Direct;
        Iops = drive.Io.Iops ?? 0;
        IoThread = string.IsNullOrEmpty(drive.Io.IoThread) ? null : drive.Io.IoThread;
        QueueCount = drive.Io.QueueCount ?? 1;
        QueueSize = drive.Io.QueueSize ?? DriveConfiguration.DefaultQueueSize;
        Discard = (drive.Io.Discard ?? default).ToString();
        DetectZeroes = (drive.Io.DetectZeroes ?? default).ToString();
        WriteErrorAction = (drive.Io.WriteErrorAction ?? default).ToString();
        ReadErrorAction = (drive.Io.ReadErrorAction ?? default).ToString();
        Snapshot = drive.Io.Snapshot ?? false;
    }

    internal VmTarget Vm { get; }

    /// <summary>Name of the VM the disk belongs to.</summary>
    public string VMName { get; }

    /// <summary>Id of that VM.</summary>
    public string VMId { get; }

    /// <summary>Unique within the VM.</summary>
    public string Id { get; }

    /// <summary>The raw image or block device.</summary>
    public string Path { get; }

    /// <summary>The guest cannot write to it.</summary>
    public bool ReadOnly { get; }

    /// <summary>Serial number the guest reads, or null.</summary>
    public string? Serial { get; }

    /// <summary>How requests reach the host's kernel (a name of <see cref="DriveAio"/>); null where the engine chooses.</summary>
    public string? Aio { get; }

    /// <summary>Page cache and flushes (a name of <see cref="DriveCache"/>); null where nothing was asked for.</summary>
    public string? Cache { get; }

    /// <summary>Past the host's page cache; null where <see cref="Cache"/> and the engine decide.</summary>
    public bool? Direct { get; }

    /// <summary>Most requests a second on average; 0 for no limit.</summary>
    public int Iops { get; }

    /// <summary>Name of the thread that serves it; null for the main one.</summary>
    public string? IoThread { get; }

    /// <summary>Request queues.</summary>
    public int QueueCount { get; }

    /// <summary>Entries of a queue.</summary>
    public int QueueSize { get; }

    /// <summary>What becomes of the guest's discards: Ignore or Unmap.</summary>
    public string Discard { get; }

    /// <summary>Whether writes of nothing but zeros are looked for: Off, On or Unmap.</summary>
    public string DetectZeroes { get; }

    /// <summary>What is done when the host fails at a write: Report, Ignore, Stop or Enospc.</summary>
    public string WriteErrorAction { get; }

    /// <summary>What is done when the host fails at a read.</summary>
    public string ReadErrorAction { get; }

    /// <summary>What the guest writes is thrown away when the VM ends.</summary>
    public bool Snapshot { get; }

    /// <summary>Bytes of the image; null where it is missing.</summary>
    public long? Size { get; }

    public override string ToString() => Id;

    private static long? SizeOf(string path)
    {
        try
        {
            // Opened, since a block device has no length in its directory entry.
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            return file.Seek(0, SeekOrigin.End);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return null;
        }
    }
}
