using System;
using System.Collections.Generic;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Debug-StratoVm: looks into guests.</summary>
[Cmdlet(VerbsDiagnostic.Debug, "StratoVm", DefaultParameterSetName = NameSet, SupportsShouldProcess = true)]
[OutputType(typeof(CpuRegister))]
public sealed class DebugStratoVmCommand : VmActionCmdlet
{
    [Parameter(HelpMessage = "Emit the registers of each virtual CPU.")]
    public SwitchParameter Register { get; set; }

    [Parameter(HelpMessage = "Send the guest a non-maskable interrupt; a kernel may panic at it.")]
    [Alias("InjectNonMaskableInterrupt")]
    public SwitchParameter Nmi { get; set; }

    [Parameter(HelpMessage = "Write the guest's memory into this file, as an ELF core; the VM stands still meanwhile.")]
    [ValidateNotNullOrEmpty]
    public string? DumpPath { get; set; }

    [Parameter(HelpMessage = "With -DumpPath, take the place of a file that is there.")]
    public SwitchParameter Force { get; set; }

    protected override void BeginProcessing()
    {
        int actions = (Register ? 1 : 0) + (Nmi ? 1 : 0) + (DumpPath is null ? 0 : 1);
        if (actions != 1 || (Force && DumpPath is null))
        {
            throw Terminating(new StratoException(
                StratoErrorKind.InvalidArgument,
                actions == 0 ? "ActionMissing" : "ParametersConflict",
                actions == 0 ? "Neither -Register, -Nmi nor -DumpPath says what to do; give one."
                    : actions > 1 ? "More than one of -Register, -Nmi and -DumpPath is given; give one."
                    : "-Force goes with -DumpPath alone."));
        }
    }

    private protected override void Process(VmTarget vm)
    {
        if (Register)
        {
            foreach (CpuRegisters registers in Try(vm.Name, () => vm.Client.GetRegisters(vm.Id, Token)) ?? (IReadOnlyList<CpuRegisters>)[])
            {
                WriteObject(new CpuRegister(vm, registers));
            }
        }
        else if (Nmi)
        {
            if (ShouldProcess(vm.Name, "Send a non-maskable interrupt"))
            {
                Try(vm.Name, () => vm.Client.InjectNmi(vm.Id, Token));
            }
        }
        else if (ShouldProcess(vm.Name, $"Hold the VM and write its memory to '{DumpPath}'"))
        {
            Dump(vm);
        }
    }

    private readonly HashSet<string> _written = new(StringComparer.Ordinal);

    private void Dump(VmTarget vm)
    {
        FileProgress progress = new(this, $"Writing the memory of '{vm.Name}'");
        try
        {
            // -Force is for what was there before, not for the dump of the VM before.
            string path = ResolveFile(DumpPath!);
            Try(vm.Name, () =>
            {
                vm.Client.DumpMemory(vm.Id, path, Force && !_written.Contains(path), (done, all) => progress.Show(DumpPath!, done, all), Token);
                _written.Add(path);
            });
        }
        finally
        {
            progress.Complete();
        }
    }
}
