using System;
using System.Collections.Generic;
using System.IO;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Strato.Client.Store;

namespace Strato.Client;

/// <remarks>
/// Ephemeral VMs. Nobody waits for an engine's end in the background, and an engine in its sandbox can't remove what it runs from. So
/// whoever waits for the end removes the VM (Stop, Wait), and else the next command that looks for VMs by name does. What tells one that has
/// run from one that was never started is the record of its run; and what tells that nobody will start it any more is the lock of its maker.
/// </remarks>
public sealed partial class StratoClient
{
    // Another command may be at it: then that one removes it, or the next.
    private static readonly TimeSpan RemovalLimit = TimeSpan.FromSeconds(2);

    /// <summary>A listing without the ephemeral VMs that have ended, which are removed.</summary>
    private VmListing Sweep(VmListing all)
    {
        List<VmDefinition> left = [];
        foreach (VmDefinition vm in all.Definitions)
        {
            if (!vm.Ephemeral || !TryRemoveEnded(vm, ranForSure: false, TimeSpan.Zero))
            {
                left.Add(vm);
            }
        }

        return left.Count == all.Definitions.Count ? all : all with { Definitions = left };
    }

    /// <summary>Removes an ephemeral VM that has run and ended; one that is locked stays for whoever comes next.</summary>
    /// <param name="vm">The VM.</param>
    /// <param name="ranForSure">Whether it has run even where no record says so: who started it may have died before that was written.</param>
    /// <param name="limit">How long its lock is waited for.</param>
    /// <returns>Whether it is gone.</returns>
    private bool TryRemoveEnded(VmDefinition vm, bool ranForSure, TimeSpan limit)
    {
        try
        {
            if (!HasEnded())
            {
                return false;
            }

            bool ended = false;
            try
            {
                Store.Delete(
                    vm.Id,
                    () =>
                    {
                        ended = HasEnded();
                        if (!ended)
                        {
                            throw new StratoException(StratoErrorKind.Busy, "VmBusy", $"The VM '{vm.Name}' was started anew.") { VmName = vm.Name };
                        }

                        Registry.Clean(vm.Id);
                    },
                    CancellationToken.None,
                    limit);
            }
            catch (StratoException e) when (e.Id == "VmNotFound")
            {
                // Another command was faster.
            }

            return true;
        }
        catch (Exception e) when (e is StratoException or IOException or UnauthorizedAccessException)
        {
            // It is tried again by whoever looks next; what the user asked for goes on.
            return false;
        }

        bool HasEnded()
        {
            using EngineProcess? process = Registry.TryOpen(vm.Id);
            return process is null && (ranForSure || Registry.LastRun(vm.Id) is not null || IsForsaken(vm.Id));
        }
    }

    /// <summary>Whether a VM waits for a start by a command that has died.</summary>
    private bool IsForsaken(string id)
    {
        // Taking a lock would make its file.
        if (!File.Exists(Paths.MakerLock(id)))
        {
            return false;
        }

        using FileLock? free = FileLock.TryTake(Paths.MakerLock(id), Deadline.After(TimeSpan.Zero), CancellationToken.None);
        return free is not null;
    }

    /// <summary>The lock by which others know that the command which an ephemeral VM is there for, or which starts it anew, still lives.</summary>
    private sealed class Maker : IDisposable
    {
        private FileLock? _lock;

        /// <param name="folder">The VM's.</param>
        internal void Take(string folder) => _lock = FileLock.TryTake(Path.Combine(folder, StratoPaths.MakerLockName), Deadline.After(TimeSpan.Zero), CancellationToken.None);

        public void Dispose() => _lock?.Dispose();
    }

    /// <summary>An ephemeral VM as it is after its end, which removes it; null for one that isn't ephemeral, runs, or was never started.</summary>
    /// <param name="vm">The VM.</param>
    /// <param name="ranForSure">As of <see cref="TryRemoveEnded"/>.</param>
    private VmInfo? TakeEnded(VmDefinition vm, bool ranForSure)
    {
        if (!vm.Ephemeral)
        {
            return null;
        }

        string? reason = Registry.WhyStopped(vm.Id);
        return TryRemoveEnded(vm, ranForSure, RemovalLimit) || !Directory.Exists(Paths.VmDirectory(vm.Id)) ? Dead(vm, reason) : null;
    }

    /// <summary>As <see cref="Snapshot(string, CancellationToken)"/>, also of an ephemeral VM that has ended and was removed by another command.</summary>
    private VmInfo SnapshotEvenGone(VmDefinition vm, CancellationToken token)
    {
        try
        {
            return Snapshot(vm.Id, token);
        }
        catch (StratoException e) when (e.Id == "VmNotFound" && vm.Ephemeral)
        {
            return Dead(vm, null);
        }
    }

    /// <summary>The VM of that id, or as its user last saw it where it was ephemeral and is gone.</summary>
    private VmDefinition GetEvenGone(string id, VmDefinition? seen)
    {
        try
        {
            return Store.GetEvenDamaged(id);
        }
        catch (StratoException e) when (e.Id == "VmNotFound" && seen is { Ephemeral: true })
        {
            return seen;
        }
    }

    /// <summary>Refuses a drive that would keep changes in a VM that doesn't.</summary>
    internal static void RefuseKeeping(VmDefinition vm, bool? snapshot)
    {
        if (vm.Ephemeral && snapshot == false)
        {
            throw new StratoException(StratoErrorKind.InvalidArgument, "EphemeralDrive", $"The VM '{vm.Name}' is ephemeral: what its guest writes to drives is thrown away, and -Snapshot:$false can't be given.")
            {
                Where = "-Snapshot",
                VmName = vm.Name,
            };
        }
    }
}
