using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Set-StratoHugePage: sets memory of the host aside as huge pages.</summary>
[Cmdlet(VerbsCommon.Set, "StratoHugePage", SupportsShouldProcess = true)]
[OutputType(typeof(HugePage))]
public sealed class SetStratoHugePageCommand : StratoCmdlet
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true, HelpMessage = "Size of a page, such as 2MB or 1GB.")]
    [ArgumentCompleter(typeof(HugePageSizeCompleter))]
    public long Size { get; set; }

    [Parameter(Mandatory = true, Position = 1, HelpMessage = "Number of pages to be set aside in all, used ones included; 0 gives all back that are free.")]
    [ValidateRange(0L, long.MaxValue)]
    public long Count { get; set; }

    [Parameter(HelpMessage = "Emit the pages as they are after the action; by default nothing is emitted.")]
    public SwitchParameter PassThru { get; set; }

    protected override void ProcessRecord() => Try(Size, () =>
    {
        HugePageInfo before = StratoClient.GetHugePages(Size);
        if (ShouldProcess($"{before.Total} huge pages of {View.Size(Size)}", $"Change the number to {Count}"))
        {
            HugePageInfo after = StratoClient.SetHugePages(Size, Count, Token);
            if (after.Total > Count)
            {
                WriteWarning($"{after.Total} huge pages of {View.Size(Size)} stay; those above {Count} go when nobody uses them.");
            }

            if (PassThru)
            {
                WriteObject(new HugePage(after));
            }
        }
    });
}
