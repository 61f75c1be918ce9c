using System;
using System.Collections.Generic;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>Finds snapshots by name, wildcard or id.</summary>
internal static class SnapshotFinder
{
    /// <summary>Those of a VM that names mean, each behind its parent. A name that none has is the error <c>SnapshotNotFound</c>; what can't be read is an error as well.</summary>
    public static IEnumerable<Snapshot> Find(StratoCmdlet cmdlet, VmTarget vm, IReadOnlyList<string>? names)
    {
        SnapshotListing all;
        try
        {
            all = vm.Client.ListSnapshots(vm.Id);
        }
        catch (StratoException e)
        {
            cmdlet.WriteError(ErrorRecords.From(e, vm.Name));
            yield break;
        }

        HashSet<string> met = new(StringComparer.OrdinalIgnoreCase);
        foreach (VmSnapshot snapshot in all.Snapshots)
        {
            if (IsMeant(names, snapshot.Name, snapshot.Id, met))
            {
                yield return new Snapshot(vm, snapshot);
            }
        }

        foreach (DamagedSnapshot damaged in all.Damaged)
        {
            if (IsMeant(names, damaged.Id, damaged.Id, met))
            {
                cmdlet.WriteError(ErrorRecords.From(damaged.Error, damaged.Id));
            }
        }

        foreach (string name in names ?? [])
        {
            if (!met.Contains(name) && !WildcardPattern.ContainsWildcardCharacters(name))
            {
                cmdlet.WriteError(ErrorRecords.From(Missing(vm.Name, name), name));
            }
        }
    }

    /// <summary>Ids of those that can't be read and that names mean by their ids.</summary>
    public static IEnumerable<string> FindDamaged(VmTarget vm, IReadOnlyList<string>? names)
    {
        foreach (DamagedSnapshot damaged in vm.Client.ListSnapshots(vm.Id).Damaged)
        {
            foreach (string name in names ?? [])
            {
                if (name == damaged.Id)
                {
                    yield return damaged.Id;
                }
            }
        }
    }

    public static StratoException Missing(string vmName, string name) => new(StratoErrorKind.NotFound, "SnapshotNotFound", $"The VM '{vmName}' has no snapshot '{name}'.")
    {
        VmName = vmName,
        RecommendedAction = $"Get-StratoSnapshot '{vmName}' lists its snapshots.",
    };

    private static bool IsMeant(IReadOnlyList<string>? names, string name, string id, HashSet<string> met)
    {
        if (names is null)
        {
            return true;
        }

        bool meant = false;
        foreach (string given in names)
        {
            // A name that looks like a wildcard means itself first.
            if (string.Equals(given, name, StringComparison.OrdinalIgnoreCase) || given == id || WildcardPattern.Get(given, WildcardOptions.IgnoreCase).IsMatch(name))
            {
                met.Add(given);
                meant = true;
            }
        }

        return meant;
    }
}
