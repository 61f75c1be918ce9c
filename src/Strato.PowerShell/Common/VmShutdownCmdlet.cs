using System;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>An action that ends the guest: in order and within time limits, or at once where its user accepts the loss.</summary>
public abstract class VmShutdownCmdlet : VmParallelCmdlet
{
    private bool _yesToAll;
    private bool _noToAll;

    /// <summary>Seconds until a guest that doesn't obey is turned off; without it, it never is.</summary>
    [Parameter(HelpMessage = "Seconds the guest has to power down before the VM is turned off.")]
    [ValidateRange(0, 86400)]
    public int TurnOffAfter { get; set; }

    /// <summary>Seconds until waiting is given up.</summary>
    [Parameter(HelpMessage = "Seconds to wait for the guest to power down before that is an error; 120 if omitted.")]
    [ValidateRange(1, 86400)]
    public int Timeout { get; set; } = 120;

    /// <summary>Leaves the question of <see cref="AcceptsLoss"/> out.</summary>
    [Parameter(HelpMessage = "Don't ask before the VM is ended or reset at once.")]
    public SwitchParameter Force { get; set; }

    private protected StopOptions GetStopOptions(bool turnOff) => new()
    {
        TurnOff = turnOff,
        TurnOffAfter = Seconds(nameof(TurnOffAfter), TurnOffAfter),
        Timeout = TimeSpan.FromSeconds(Timeout),
    };

    /// <summary>Asks a person, if one is there, about what loses data: a script has said what it wants by the switch.</summary>
    private protected bool AcceptsLoss(string question, string caption) =>
        !Consent.MayAsk(this, Force) || ShouldContinue(question, caption, ref _yesToAll, ref _noToAll);
}
