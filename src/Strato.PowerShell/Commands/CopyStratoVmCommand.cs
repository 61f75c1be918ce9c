using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Management.Automation;
using System.Threading.Tasks;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Copy-StratoVm: a new VM with another's definition, and with copies of its disks if wished; or running VMs from a snapshot.</summary>
[Cmdlet(VerbsCommon.Copy, "StratoVm", DefaultParameterSetName = NameSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class CopyStratoVmCommand : VmSelectingCmdlet
{
    private const string SnapshotNameSet = "SnapshotName";
    private const string SnapshotSet = "Snapshot";

    private ParallelWork<VmInfo>? _work;

    [Parameter(Mandatory = true, Position = 0, ParameterSetName = NameSet, ValueFromPipeline = true, HelpMessage = "Name of the VM; wildcards are allowed.")]
    [Parameter(Position = 0, ParameterSetName = SnapshotNameSet, HelpMessage = "Name of the VM whose snapshot it is; of all VMs if omitted.")]
    [Alias("VMName")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(VmNameCompleter))]
    public string[] Name { get; set; } = null!;

    [Parameter(Mandatory = true, Position = 0, ParameterSetName = VMSet, ValueFromPipeline = true, HelpMessage = "VM object, as Get-StratoVm returns it.")]
    [ValidateNotNull]
    public Vm[] VM { get; set; } = null!;

    // By property name, so that a script block can make each name from the VM that comes.
    [Parameter(Mandatory = true, Position = 1, ParameterSetName = NameSet, ValueFromPipelineByPropertyName = true, HelpMessage = "Name of the new VM, unique without regard to case; a script block makes it from each VM of the pipeline.")]
    [Parameter(Mandatory = true, Position = 1, ParameterSetName = VMSet, ValueFromPipelineByPropertyName = true, HelpMessage = "Name of the new VM, unique without regard to case; a script block makes it from each VM of the pipeline.")]
    [Parameter(ParameterSetName = SnapshotNameSet, HelpMessage = "Name of the new VM, where it is one.")]
    [Parameter(ParameterSetName = SnapshotSet, HelpMessage = "Name of the new VM, where it is one.")]
    [Alias("NewVMName")]
    [ValidateNotNull]
    [AllowEmptyString]
    public string NewName { get; set; } = null!;

    [Parameter(ParameterSetName = NameSet, HelpMessage = "Copy the files of the disks that the guest can write to; without, both VMs have the same.")]
    [Parameter(ParameterSetName = VMSet, HelpMessage = "Copy the files of the disks that the guest can write to; without, both VMs have the same.")]
    public SwitchParameter CopyDisk { get; set; }

    [Parameter(HelpMessage = "Folder for the copied disks; the folder of each disk if omitted.")]
    [ValidateNotNullOrEmpty]
    public string? DiskDirectory { get; set; }

    [Parameter(ParameterSetName = NameSet, HelpMessage = "Give the new VM the MAC addresses that the adapters were given, too.")]
    [Parameter(ParameterSetName = VMSet, HelpMessage = "Give the new VM the MAC addresses that the adapters were given, too.")]
    public SwitchParameter KeepMacAddress { get; set; }

    [Parameter(Mandatory = true, ParameterSetName = SnapshotNameSet, HelpMessage = "Name or id of the snapshot that the new VMs go on from.")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(SnapshotNameCompleter))]
    public string Snapshot { get; set; } = null!;

    [Parameter(Mandatory = true, ParameterSetName = SnapshotSet, ValueFromPipeline = true, HelpMessage = "Snapshot object, as Get-StratoSnapshot returns it.")]
    [ValidateNotNull]
    public Snapshot[] InputObject { get; set; } = null!;

    [Parameter(ParameterSetName = SnapshotNameSet, HelpMessage = "How many VMs are made; 1 if omitted.")]
    [Parameter(ParameterSetName = SnapshotSet, HelpMessage = "How many VMs are made; 1 if omitted.")]
    [ValidateRange(1, 100_000)]
    public int Count { get; set; } = 1;

    [Parameter(ParameterSetName = SnapshotNameSet, HelpMessage = "Names of the new VMs, where {0} stands for a number from 1, as in web-{0:000}; those that are taken are passed over.")]
    [Parameter(ParameterSetName = SnapshotSet, HelpMessage = "Names of the new VMs, where {0} stands for a number from 1, as in web-{0:000}; those that are taken are passed over.")]
    [ValidateNotNullOrEmpty]
    public string? NameFormat { get; set; }

    [Parameter(ParameterSetName = SnapshotNameSet, HelpMessage = "Throw away what the guests write to their disks, and the VMs when they have run.")]
    [Parameter(ParameterSetName = SnapshotSet, HelpMessage = "Throw away what the guests write to their disks, and the VMs when they have run.")]
    public SwitchParameter Ephemeral { get; set; }

    [Parameter(ParameterSetName = SnapshotNameSet, HelpMessage = "Let the guests' clocks go on from where they were; without, they are set to the time of now.")]
    [Parameter(ParameterSetName = SnapshotSet, HelpMessage = "Let the guests' clocks go on from where they were; without, they are set to the time of now.")]
    public SwitchParameter KeepTime { get; set; }

    [Parameter(ParameterSetName = SnapshotNameSet, HelpMessage = "Start even where KVM only emulates, which is too slow for a stock kernel.")]
    [Parameter(ParameterSetName = SnapshotSet, HelpMessage = "Start even where KVM only emulates, which is too slow for a stock kernel.")]
    public SwitchParameter AllowEmulation { get; set; }

    [Parameter(ParameterSetName = SnapshotNameSet, HelpMessage = "Seconds each engine may take until its guest runs; 60 if omitted.")]
    [Parameter(ParameterSetName = SnapshotSet, HelpMessage = "Seconds each engine may take until its guest runs; 60 if omitted.")]
    [ValidateRange(1, 86400)]
    public int Timeout { get; set; } = 60;

    [Parameter(ParameterSetName = SnapshotNameSet, HelpMessage = "How many VMs are made at once; 8 if omitted.")]
    [Parameter(ParameterSetName = SnapshotSet, HelpMessage = "How many VMs are made at once; 8 if omitted.")]
    [ValidateRange(1, 1024)]
    public int ThrottleLimit { get; set; } = 8;

    [Parameter(ParameterSetName = SnapshotNameSet, HelpMessage = "Emit each VM as it runs; by default nothing is emitted.")]
    [Parameter(ParameterSetName = SnapshotSet, HelpMessage = "Emit each VM as it runs; by default nothing is emitted.")]
    public SwitchParameter PassThru { get; set; }

    private protected override IReadOnlyList<string>? Names => ParameterSetName is NameSet or SnapshotNameSet ? Name : null;

    private protected override IReadOnlyList<Vm>? Objects => ParameterSetName == VMSet ? VM : null;

    protected override void BeginProcessing()
    {
        bool clones = ParameterSetName is SnapshotNameSet or SnapshotSet;
        if (DiskDirectory is not null && (clones ? (bool)Ephemeral : !CopyDisk))
        {
            throw Conflict(clones ? "-DiskDirectory is where copies of disks go, which -Ephemeral makes none of." : "-DiskDirectory is where -CopyDisk puts the copies, which isn't given.");
        }

        if (clones && NewName is not null && (Count > 1 || NameFormat is not null))
        {
            throw Conflict("-NewName is the name of one VM; -NameFormat gives each of several its own.");
        }

        if (NameFormat is not null && Count > 1 && NameOf(NameFormat, 1) == NameOf(NameFormat, 2))
        {
            throw Conflict($"-NameFormat '{NameFormat}' gives each VM the same name; {{0}} in it stands for a number.");
        }
    }

    protected override void ProcessRecord()
    {
        if (ParameterSetName == SnapshotSet)
        {
            foreach (Snapshot snapshot in InputObject)
            {
                Clone(snapshot);
            }
        }
        else if (ParameterSetName == SnapshotNameSet)
        {
            if (Try(Snapshot, FindSnapshot) is { } found)
            {
                Clone(found);
            }
        }
        else
        {
            base.ProcessRecord();
        }

        _work?.ReportReady();
    }

    protected override void EndProcessing() => _work?.ReportAll();

    /// <summary>After Ctrl-C, or an error that ended the pipeline: the shell may end next, and what was begun has to be undone before.</summary>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (disposing)
        {
            _work?.Drain();
        }
    }

    private protected override void Process(VmTarget vm)
    {
        FileProgress progress = new(this, $"Copying the disks of '{vm.Name}'");
        try
        {
            Try(vm.Name, () => Copy(vm, progress));
        }
        finally
        {
            progress.Complete();
        }
    }

    private void Copy(VmTarget vm, FileProgress progress)
    {
        CopyOptions options = new()
        {
            CopyDisk = CopyDisk,
            DiskDirectory = DiskDirectory is null ? null : ResolveFile(DiskDirectory),
            KeepMacAddress = KeepMacAddress,
            Progress = progress.Show,
        };

        // Checked first, so that -WhatIf tells what would be refused.
        vm.Client.CheckCopy(vm.Client.GetById(vm.Id), NewName, options);
        if (!ShouldProcess(vm.Name, $"Copy to '{NewName}'"))
        {
            return;
        }

        CopyResult copy = vm.Client.Copy(vm.Id, NewName, options, Token);
        foreach (string warning in copy.Warnings)
        {
            WriteWarning(warning);
        }

        Write(vm, vm.Client.Snapshot(copy.Vm.Id, Token));
    }

    /// <summary>The one snapshot that -Snapshot means.</summary>
    private Snapshot FindSnapshot()
    {
        List<Snapshot> found = [];
        IEnumerable<VmTarget> vms = Name is null ? VmTarget.Of(Client, Client.List().Definitions) : [.. Targets()];
        foreach (VmTarget vm in vms)
        {
            found.AddRange(vm.Client.ListSnapshots(vm.Id).Snapshots
                .Where(snapshot => string.Equals(snapshot.Name, Snapshot, StringComparison.OrdinalIgnoreCase) || snapshot.Id == Snapshot)
                .Select(snapshot => new Snapshot(vm, snapshot)));
        }

        return found.Count switch
        {
            1 => found[0],
            0 => throw new StratoException(StratoErrorKind.NotFound, "SnapshotNotFound", $"{(Name is null ? "No VM" : $"No VM of {string.Join(", ", Name)}")} has a snapshot '{Snapshot}'.")
            {
                RecommendedAction = "Get-StratoSnapshot lists the snapshots there are.",
            },
            _ => throw new StratoException(StratoErrorKind.InvalidArgument, "SnapshotAmbiguous", $"The VMs {string.Join(", ", found.Select(snapshot => $"'{snapshot.VMName}'"))} have a snapshot '{Snapshot}' each.")
            {
                RecommendedAction = "Name the VM, too: Copy-StratoVm NAME -Snapshot SNAPSHOT.",
            },
        };
    }

    private void Clone(Snapshot snapshot) => Try(snapshot.Name, () =>
    {
        VmTarget vm = snapshot.Vm;
        CloneOptions options = new()
        {
            Ephemeral = Ephemeral,
            DiskDirectory = DiskDirectory is null ? null : ResolveFile(DiskDirectory),
            Count = Count,
            Start = new SnapshotRestoreOptions { KeepTime = KeepTime, Force = AllowEmulation, Timeout = TimeSpan.FromSeconds(Timeout) },
        };
        ClonePlan plan = vm.Client.PlanClones(vm.Id, snapshot.Id, options, Token);
        string[] names = [.. NewNames(snapshot)];
        if (!ShouldProcess($"{snapshot.VMName}, snapshot '{snapshot.Name}'", names.Length == 1 ? $"Make and start the VM '{names[0]}'" : $"Make and start {names.Length} VMs, '{names[0]}' to '{names[^1]}'"))
        {
            return;
        }

        foreach (string warning in plan.Warnings)
        {
            WriteWarning(warning);
        }

        _work ??= new(this, "Starting clones", ThrottleLimit, Report, Token);
        foreach (string name in names)
        {
            _work.Begin(new VmTarget(vm.Client, "", name), () => vm.Client.Clone(plan, name, Token));
            _work.ReportReady();
        }
    });

    private IEnumerable<string> NewNames(Snapshot snapshot)
    {
        if (NewName is not null)
        {
            yield return NewName;
            yield break;
        }

        string format = NameFormat ?? snapshot.VMName.Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal) + "-{0}";
        HashSet<string> taken = new(snapshot.Vm.Client.List().Definitions.Select(vm => vm.Name), StringComparer.OrdinalIgnoreCase);
        bool numbered = NameOf(format, 1) != NameOf(format, 2);
        for (int number = 1, left = Count; left > 0; number++)
        {
            string name = NameOf(format, number);
            if (!numbered || taken.Add(name))
            {
                left--;
                yield return name;
            }
        }
    }

    private string NameOf(string format, int number)
    {
        try
        {
            return string.Format(CultureInfo.InvariantCulture, format, number);
        }
        catch (FormatException e)
        {
            throw Terminating(new StratoException(StratoErrorKind.InvalidArgument, "InvalidNameFormat", $"-NameFormat '{format}' can't be understood: {{0}} stands for a number, {{0:000}} for one of three digits; {{{{ and }}}} are braces.", e));
        }
    }

    private void Report(VmTarget clone, Task<VmInfo> outcome)
    {
        if (Try(clone.Name, () => outcome.GetAwaiter().GetResult()) is { } info && PassThru)
        {
            Write(clone, info);
        }
    }

    private Exception Conflict(string message) => Terminating(new StratoException(StratoErrorKind.InvalidArgument, "ParametersConflict", message));
}
