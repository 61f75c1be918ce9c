using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Import-StratoSnapshot: gives a VM a snapshot that lies in a folder.</summary>
[Cmdlet(VerbsData.Import, "StratoSnapshot", DefaultParameterSetName = VMSet, SupportsShouldProcess = true)]
[OutputType(typeof(Snapshot))]
public sealed class ImportStratoSnapshotCommand : VmDeviceCmdlet
{
    [Parameter(Mandatory = true, Position = 0, HelpMessage = "Folder of the snapshot, as Export-StratoSnapshot or QMP's migrate makes it.")]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = null!;

    [Parameter(Position = 1, HelpMessage = "Name of the snapshot; the one that it has if omitted, or the folder's.")]
    [Alias("SnapshotName")]
    [ValidateNotNullOrEmpty]
    public string? Name { get; set; }

    private protected override void Process(VmTarget vm)
    {
        FileProgress progress = new(this, $"Importing a snapshot of '{vm.Name}'");
        try
        {
            Try(vm.Name, () =>
            {
                string path = System.IO.Path.TrimEndingDirectorySeparator(ResolveFile(Path));
                if (ShouldProcess(vm.Name, $"Import the snapshot '{path}'"))
                {
                    WriteObject(new Snapshot(vm, vm.Client.ImportSnapshot(vm.Id, path, Name, progress.Show, Token)));
                }
            });
        }
        finally
        {
            progress.Complete();
        }
    }
}
