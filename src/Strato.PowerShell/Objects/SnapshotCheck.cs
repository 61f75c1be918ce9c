namespace Strato;

/// <summary>What Test-StratoSnapshot found.</summary>
public sealed class SnapshotCheck
{
    internal SnapshotCheck(Snapshot snapshot, Client.SnapshotCheck check)
    {
        VMName = snapshot.VMName;
        Name = snapshot.Name;
        Id = snapshot.Id;
        Ok = check.Faults.Count == 0;
        Faults = [.. check.Faults];
        MemoryChecked = check.MemoryChecked;
    }

    /// <summary>Name of the VM.</summary>
    public string VMName { get; }

    /// <summary>Name of the snapshot.</summary>
    public string Name { get; }

    /// <summary>Its id.</summary>
    public string Id { get; }

    /// <summary>Whether nothing is wrong with it.</summary>
    public bool Ok { get; }

    /// <summary>What is wrong, one sentence each.</summary>
    public string[] Faults { get; }

    /// <summary>Bytes of memory whose checksums were verified.</summary>
    public long MemoryChecked { get; }

    public override string ToString() => Name;
}
