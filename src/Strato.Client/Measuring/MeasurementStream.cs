using System;
using System.Collections.Generic;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Measuring;
using Strato.Client.Runtime;

namespace Strato.Client;

/// <summary>Measures running VMs again and again: one round trip for each sample and VM, all at the same time.</summary>
/// <remarks>One connection to each engine. Between the samples nothing is done but to wait for the time, and for VMs to end. One thread at a time.</remarks>
public sealed class MeasurementStream : IDisposable
{
    private readonly TimeSpan _interval;
    private readonly List<MeasuredVm> _vms = [];
    private Deadline _next;

    /// <param name="registry">Which engines run.</param>
    /// <param name="vms">Those that don't run are left out.</param>
    /// <param name="interval">Time between samples, at least a tenth of a second.</param>
    /// <param name="token">Ends the wait for the first sample.</param>
    internal MeasurementStream(EngineRegistry registry, IReadOnlyList<VmDefinition> vms, TimeSpan interval, CancellationToken token)
    {
        _interval = interval;
        try
        {
            foreach (VmDefinition vm in vms)
            {
                if (registry.TryOpen(vm.Id) is { } process)
                {
                    _vms.Add(new MeasuredVm(vm, process));
                }
            }

            _next = Deadline.After(interval);
            using Waiter waiter = new(token);
            Sample(waiter);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Whether no VM runs any more.</summary>
    public bool IsOver => _vms.Count == 0;

    /// <summary>Waits for the next sample.</summary>
    /// <param name="timeout">Null waits for it as long as it takes.</param>
    /// <param name="token">Ends the wait.</param>
    /// <returns>A measurement of each VM that runs, in the order in which they were given; null when the time limit passed. Empty when none runs any more.</returns>
    public IReadOnlyList<VmMeasurement>? Read(TimeSpan? timeout = null, CancellationToken token = default)
    {
        Deadline deadline = Deadline.After(timeout);
        using Waiter waiter = new(token);
        while (_vms.Count > 0)
        {
            int ended = waiter.WaitReadable(_next.Sooner(deadline), [.. Processes()]);
            if (ended >= 0)
            {
                _vms[ended].Dispose();
                _vms.RemoveAt(ended);
            }
            else if (!_next.Passed)
            {
                return null;
            }
            else
            {
                // Of a reader that takes its time samples are left out; none come in a heap.
                _next = Deadline.After(_interval);
                return Sample(waiter);
            }
        }

        return [];
    }

    public void Dispose()
    {
        _vms.ForEach(vm => vm.Dispose());
        _vms.Clear();
    }

    private IEnumerable<int> Processes()
    {
        foreach (MeasuredVm vm in _vms)
        {
            yield return vm.Process.Fd;
        }
    }

    private List<VmMeasurement> Sample(Waiter waiter)
    {
        Deadline deadline = Deadline.After(StratoClient.StatusLimit);
        _vms.ForEach(vm => vm.Ask());
        int[] connections = new int[_vms.Count];
        while (true)
        {
            for (int i = 0; i < connections.Length; i++)
            {
                connections[i] = _vms[i].Fd;
            }

            if (!Array.Exists(connections, static fd => fd >= 0) || waiter.WaitReadable(deadline, connections) is not (int ready and >= 0))
            {
                break;
            }

            _vms[ready].Take();
        }

        List<VmMeasurement> measurements = [];
        foreach (MeasuredVm vm in _vms)
        {
            if (vm.Measure() is { } measurement)
            {
                measurements.Add(measurement);
            }
        }

        return measurements;
    }
}
