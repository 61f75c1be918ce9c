using System;
using System.Collections.Generic;
using System.Threading;
using Strato.Client.Configurations;
using Strato.Client.Runtime;

namespace Strato.Client;

/// <remarks>Configurations for running VMs.</remarks>
public sealed partial class StratoClient
{
    /// <summary>Each that a running VM can take, by what changes it alone.</summary>
    private List<VmDifference> ApplyRunning(string id, VmConfigurationDocument configuration, HotPlugOptions? options, CancellationToken token)
    {
        VmDefinition before = GetById(id);
        VmDefinition after = ChangedFor(before, configuration);

        // Known before anything changes: a device isn't taken away for one that can't come.
        DeviceChange<DriveDefinition> drives = new(VmForm.Drives, before.Drives, after.Drives, static drive => drive.Id, static drive => drive.Io.IoThread);
        DeviceChange<NetworkAdapterDefinition> adapters = new(VmForm.NetworkAdapters, before.NetworkAdapters, after.NetworkAdapters, static adapter => adapter.Id, static adapter => adapter.Settings.IoThread);
        if (before.NoHotPlug)
        {
            drives.LeaveOut();
            adapters.LeaveOut();
        }
        else if (drives.Added.Count + adapters.Added.Count > 0)
        {
            using QmpConnection qmp = OpenQmp(id, token);
            List<HotPlugSlot> slots = HotPlugSlot.Query(qmp, token);
            drives.Fit(before, slots, "virtio-blk-mmio", MaximumDrives, static (a, b) => a.Path == b.Path);
            adapters.Fit(before, slots, "virtio-net-mmio", Strato.Protocol.Configuration.NetConfiguration.Maximum, static (a, b) => MayClash(a.Settings, b.Settings));
        }

        List<VmDifference> refused = [];
        foreach (VmDifference difference in DifferenceFinder.Find(before, after))
        {
            if (difference.NeedsRestart || drives.Refused.Contains(difference.Path) || adapters.Refused.Contains(difference.Path))
            {
                refused.Add(difference with { NeedsRestart = true });
            }
        }

        if (before.Notes != after.Notes)
        {
            Update(id, new VmSettings { Notes = after.Notes }, null, token);
        }

        if (before.Cpu != after.Cpu && before.Processor.Maximum >= after.Cpu)
        {
            Update(id, new VmSettings { Cpu = after.Cpu }, options, token);
        }

        if (before.Processor.Weight != after.Processor.Weight || before.Processor.Quota != after.Processor.Quota)
        {
            SetCpuShare(id, after.Processor.Weight ?? 0, after.Processor.Quota ?? 0, token);
        }

        ApplyPins(id, before.Processor.Affinity, after.Processor.Affinity, token);
        foreach ((DriveDefinition drive, DriveDefinition next) in drives.Kept)
        {
            if (next.Io.Iops != drive.Io.Iops)
            {
                SetDrive(id, drive.Id, new DriveChange { Io = new DriveIo { Iops = next.Io.Iops ?? 0 } }, token);
            }
        }

        foreach ((NetworkAdapterDefinition adapter, NetworkAdapterDefinition next) in adapters.Kept)
        {
            if (next.Settings.Connected != adapter.Settings.Connected)
            {
                SetNetworkAdapter(id, adapter.Id, new NetworkAdapterSettings { Connected = next.Settings.Connected ?? true }, token);
            }
        }

        drives.Do(
            drive => AddDrive(id, new DriveSettings { Id = drive.Id, Path = drive.Path, ReadOnly = drive.ReadOnly, Serial = drive.Serial, Io = drive.Io }, options, token),
            drive => RemoveDrive(id, drive.Id, options, token));
        adapters.Do(adapter => AddNetworkAdapter(id, adapter.Settings, adapter.Id, options, token), adapter => RemoveNetworkAdapter(id, adapter.Id, options, token));
        return refused;
    }

    /// <summary>Whether two adapters want the same of the host, so that one has to go before the other comes.</summary>
    private static bool MayClash(NetworkAdapterSettings a, NetworkAdapterSettings b) =>
        (a.TapName is not null && a.TapName == b.TapName) || (a.MacAddress is not null && string.Equals(a.MacAddress, b.MacAddress, StringComparison.OrdinalIgnoreCase)) || (a.LeadsToUser && b.LeadsToUser);

    private void ApplyPins(string id, IReadOnlyList<AffinityDefinition> before, IReadOnlyList<AffinityDefinition> after, CancellationToken token)
    {
        foreach (AffinityDefinition old in before)
        {
            if (Find(after, one => SameThread(one, old)) is null)
            {
                SetAffinity(id, TargetOf(old), "", token);
            }
        }

        foreach (AffinityDefinition pin in after)
        {
            if (Find(before, one => SameThread(one, pin))?.HostCpus != pin.HostCpus)
            {
                SetAffinity(id, TargetOf(pin), pin.HostCpus, token);
            }
        }

        static bool SameThread(AffinityDefinition a, AffinityDefinition b) => a.Cpu == b.Cpu && a.IoThread == b.IoThread;

        static AffinityTarget TargetOf(AffinityDefinition pin) =>
            new(pin.Cpu is { } cpu ? [cpu] : [], pin.IoThread is { } thread ? [thread] : [], pin is { Cpu: null, IoThread: null });
    }

    /// <summary>What becomes of the devices of one kind of a VM that runs.</summary>
    private sealed class DeviceChange<T>
        where T : class
    {
        private readonly string _list;
        private readonly Func<T, string> _id;
        private readonly Func<T, string?> _thread;
        private readonly int _count;
        private readonly List<T> _removed = [];
        private bool _addsFirst;

        internal DeviceChange(string list, IReadOnlyList<T> before, IReadOnlyList<T> after, Func<T, string> id, Func<T, string?> thread)
        {
            (_list, _id, _thread, _count) = (list, id, thread, before.Count);
            foreach (T old in before)
            {
                if (Find(after, one => SameId(id(one), id(old))) is { } next)
                {
                    Kept.Add((old, next));
                }
                else
                {
                    _removed.Add(old);
                }
            }

            foreach (T one in after)
            {
                if (Find(before, old => SameId(id(one), id(old))) is null)
                {
                    Added.Add(one);
                }
            }
        }

        internal List<(T Before, T After)> Kept { get; } = [];

        internal List<T> Added { get; } = [];

        /// <summary>Paths of differences that this VM can't be given while it runs.</summary>
        internal HashSet<string> Refused { get; } = new(StringComparer.Ordinal);

        /// <summary>None comes and none goes; the finder of differences knows of a VM without slots.</summary>
        internal void LeaveOut()
        {
            Added.Clear();
            _removed.Clear();
        }

        /// <summary>Refuses what this VM has no place for: threads come with a start alone, an id may be that of a device which the definition doesn't know, and slots are few.</summary>
        internal void Fit(VmDefinition vm, List<HotPlugSlot> slots, string driver, int most, Func<T, T, bool> clash)
        {
            int free = slots.FindAll(slot => slot.Driver == driver && slot.Device is null).Count;
            int room = free + _removed.FindAll(old => Holds(slots, _id(old))).Count;
            foreach (T one in Added.ToArray())
            {
                bool hasThread = _thread(one) is not { } thread || Find(vm.IoThreads, known => SameId(known.Id, thread)) is not null;
                if (hasThread && !Holds(slots, _id(one)) && room > 0)
                {
                    room--;
                    continue;
                }

                Added.Remove(one);
                Refused.Add($"{_list}[{_id(one)}]");
            }

            // One that fails all the same, such as for a disk that another VM has, then hasn't cost another.
            _addsFirst = Added.Count <= free && _count + Added.Count <= most && !Added.Exists(one => _removed.Exists(old => clash(one, old)));
        }

        internal void Do(Action<T> add, Action<T> remove)
        {
            if (_addsFirst)
            {
                Added.ForEach(add);
            }

            _removed.ForEach(remove);
            if (!_addsFirst)
            {
                Added.ForEach(add);
            }
        }

        private static bool Holds(List<HotPlugSlot> slots, string id) => slots.Exists(slot => slot.Device is not null && SameId(slot.Device, id));
    }
}
