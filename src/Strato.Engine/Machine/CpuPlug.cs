using System;
using Strato.Engine.Devices;
using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Machine;

/// <summary>Puts CPUs into the running machine, and takes them out when the guest has given them up.</summary>
/// <remarks>On the main loop's thread. The guest hears of it by ACPI: <see cref="CpuHotplug"/>.</remarks>
internal sealed class CpuPlug
{
    private readonly CpuSet _cpus;
    private readonly CpuHotplug _port;
    private readonly Func<bool> _hasAcpi;
    private readonly Action<string> _checkId;

    /// <param name="cpus">The machine's.</param>
    /// <param name="port">What the guest sees of them.</param>
    /// <param name="loop">The main loop.</param>
    /// <param name="hasAcpi">Whether the guest's kernel hears of CPUs by ACPI.</param>
    /// <param name="checkId">Refuses an id that a device may not have, or has.</param>
    public CpuPlug(CpuSet cpus, CpuHotplug port, EventLoop loop, Func<bool> hasAcpi, Action<string> checkId)
    {
        _cpus = cpus;
        _port = port;
        _hasAcpi = hasAcpi;
        _checkId = checkId;
        port.Ejected = cpu => loop.Post(() => Remove(cpu));
        port.Answered = (cpu, what, status) => loop.Post(() => Tell(cpu, what, status));
    }

    /// <summary>What those who listen are told: CPU_RESIZE, DEVICE_DELETED, ACPI_DEVICE_OST.</summary>
    public Action<MachineEvent> EventRaised { get; set; } = _ => { };

    /// <summary>Adds a CPU and tells the guest.</summary>
    /// <param name="id">The user's name of it.</param>
    /// <param name="cpu">Its index.</param>
    /// <param name="runs">Whether the machine runs.</param>
    /// <exception cref="UserErrorException">InvalidCpu, CpuHotPlugUnavailable, InvalidId, DuplicateId, HostRefused; nothing has changed then.</exception>
    public void Add(string id, long cpu, bool runs)
    {
        (int first, int count) = (_cpus.Topology.Present, _cpus.Topology.Count);
        if (first == count)
        {
            throw new UserErrorException("CpuHotPlugUnavailable", $"The machine has {count} CPUs, and no room is kept for more; -smp {count},maxcpus=N keeps it.", "cpu-id");
        }

        if (cpu < 0 || cpu >= count)
        {
            throw new UserErrorException("InvalidCpu", $"CPU {cpu} is out of range; allowed: {first} to {count - 1}.", "cpu-id");
        }

        if (_cpus.IsThere((int)cpu))
        {
            string how = !_port.IsThere((int)cpu) ? "about to go" : _port.IsAskedFor((int)cpu) ? "there still: the guest was asked for it, and has not given it up" : "there already";
            throw new UserErrorException("InvalidCpu", $"CPU {cpu} is {how}.", "cpu-id");
        }

        if (!_hasAcpi())
        {
            throw new UserErrorException("CpuHotPlugUnavailable", "The guest's kernel has no ACPI, by which CPUs come and go: it is built without, or started with acpi=off.", "cpu-id");
        }

        _checkId(id);
        try
        {
            _cpus.Add((int)cpu, id, runs);
        }
        catch (LinuxException error)
        {
            throw new UserErrorException("HostRefused", $"The host refuses CPU {cpu}: {error.Message}.", "cpu-id", error);
        }

        _port.Insert((int)cpu);
        EventRaised(MachineEvent.CpuResize);
    }

    /// <summary>Asks the guest for a CPU; false when none has the id. DEVICE_DELETED tells when it has gone.</summary>
    public bool RequestRemoval(string id)
    {
        int cpu = _cpus.Find(id);
        if (cpu >= 0)
        {
            _port.RequestRemoval(cpu);
        }

        return cpu >= 0;
    }

    private void Remove(int cpu)
    {
        if (_cpus.IsThere(cpu))
        {
            string id = _cpus.Remove(cpu);
            EventRaised(MachineEvent.DeviceDeleted(id));
            EventRaised(MachineEvent.CpuResize);
        }
    }

    private void Tell(int cpu, uint what, uint status)
    {
        if (_cpus.IdOf(cpu) is { } id)
        {
            EventRaised(MachineEvent.CpuAnswer(id, cpu, what, status));
        }
    }
}
