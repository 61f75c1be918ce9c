using System;
using System.IO;
using Strato.Client;
using Strato.PowerShell;

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
        Iops = drive.Io.Iops ?? 0;
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

    /// <summary>Most requests a second on average; 0 for no limit.</summary>
    public int Iops { get; }

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
