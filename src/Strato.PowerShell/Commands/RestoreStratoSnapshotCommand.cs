using System;
using System.Collections.Generic;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Restore-StratoSnapshot: turns a VM back to a snapshot, from which it goes on.</summary>
[Cmdlet(VerbsData.Restore, "StratoSnapshot", DefaultParameterSetName = VMNameSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(Vm))]
public sealed class RestoreStratoSnapshotCommand : OneSnapshotCmdlet
{
    [Parameter(HelpMessage = "Leave the virtual CPUs standing; Resume-StratoVm lets them run.")]
    public SwitchParameter Paused { get; set; }

    [Parameter(HelpMessage = "Let the guest's clock go on from where it was; without, it is set to the time of now.")]
    public SwitchParameter KeepTime { get; set; }

    [Parameter(HelpMessage = "Verify the checksums of the memory before anything is lost.")]
    public SwitchParameter Verify { get; set; }

    [Parameter(HelpMessage = "Start even where KVM only emulates, which is too slow for a stock kernel.")]
    public SwitchParameter AllowEmulation { get; set; }

    [Parameter(HelpMessage = "Seconds the engine may take until the guest runs; 60 if omitted.")]
    [ValidateRange(1, 86400)]
    public int Timeout { get; set; } = 60;

    [Parameter(HelpMessage = "Don't ask.")]
    public SwitchParameter Force { get; set; }

    [Parameter(HelpMessage = "Emit the VM as it is after the action; by default nothing is emitted.")]
    public SwitchParameter PassThru { get; set; }

    private protected override void Process(Snapshot snapshot)
    {
        FileProgress progress = new(this, $"Restoring '{snapshot.VMName}'");
        try
        {
            Try(snapshot.Name, () => Restore(snapshot, progress));
        }
        finally
        {
            progress.Complete();
        }
    }

    private void Restore(Snapshot snapshot, FileProgress progress)
    {
        VmTarget vm = snapshot.Vm;
        IReadOnlyList<string> lost = vm.Client.WhatRestoreLoses(vm.Id, snapshot.Info);
        string action = $"Restore the snapshot '{snapshot.Name}'{(lost.Count == 0 ? "" : $"; what is lost: {string.Join(", ", lost)}")}";

        // Where nothing is lost there is nothing to ask.
        if (!Consent.Given(this, Force || lost.Count == 0, vm.Name, action))
        {
            return;
        }

        SnapshotRestoreOptions options = new()
        {
            Paused = Paused,
            KeepTime = KeepTime,
            Verify = Verify,
            Force = AllowEmulation,
            Timeout = TimeSpan.FromSeconds(Timeout),
            Progress = (disk, done, all) => progress.Show(disk ?? "memory", done, all),
        };
        SnapshotRestoreResult restored = vm.Client.RestoreSnapshot(vm.Id, snapshot.Id, options, Token);
        foreach (string warning in restored.Warnings)
        {
            WriteWarning(warning);
        }

        WriteVerbose($"The memory of '{vm.Name}' was {(restored.Vm.MemoryCopied == true ? "copied into huge pages" : "mapped")}.");
        if (PassThru)
        {
            Write(vm, restored.Vm);
        }
    }
}
