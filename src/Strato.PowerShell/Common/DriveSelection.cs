using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>Finds disks by id or wildcard.</summary>
internal static class DriveSelection
{
    /// <summary>A wildcard that matches none is silent; an id that no disk of the VM has is the error <c>DriveNotFound</c>.</summary>
    public static IReadOnlyList<DriveDefinition> Find(VmDefinition vm, string id)
    {
        DriveDefinition[] exact = [.. vm.Drives.Where(drive => drive.Id.Equals(id, StringComparison.OrdinalIgnoreCase))];
        if (exact.Length > 0)
        {
            return exact;
        }

        if (!WildcardPattern.ContainsWildcardCharacters(id))
        {
            string known = vm.Drives.Count == 0 ? "it has none" : $"it has {string.Join(", ", vm.Drives.Select(drive => $"'{drive.Id}'"))}";
            throw new StratoException(StratoErrorKind.NotFound, "DriveNotFound", $"The VM '{vm.Name}' has no disk '{id}'; {known}.") { VmName = vm.Name };
        }

        WildcardPattern pattern = WildcardPattern.Get(id, WildcardOptions.IgnoreCase | WildcardOptions.CultureInvariant);
        return [.. vm.Drives.Where(drive => pattern.IsMatch(drive.Id))];
    }
}
