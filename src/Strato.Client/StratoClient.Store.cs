using System;
using System.Buffers;
using System.Collections.Generic;
using System.IO;
using System.Text.Json;
using System.Threading;
using Strato.Client.Runtime;
using Strato.Client.Store;

namespace Strato.Client;

public sealed partial class StratoClient
{
    private VmStore Store => new(Paths);

    private EngineRegistry Registry => new(Paths);

    /// <summary>All VMs, sorted by name, and those whose definition is damaged. An empty store is an empty list. Ephemeral VMs that have ended are removed.</summary>
    public VmListing List() => Sweep(Store.List());

    /// <summary>The VMs whose name matches a PowerShell wildcard (<c>* ? [a-z]</c>, backtick escapes) without regard to case, sorted by name; a VM of exactly that name comes alone.</summary>
    /// <param name="pattern">The wildcard.</param>
    /// <param name="withEnded">Whether ephemeral VMs that have ended are found too, for who asks for the end; else they are removed, as by <see cref="List"/>.</param>
    public IReadOnlyList<VmDefinition> Find(string pattern, bool withEnded = false) => VmStore.Find(withEnded ? Store.List() : List(), pattern);

    /// <summary>The VMs with a damaged definition that a text means, as <see cref="Find"/> does: by the name, where that can still be read, or by the id.</summary>
    public IReadOnlyList<DamagedVm> FindDamaged(string pattern) => Store.FindDamaged(pattern);

    /// <summary>True if the text has a wildcard that counts; only a text without one is an error when nothing matches it.</summary>
    public static bool HasWildcard(string pattern) => Wildcard.HasWildcard(pattern);

    /// <summary>The VM of exactly that name without regard to case; error <c>VmNotFound</c>, or <c>VmDefinitionDamaged</c> if that one can't be read.</summary>
    public VmDefinition Get(string name) => VmStore.Get(List(), name);

    /// <summary>The VM of that id; error <c>VmNotFound</c>.</summary>
    public VmDefinition GetById(string id) => Store.GetById(id);

    /// <summary>Makes a VM. Errors: <c>InvalidName</c>, <c>VmExists</c>, <c>KernelMissing</c>, <c>KernelNotFound</c>, <c>InitrdNotFound</c>, <c>InvalidMemory</c>, <c>InvalidCpuCount</c>, <c>InvalidTopology</c>, <c>UnknownCpuModel</c>, <c>UnknownCpuFeature</c>, <c>InvalidCpuFeature</c>, <c>InvalidCommandLine</c>, <c>UnknownMachineType</c>.</summary>
    public VmDefinition Create(VmSettings settings, CancellationToken token = default)
    {
        VmSettings complete = VmRules.Complete(settings);
        ReleaseNames();
        return Store.Create(complete, token);
    }

    /// <summary>Names of ephemeral VMs that have ended are free.</summary>
    private void ReleaseNames() => _ = List();


    /// <summary>Refuses what <see cref="Create"/> would refuse, without making anything (for -WhatIf).</summary>
    public void Check(VmSettings settings)
    {
        VmSettings complete = VmRules.Complete(settings);
        RefuseTaken(complete.Name!);
    }

    /// <summary>Changes what is given. Name, notes and the number of CPUs may change at any time, all else only while the VM is stopped (<c>VmRunning</c>).</summary>
    /// <remarks>Errors else as for <see cref="Create"/>; <c>CpuCountUnavailable</c>, <c>WaitTimeout</c>, <c>CpuRefused</c>, and those of QMP, for CPUs of a running VM.</remarks>
    public VmDefinition Update(string id, VmSettings changes, HotPlugOptions? options = null, CancellationToken token = default)
    {
        VmSettings given = VmRules.Check(changes);
        bool whileRunning = given with { Name = null, Notes = null, Cpu = null } == new VmSettings();
        using CpuChange cpus = new(token);
        if (given.Name is not null)
        {
            ReleaseNames();
        }

        try
        {
            VmDefinition changed = Store.Update(
                id,
                rename: given.Name is not null,
                before =>
                {
                    if (!whileRunning)
                    {
                        RefuseRunning(before, "Its settings, but for name, notes and number of CPUs,");
                    }

                    VmDefinition after = With(before, given);
                    CheckHugePages(after);
                    if (after.Cpu != before.Cpu || after.Processor != before.Processor)
                    {
                        VmRules.CheckProcessor(after.Cpu, after.Processor);
                        after = ProcessorRules.WithoutOrphans(after);
                    }

                    if (given.Cpu is not null)
                    {
                        using EngineProcess? process = Registry.TryOpen(id);
                        if (process is not null)
                        {
                            cpus.Begin(OpenQmp(id, token), process, after);
                        }
                    }

                    return after;
                },
                token);
            cpus.Keep();
            if (options?.Wait == true)
            {
                cpus.Wait(options.Timeout);
            }

            return changed;
        }
        catch
        {
            cpus.Undo();
            throw;
        }
    }

    /// <summary>A definition with what is given in the place of what it has.</summary>
    private static VmDefinition With(VmDefinition before, VmSettings given) => before with
    {
        Name = given.Name ?? before.Name,
        Machine = given.Machine ?? before.Machine,
        NoHotPlug = given.NoHotPlug ?? before.NoHotPlug,
        NoSandbox = given.NoSandbox ?? before.NoSandbox,
        Ephemeral = given.Ephemeral ?? before.Ephemeral,
        Kernel = given.Kernel ?? before.Kernel,
        Initrd = given.Initrd is null ? before.Initrd : given.Initrd.Length == 0 ? null : given.Initrd,
        CommandLine = given.CommandLine ?? before.CommandLine,
        Memory = given.Memory ?? before.Memory,
        HugePage = given.HugePage is null ? before.HugePage : given.HugePage == 0 ? null : given.HugePage,
        Cpu = given.Cpu ?? before.Cpu,
        Processor = ProcessorRules.With(before.Processor, given),
        ConsolePorts = given.GuestAgent is { } agent ? DeviceRules.WithGuestAgent(before, agent) : before.ConsolePorts,
        Notes = given.Notes ?? before.Notes,
    };

    /// <summary>Removes the definition and logs, never a disk. <c>VmRunning</c> while an engine runs. Works on damaged definitions too.</summary>
    public void Delete(string id, CancellationToken token = default)
    {
        VmStore store = Store;
        store.Delete(
            id,
            () =>
            {
                using EngineProcess? process = Registry.TryOpen(id);
                if (process is not null)
                {
                    throw Running(store.NameOf(id), process.Run.Pid, "It", "be removed");
                }

                Registry.Clean(id);
            },
            token);
    }

    /// <summary>Adds a drive to a VM; to a running one, too. Errors: those of QMP for a running VM, of which the definition then knows nothing, <c>WaitTimeout</c>, <c>DriveFileNotFound</c>, <c>DriveSize</c>, <c>DriveExists</c>, <c>InvalidSerialNumber</c>, <c>InvalidId</c>, <c>TooManyDrives</c>, <c>IoThreadNotFound</c>.</summary>
    public DriveDefinition AddDrive(string id, DriveSettings drive, HotPlugOptions? options = null, CancellationToken token = default)
    {
        if (drive.Id is not null)
        {
            VmRules.CheckId(drive.Id);
        }

        DriveDefinition asked = new() { Id = drive.Id ?? Path.GetFileName(drive.Path), Path = drive.Path, ReadOnly = drive.ReadOnly, Serial = drive.Serial, Io = drive.Io };
        VmRules.CheckDrive(asked, imageToo: true);
        DriveDefinition? added = null;
        AddDevice(
            id,
            options ?? new(),
            (before, slots) =>
            {
                if (before.Drives.Count >= MaximumDrives)
                {
                    throw new StratoException(StratoErrorKind.InvalidArgument, "TooManyDrives", $"The VM '{before.Name}' has {before.Drives.Count} drives; a {before.Machine} has at most {MaximumDrives}.") { VmName = before.Name };
                }

                if (drive.Id is not null && HasDevice(before, slots, drive.Id))
                {
                    throw new StratoException(StratoErrorKind.AlreadyExists, "DriveExists", $"The VM '{before.Name}' has a device '{drive.Id}' already.") { Where = "-Id", VmName = before.Name };
                }

                RefuseKeeping(before, drive.Io.Snapshot);
                added = before.Own(asked with { Id = drive.Id ?? FreeId(before, slots, "disk"), Io = drive.Io with { IoThread = ResolveIoThread(before, drive.Io.IoThread) } });
                return added.Id;
            },
            session => Plug(session, added!),
            (before, slots) => before with { Drives = Insert(before.Drives, added!, static drive => drive.Id, slots) },
            token);
        return added!;
    }

    /// <summary>Changes what is given of a drive: on a stopped VM all of it, on a running one the limit of requests a second alone.</summary>
    /// <returns>The drive as it is now.</returns>
    /// <remarks>
    /// Errors as for <see cref="AddDrive"/>, <c>DriveNotFound</c>, and those of QMP for a running VM, of which the definition then knows nothing.
    /// </remarks>
    public DriveDefinition SetDrive(string id, string driveId, DriveChange change, CancellationToken token = default)
    {
        bool limitAlone = change with { Io = change.Io with { Iops = null } } == new DriveChange();
        DriveDefinition? changed = null;
        Store.Update(
            id,
            rename: false,
            before =>
            {
                if (!limitAlone)
                {
                    RefuseRunning(before, "Its drives, but for -Iops,");
                }

                DriveDefinition[] drives = [.. before.Drives];
                int at = Array.FindIndex(drives, drive => SameId(drive.Id, driveId));
                if (at < 0)
                {
                    throw new StratoException(StratoErrorKind.NotFound, "DriveNotFound", $"The VM '{before.Name}' has no drive '{driveId}'.") { VmName = before.Name };
                }

                RefuseKeeping(before, change.Io.Snapshot);
                DriveDefinition drive = drives[at];
                changed = drives[at] = before.Own(drive with
                {
                    Path = change.Path ?? drive.Path,
                    ReadOnly = change.ReadOnly ?? drive.ReadOnly,
                    Serial = change.Serial is null ? drive.Serial : change.Serial.Length == 0 ? null : change.Serial,
                    Io = drive.Io.With(change.Io with { IoThread = ResolveIoThread(before, change.Io.IoThread) }),
                });
                VmRules.CheckDrive(changed, imageToo: change.Path is not null);
                if (change.Io.Iops is { } iops)
                {
                    LimitRunning(id, changed.Id, iops, token);
                }

                return before with { Drives = drives };
            },
            token);
        return changed!;
    }

    private void LimitRunning(string id, string driveId, int iops, CancellationToken token)
    {
        using EngineProcess? process = Registry.TryOpen(id);
        if (process is null)
        {
            return;
        }

        ArrayBufferWriter<byte> arguments = new();
        using (Utf8JsonWriter json = new(arguments))
        {
            json.WriteStartObject();
            json.WriteString("id", driveId);
            json.WriteNumber("iops", iops);
            json.WriteEndObject();
        }

        using JsonDocument document = JsonDocument.Parse(arguments.WrittenMemory);
        InvokeQmp(id, "block_set_io_throttle", document.RootElement, token: token);
    }

    /// <summary>Removes a drive from a VM, from a running one, too; the image stays. Errors: those of QMP for a running VM, <c>WaitTimeout</c>, <c>DriveNotFound</c>.</summary>
    public void RemoveDrive(string id, string driveId, HotPlugOptions? options = null, CancellationToken token = default) => RemoveDevice(
        id,
        driveId,
        options ?? new(),
        before =>
        {
            List<DriveDefinition> left = [.. before.Drives];
            if (left.RemoveAll(drive => SameId(drive.Id, driveId)) == 0 && options?.Transient != true)
            {
                throw new StratoException(StratoErrorKind.NotFound, "DriveNotFound", $"The VM '{before.Name}' has no drive '{driveId}'.")
                {
                    VmName = before.Name,
                    RecommendedAction = $"Get-StratoDrive -VMName '{before.Name}' lists its drives.",
                };
            }

            return before with { Drives = left };
        },
        token);

    internal static bool SameId(string a, string b) => string.Equals(a, b, StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether a drive or network adapter has the id, of the definition or of the running VM: all are in one list for the engine.</summary>
    private static bool HasDevice(VmDefinition vm, IReadOnlyList<HotPlugSlot> slots, string id)
    {
        foreach (HotPlugSlot slot in slots)
        {
            if ((slot.Device is not null && SameId(slot.Device, id)) || (slot.Backend is not null && SameId(slot.Backend, id)))
            {
                return true;
            }
        }

        foreach (NetworkAdapterDefinition adapter in vm.NetworkAdapters)
        {
            if (SameId(adapter.Id, id))
            {
                return true;
            }
        }

        foreach (DriveDefinition drive in vm.Drives)
        {
            if (SameId(drive.Id, id))
            {
                return true;
            }
        }

        return false;
    }

    private static string FreeId(VmDefinition vm, IReadOnlyList<HotPlugSlot> slots, string kind)
    {
        int number = 0;
        while (HasDevice(vm, slots, $"{kind}{number}"))
        {
            number++;
        }

        return $"{kind}{number}";
    }

    private void RefuseRunning(VmDefinition vm, string what)
    {
        using EngineProcess? process = Registry.TryOpen(vm.Id);
        if (process is not null)
        {
            throw Running(vm.Name, process.Run.Pid, what, "change");
        }
    }

    private static StratoException Running(string name, int pid, string what, string doing) =>
        new(StratoErrorKind.InvalidState, "VmRunning", $"The VM '{name}' is running (process {pid}). {what} can {doing} only while it is stopped.")
        {
            VmName = name,
            RecommendedAction = $"Stop-StratoVm '{name}' first.",
        };
}
