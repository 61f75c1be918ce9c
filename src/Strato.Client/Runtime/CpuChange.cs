using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text.Json;
using System.Threading;
using Strato.Client.Linux;

namespace Strato.Client.Runtime;

/// <summary>CPUs that come to a running VM, or go from it, with the way back and the wait for the guest.</summary>
/// <remarks>Nothing is done, taken back or waited for before <see cref="Begin"/>.</remarks>
internal sealed class CpuChange(CancellationToken token) : IDisposable
{
    private const string Peripheral = "/machine/peripheral/";

    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);
    private QmpConnection? _qmp;
    private PlugSession? _session;
    private string _vmName = "";
    private int _steps;

    /// <summary>Gives the VM as many CPUs as it is to have: those that come are told to the guest and pinned, those that go are asked of it.</summary>
    /// <param name="qmp">To its engine; this object's from here on.</param>
    /// <param name="process">Its engine.</param>
    /// <param name="vm">As it will be.</param>
    /// <remarks>Errors: <c>CpuCountUnavailable</c>, the engine's, those of pins.</remarks>
    internal void Begin(QmpConnection qmp, EngineProcess process, VmDefinition vm)
    {
        _qmp = qmp;
        _session = new PlugSession(qmp, token);
        _vmName = vm.Name;
        SortedDictionary<int, string?> there = Query();
        List<string> plugged = [];
        foreach (string? id in there.Values)
        {
            if (id is not null)
            {
                plugged.Add(id);
            }
        }

        (int least, int most) = (there.Count - plugged.Count, qmp.Execute("query-hotpluggable-cpus", token: token).GetArrayLength());
        if (vm.Cpu < least || vm.Cpu > most)
        {
            string why = vm.Cpu < least ? $"{least} virtual CPUs, which stay until it is stopped" : $"room for {most} virtual CPUs, and -MaximumCpu changes only while it is stopped";
            throw new StratoException(StratoErrorKind.InvalidState, "CpuCountUnavailable", $"The VM '{vm.Name}' was started with {why}; allowed: {least} to {most}.") { Where = "-Cpu", VmName = vm.Name };
        }

        // The last goes first.
        for (int i = plugged.Count; i > 0 && least + i > vm.Cpu; i--)
        {
            Remove(plugged[i - 1]);
        }

        for (int cpu = 0; there.Count < vm.Cpu; cpu++)
        {
            if (!there.ContainsKey(cpu))
            {
                string id = string.Create(CultureInfo.InvariantCulture, $"cpu{cpu}");
                Add(id, cpu);
                there.Add(cpu, id);
                Pin(process, vm, cpu);
            }
        }
    }

    /// <summary>There is no way back from here on.</summary>
    internal void Keep() => _steps = 0;

    /// <summary>Asks those back that came. What fails here is no news: the engine may be gone.</summary>
    internal void Undo()
    {
        for (; _steps > 0; _steps--)
        {
            _session!.Undo();
        }
    }

    /// <summary>Waits until the guest has taken each CPU that came, and given back each that is to go. Errors: <c>WaitTimeout</c>, <c>CpuRefused</c>, <c>VmEnded</c>.</summary>
    internal void Wait(TimeSpan? timeout)
    {
        Deadline deadline = Deadline.After(timeout);
        try
        {
            while (_asked.Count > 0)
            {
                Hear(_qmp!.ReadEvent(deadline.Remaining, token) ?? throw new StratoException(
                    StratoErrorKind.Timeout,
                    "WaitTimeout",
                    string.Create(CultureInfo.InvariantCulture, $"The guest of VM '{_vmName}' has not answered for {string.Join(", ", _asked)} within {timeout!.Value.TotalSeconds:0.###} seconds; the change stays asked for."))
                {
                    VmName = _vmName,
                    RecommendedAction = "A paused VM doesn't answer, nor does a guest that is still booting or has no CPU hot-plug.",
                });
            }
        }
        catch (StratoException e) when (e.Kind == StratoErrorKind.Connection)
        {
            throw new StratoException(StratoErrorKind.Ended, "VmEnded", $"The VM '{_vmName}' ended before its guest answered.", e) { VmName = _vmName };
        }
    }

    public void Dispose() => _session?.Dispose();

    private void Hear(QmpEvent told)
    {
        if (told.Name == "DEVICE_DELETED" && told.Data.TryGetProperty("device", out JsonElement deleted))
        {
            _asked.Remove(deleted.GetString()!);
        }
        else if (told.Name == "ACPI_DEVICE_OST" && told.Data.TryGetProperty("info", out JsonElement info) && info.GetProperty("device").GetString() is { } id && _asked.Remove(id)
            && info.GetProperty("status").GetInt32() is var status and not 0)
        {
            string what = info.GetProperty("source").GetInt32() == 3 ? "give up" : "take";
            throw new StratoException(StratoErrorKind.Failed, "CpuRefused", $"The guest of VM '{_vmName}' refuses to {what} {id} (ACPI status 0x{status:x}); its kernel's log says why.") { VmName = _vmName };
        }
    }

    private void Add(string id, int cpu)
    {
        // One that is refused leaves no step back.
        _steps++;
        _session!.Do(
            "device_add",
            json =>
            {
                json.WriteString("id", id);
                json.WriteString("driver", "host-x86-cpu");
                json.WriteNumber("cpu-id", cpu);
            },
            ("device_del", "id", id));
        _asked.Add(id);
    }

    private void Remove(string id)
    {
        _session!.Do("device_del", json => json.WriteString("id", id));
        _asked.Add(id);
    }

    /// <summary>Those that there are by their numbers, with the names of those that came while the VM ran.</summary>
    private SortedDictionary<int, string?> Query()
    {
        SortedDictionary<int, string?> there = [];
        foreach (JsonElement cpu in _qmp!.Execute("query-cpus", token: token).EnumerateArray())
        {
            string path = cpu.GetProperty("qom_path").GetString()!;
            there.Add(cpu.GetProperty("CPU").GetInt32(), path.StartsWith(Peripheral, StringComparison.Ordinal) ? path[Peripheral.Length..] : null);
        }

        return there;
    }

    /// <summary>Pins a CPU that came; without a pin of its own it may run wherever the VM's may, and not just where the thread does that made it.</summary>
    private void Pin(EngineProcess process, VmDefinition vm, int index)
    {
        HostCpus? pin = null;
        bool isEmulatorPinned = false;
        foreach (AffinityDefinition one in vm.Processor.Affinity)
        {
            pin = one.Cpu == index ? HostCpus.Parse(one.HostCpus, "-Affinity") : pin;
            isEmulatorPinned |= one is { Cpu: null, IoThread: null };
        }

        if (pin is null && !isEmulatorPinned)
        {
            return;
        }

        foreach (JsonElement cpu in _qmp!.Execute("query-cpus", token: token).EnumerateArray())
        {
            if (cpu.GetProperty("CPU").GetInt32() == index)
            {
                Affinity.Pin(process.Run.Pid, cpu.GetProperty("thread_id").GetInt32(), pin);
            }
        }
    }
}
