using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;
using System.Threading;
using Strato.Client.Disks;
using Strato.Client.Runtime;
using Strato.Client.Snapshots;
using Strato.Client.Store;
using Strato.Protocol.Configuration;
using Strato.Protocol.Snapshots;

namespace Strato.Client;

/// <remarks>
/// VMs that begin as a snapshot. All map the same file of memory, privately: each has what it writes, and shares the rest. The file may be removed
/// meanwhile; what is mapped stays.
/// </remarks>
public sealed partial class StratoClient
{
    /// <summary>What a guest's agent may take to answer, after its machine went on.</summary>
    private static readonly TimeSpan AddressLimit = TimeSpan.FromSeconds(30);

    /// <summary>Finds out whether VMs can be made from a snapshot.</summary>
    /// <remarks>
    /// Errors <c>SnapshotNotFound</c>, <c>SnapshotDamaged</c>, <c>SnapshotDiskChanged</c>, <c>CloneTap</c>, <c>CloneMacAddress</c>, <c>DirectoryNotFound</c>.
    /// A guest's driver has read its MAC address, so a clone has its template's. On a switch where another has that, it is told by its guest's agent to take one of its own, before its cable is
    /// plugged in; without an agent it is refused.
    /// </remarks>
    public ClonePlan PlanClones(string id, string snapshotId, CloneOptions options, CancellationToken token = default)
    {
        VmSnapshot snapshot = GetSnapshot(id, snapshotId);
        CheckWhole(snapshot, options.Start, token);
        if (options.DiskDirectory is { } folder && !Directory.Exists(folder))
        {
            throw new StratoException(StratoErrorKind.NotFound, "DirectoryNotFound", $"The folder '{folder}' does not exist.") { Where = "-DiskDirectory" };
        }

        VmDefinition vm = snapshot.Definition;
        foreach (string disk in SnapshotDisks.Changed(snapshot, vm))
        {
            throw new StratoException(StratoErrorKind.InvalidState, "SnapshotDiskChanged", $"The disk '{disk}' was written to since the snapshot '{snapshot.Name}' was saved, which has not captured it: the memory of a clone would not fit it.")
            {
                Where = disk,
                VmName = snapshot.VmName,
                RecommendedAction = "Save-StratoSnapshot -IncludeDisk captures the disks, too.",
            };
        }

        List<string> warnings = [];
        Dictionary<string, string> addresses = [];
        foreach (SnapshotNet net in SnapshotFiles.Describe(SnapshotFiles.ReadState(snapshot.Folder), snapshot.Folder).Nets)
        {
            addresses[net.Id] = net.Mac;
        }

        bool gives = false;
        foreach (NetworkAdapterDefinition adapter in vm.NetworkAdapters)
        {
            gives |= PlanAdapter(snapshot, adapter, addresses.GetValueOrDefault(adapter.Id), options, warnings);
        }

        foreach (ConsolePortDefinition port in vm.ConsolePorts)
        {
            _ = CopyPort(vm, port, warnings);
        }

        return new ClonePlan(snapshot, options, addresses, gives, warnings);
    }

    /// <summary>Makes a VM from a snapshot, and returns when it runs. One that fails or is cancelled leaves nothing. Errors <c>VmExists</c>, <c>InvalidName</c>, <c>CloneMacAddress</c>, those of copying disks and of <see cref="Start"/>.</summary>
    public VmInfo Clone(ClonePlan plan, string newName, CancellationToken token = default)
    {
        VmRules.CheckName(newName);
        ReleaseNames();
        RefuseTaken(newName);
        VmSnapshot snapshot = plan.Snapshot;
        using Maker maker = new();
        List<string> made = [];
        VmDefinition? vm = null;
        try
        {
            VmDefinition source = snapshot.Definition;
            VmDefinition copy = source with
            {
                Name = newName,
                Ephemeral = plan.Options.Ephemeral,
                Drives = [.. Converted(source.Drives, drive => CloneDrive(plan, drive, newName, made, token))],
                NetworkAdapters = [.. Converted(source.NetworkAdapters, adapter => CloneAdapter(plan, adapter))],
                ConsolePorts = [.. Converted(source.ConsolePorts, port => CopyPort(source, port, []))],
            };
            vm = Store.Add(
                copy,
                token,
                complete => complete.Vsock is null ? complete : complete with { Vsock = complete.Vsock with { GuestCid = FreeCid() } },
                plan.Options.Ephemeral ? maker.Take : null);
            using (Store.Lock(vm.Id, token, plan.Options.Start.Timeout))
            {
                StartOptions start = StartOf(snapshot, plan.Options.Start);
                StartLocked(vm.Id, plan.GivesAddresses ? start with { Paused = true } : start, token);
            }

            if (plan.GivesAddresses)
            {
                GiveAddresses(plan, vm, token);
            }

            return SnapshotEvenGone(vm, token) with { MemoryCopied = IsMemoryCopied(vm) };
        }
        catch
        {
            if (vm is not null)
            {
                RemoveFailed(vm.Id);
            }

            made.ForEach(AtomicFile.Remove);
            throw;
        }
    }

    private void RemoveFailed(string id)
    {
        try
        {
            Store.Delete(id, () => EndStarted(id), CancellationToken.None);
        }
        catch (StratoException)
        {
            // The first error counts; it may be gone already.
        }
    }

    private DriveDefinition CloneDrive(ClonePlan plan, DriveDefinition drive, string newName, List<string> made, CancellationToken token)
    {
        if (!SnapshotDisks.IsWritten(drive))
        {
            return drive;
        }

        string source = drive.Path;
        foreach (SnapshotDisk disk in plan.Snapshot.Disks)
        {
            if (disk.File is not null && SameId(disk.DriveId, drive.Id))
            {
                source = Path.Combine(plan.Snapshot.Folder, SnapshotStore.DisksName, disk.File);
            }
        }

        if (plan.Options.Ephemeral)
        {
            return drive with { Path = source, Io = drive.Io with { Snapshot = true } };
        }

        string path = CopyPath(drive, newName, new CopyOptions { DiskDirectory = plan.Options.DiskDirectory });
        using NewFile copy = DiskCopy.Copy(source, path, plan.Options.Start.Progress is { } progress ? (done, all) => progress(drive.Id, done, all) : null, token);
        copy.Keep(replace: false);
        made.Add(path);
        return drive with { Path = path };
    }

    private static NetworkAdapterDefinition CloneAdapter(ClonePlan plan, NetworkAdapterDefinition adapter)
    {
        NetworkAdapterSettings settings = adapter.Settings;

        // Its guest knows that address. One that is to take another starts with the snapshot's all the same, which the engine has.
        bool changes = plan.GivesAddresses && settings.SwitchName is not null;
        return adapter with { Settings = settings with { MacAddress = changes ? null : plan.Addresses.GetValueOrDefault(adapter.Id, settings.MacAddress ?? ""), PortForward = null } };
    }

    /// <summary>Whether the guest has to take another address.</summary>
    private bool PlanAdapter(VmSnapshot snapshot, NetworkAdapterDefinition adapter, string? address, CloneOptions options, List<string> warnings)
    {
        NetworkAdapterSettings settings = adapter.Settings;
        if (settings.PortForward is { Count: > 0 })
        {
            warnings.Add($"The clones have no ports of the host: '{adapter.Id}' of '{snapshot.VmName}' forwards {string.Join(", ", settings.PortForward)}, which one VM alone can.");
        }

        if (settings.TapName is { } tap && (options.Count > 1 || RunsWith(other => other.TapName == tap) is not null))
        {
            throw new StratoException(StratoErrorKind.InvalidState, "CloneTap", $"The adapter '{adapter.Id}' leads to the tap '{tap}', which one VM alone can have.")
            {
                VmName = snapshot.VmName,
                RecommendedAction = $"Give '{snapshot.VmName}' an adapter on a switch (Set-StratoNetworkAdapter -SwitchName), which makes a tap for each VM, and save it anew.",
            };
        }

        if (settings.SwitchName is not { } name || address is null)
        {
            return false;
        }

        string? holder = options.Count > 1 ? null : RunsWith(other => other.SwitchName == name, address);
        if (options.Count == 1 && holder is null)
        {
            return false;
        }

        return snapshot.Definition.GuestAgent
            ? true
            : throw new StratoException(
                StratoErrorKind.InvalidState,
                "CloneMacAddress",
                $"{(holder is null ? "The clones" : $"A clone and the VM '{holder}'")} would have the same MAC address {address} on the switch '{name}': a guest's driver reads it once, when it boots, and '{snapshot.VmName}' has no guest agent that could change it.")
            {
                VmName = snapshot.VmName,
                RecommendedAction = "Save a VM with a guest agent (New-StratoVm -GuestAgent), one with user networking (Set-StratoNetworkAdapter -User), or one without an adapter.",
            };
    }

    /// <summary>Name of a running VM with such an adapter; null for none.</summary>
    private string? RunsWith(Func<NetworkAdapterSettings, bool> isMeant, string? address = null)
    {
        foreach (VmDefinition vm in Store.List().Definitions)
        {
            for (int i = 0; i < vm.NetworkAdapters.Count; i++)
            {
                if (isMeant(vm.NetworkAdapters[i].Settings) && (address is null || string.Equals(AddressOf(vm, i), address, StringComparison.OrdinalIgnoreCase)))
                {
                    using EngineProcess? process = Registry.TryOpen(vm.Id);
                    if (process is not null)
                    {
                        return vm.Name;
                    }
                }
            }
        }

        return null;
    }

    /// <summary>The address that a VM's adapter has when it boots.</summary>
    private static string AddressOf(VmDefinition vm, int adapter) =>
        vm.NetworkAdapters[adapter].Settings.MacAddress is { Length: > 0 } given ? given : MacAddress.Format(MacAddress.Generate(vm.Name, adapter));

    /// <summary>Lets the guest of a VM that was started paused run without its cables, has its agent change the addresses, and plugs the cables in.</summary>
    private void GiveAddresses(ClonePlan plan, VmDefinition vm, CancellationToken token)
    {
        List<(NetworkAdapterDefinition Adapter, string Old, string New)> changes = [];
        for (int i = 0; i < vm.NetworkAdapters.Count; i++)
        {
            NetworkAdapterDefinition adapter = vm.NetworkAdapters[i];
            if (adapter.Settings.SwitchName is not null && plan.Addresses.TryGetValue(adapter.Id, out string? old))
            {
                changes.Add((adapter, old, AddressOf(vm, i)));
            }
        }

        using QmpConnection qmp = OpenQmp(vm.Id, token);
        changes.ForEach(change => SetLink(qmp, Plugged(change.Adapter, false), token));
        qmp.Execute("cont", token: token);
        foreach ((NetworkAdapterDefinition adapter, string old, string next) in changes)
        {
            try
            {
                ChangeAddress(vm, old, next, token);
            }
            catch (StratoException e) when (e.Id != "CloneMacAddress")
            {
                throw CannotChange(vm, old, e.Message, e);
            }

            if (!IsDisconnected(adapter))
            {
                SetLink(qmp, Plugged(adapter, true), token);
            }
        }
    }

    private static NetworkAdapterDefinition Plugged(NetworkAdapterDefinition adapter, bool connected) => adapter with { Settings = adapter.Settings with { Connected = connected } };

    private void ChangeAddress(VmDefinition vm, string old, string next, CancellationToken token)
    {
        GuestInterface? found = null;
        foreach (GuestInterface link in GetGuestInfo(vm.Id, AddressLimit, token).Interfaces ?? [])
        {
            found = string.Equals(link.MacAddress, old, StringComparison.OrdinalIgnoreCase) ? link : found;
        }

        if (found is null)
        {
            throw CannotChange(vm, old, "none of its interfaces has it");
        }

        // virtio-net takes a new address while it is up; what a kernel doesn't take so, it takes when it is down.
        string line = string.Create(CultureInfo.InvariantCulture, $"ip link set dev \"$1\" address \"$2\" 2>/dev/null || {{ ip link set dev \"$1\" down && ip link set dev \"$1\" address \"$2\" && ip link set dev \"$1\" up; }}");
        GuestCommandOutcome outcome = InvokeGuest(vm.Id, new GuestCommand { Path = "/bin/sh", Arguments = ["-c", line, "strato", found.Name, next], Timeout = AddressLimit }, token);
        if (outcome.ExitCode != 0)
        {
            throw CannotChange(vm, old, TerminalText.Plain(Encoding.UTF8.GetString(outcome.Error).Trim()));
        }
    }

    private static StratoException CannotChange(VmDefinition vm, string address, string why, Exception? inner = null) =>
        new(StratoErrorKind.Failed, "CloneMacAddress", $"The guest of the clone '{vm.Name}' could not be given another MAC address than {address}, which others on its switch may have: {why.TrimEnd('.')}. The clone was removed.", inner)
        {
            VmName = vm.Name,
            RecommendedAction = "The guest needs a running QEMU guest agent, and the program ip.",
        };
}
