using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>A cmdlet about one snapshot of a VM, or about those from the pipeline.</summary>
public abstract class OneSnapshotCmdlet : SnapshotCmdlet
{
    /// <summary>Name or id; a wildcard that one alone matches will do.</summary>
    [Parameter(Mandatory = true, Position = 1, ParameterSetName = VMNameSet, HelpMessage = "Name or id of the snapshot.")]
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = VMSet, HelpMessage = "Name or id of the snapshot.")]
    [Alias("SnapshotName")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(SnapshotNameCompleter))]
    public string Name { get; set; } = null!;

    private protected override IReadOnlyList<string>? SnapshotNames => [Name];

    private protected override void Process(VmTarget vm)
    {
        if (Try(Name, () => Find(vm)) is { } snapshot)
        {
            Process(snapshot);
        }
    }

    private Snapshot Find(VmTarget vm)
    {
        SnapshotListing all = vm.Client.ListSnapshots(vm.Id);

        // A name means itself first, whatever it looks like.
        VmSnapshot[] found = [.. all.Snapshots.Where(snapshot => string.Equals(snapshot.Name, Name, StringComparison.OrdinalIgnoreCase) || snapshot.Id == Name)];
        if (found.Length == 0 && all.Damaged.FirstOrDefault(damaged => damaged.Id == Name) is { } unreadable)
        {
            throw unreadable.Error;
        }

        if (found.Length == 0 && WildcardPattern.ContainsWildcardCharacters(Name))
        {
            WildcardPattern pattern = WildcardPattern.Get(Name, WildcardOptions.IgnoreCase);
            found = [.. all.Snapshots.Where(snapshot => pattern.IsMatch(snapshot.Name))];
        }

        return found.Length switch
        {
            1 => new Snapshot(vm, found[0]),
            0 => throw SnapshotFinder.Missing(vm.Name, Name),
            _ => throw new StratoException(StratoErrorKind.InvalidArgument, "SnapshotAmbiguous", $"'{Name}' means {found.Length} snapshots of the VM '{vm.Name}', and one is to be given: {string.Join(", ", found.Select(snapshot => $"'{snapshot.Name}'"))}.")
            {
                VmName = vm.Name,
            },
        };
    }
}
