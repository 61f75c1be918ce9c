using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Export-StratoSnapshot: copies a snapshot into a folder of its own.</summary>
[Cmdlet(VerbsData.Export, "StratoSnapshot", DefaultParameterSetName = VMNameSet, SupportsShouldProcess = true)]
[OutputType(typeof(System.IO.DirectoryInfo))]
public sealed class ExportStratoSnapshotCommand : OneSnapshotCmdlet
{
    [Parameter(Mandatory = true, Position = 2, ParameterSetName = VMNameSet, HelpMessage = "Folder for the copy, which isn't there yet.")]
    [Parameter(Mandatory = true, Position = 1, ParameterSetName = VMSet, HelpMessage = "Folder for the copy, which isn't there yet.")]
    [Parameter(Mandatory = true, Position = 1, ParameterSetName = SnapshotSet, HelpMessage = "Folder for the copy, which isn't there yet.")]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = null!;

    [Parameter(HelpMessage = "Emit the folder; by default nothing is emitted.")]
    public SwitchParameter PassThru { get; set; }

    private protected override void Process(Snapshot snapshot)
    {
        FileProgress progress = new(this, $"Exporting '{snapshot.Name}' of '{snapshot.VMName}'");
        try
        {
            Try(snapshot.Name, () =>
            {
                string path = System.IO.Path.TrimEndingDirectorySeparator(ResolveFile(Path));
                StratoClient.CheckExport(path);
                if (!ShouldProcess(snapshot.VMName, $"Export the snapshot '{snapshot.Name}' to '{path}'"))
                {
                    return;
                }

                snapshot.Vm.Client.ExportSnapshot(snapshot.VMId, snapshot.Id, path, progress.Show, Token);
                if (PassThru)
                {
                    WriteObject(new System.IO.DirectoryInfo(path));
                }
            });
        }
        finally
        {
            progress.Complete();
        }
    }
}
