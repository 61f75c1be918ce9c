using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Get-StratoHugePage: the host's huge pages.</summary>
[Cmdlet(VerbsCommon.Get, "StratoHugePage")]
[OutputType(typeof(HugePage))]
public sealed class GetStratoHugePageCommand : StratoCmdlet
{
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true, HelpMessage = "Size of a page, such as 2MB or 1GB; all sizes of the host if omitted.")]
    [Alias("HugePage")]
    [ArgumentCompleter(typeof(HugePageSizeCompleter))]
    public long[]? Size { get; set; }

    protected override void ProcessRecord()
    {
        // A VM on the pipeline whose memory is of ordinary pages has none to show.
        if (Size is null && !MyInvocation.BoundParameters.ContainsKey(nameof(Size)))
        {
            foreach (HugePageInfo pages in StratoClient.GetHugePages())
            {
                WriteObject(new HugePage(pages));
            }

            return;
        }

        foreach (long size in Size ?? [])
        {
            if (Try(size, () => StratoClient.GetHugePages(size)) is { } pages)
            {
                WriteObject(new HugePage(pages));
            }
        }
    }
}
