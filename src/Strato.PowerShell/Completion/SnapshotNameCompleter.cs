using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>Completes names of snapshots, of the VMs that the command line names so far.</summary>
public sealed class SnapshotNameCompleter : DeviceIdCompleter
{
    private protected override IEnumerable<(string Id, string Tip)> Of(VmDefinition vm)
    {
        try
        {
            return [.. StratoClient.FromEnvironment().ListSnapshots(vm.Id).Snapshots.Select(snapshot => (
                snapshot.Name,
                string.Create(CultureInfo.InvariantCulture, $"{snapshot.Name} of {vm.Name}: {snapshot.Created.LocalDateTime:yyyy-MM-dd HH:mm:ss}, {View.Size(snapshot.Size)}")))];
        }
        catch (Exception e) when (e is StratoException or IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
