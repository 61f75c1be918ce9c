using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>What a balloon does by itself.</summary>
public abstract class BalloonCmdlet : VmSingleDeviceCmdlet
{
    [Parameter(HelpMessage = "A guest that runs out of memory takes back what it gave.")]
    public SwitchParameter DeflateOnOom { get; set; }

    [Parameter(HelpMessage = "The guest tells which of its pages are free, and the host has them meanwhile.")]
    public SwitchParameter FreePageReporting { get; set; }

    /// <summary>What was given.</summary>
    private protected BalloonChange Settings => new()
    {
        DeflateOnOom = Given<bool>(nameof(DeflateOnOom), DeflateOnOom),
        FreePageReporting = Given<bool>(nameof(FreePageReporting), FreePageReporting),
    };
}
