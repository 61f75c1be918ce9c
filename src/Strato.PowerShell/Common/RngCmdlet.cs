using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>The parameters of a source of random bytes.</summary>
public abstract class RngCmdlet : VmSingleDeviceCmdlet
{
    [Parameter(HelpMessage = "What gives the bytes, /dev/urandom if omitted.")]
    [ValidateNotNullOrEmpty]
    public string? Source { get; set; }

    [Parameter(HelpMessage = "Most bytes in a period; 0 for no limit.")]
    public long MaxBytes { get; set; }

    [Parameter(HelpMessage = "Milliseconds of the period, 1 to 4294967295.")]
    public long Period { get; set; }

    /// <summary>What was given.</summary>
    private protected RngChange Settings => new()
    {
        Source = Source is null ? null : ResolveFile(Source),
        MaxBytes = Given(nameof(MaxBytes), MaxBytes),
        Period = Given(nameof(Period), Period),
    };
}
