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

    // How the engine says that an id is taken: QMP has no class for it.
    private const string DuplicateId = "ids are unique";
    private const int MostAttempts = 9;

    // What ACPI's _OST says that was asked.
    private const int Insertion = 1;
    private const int Ejection = 3;

    private readonly Dictionary<string, Question> _asked = new(StringComparer.Ordinal);
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
        _session = new PlugSession(qmp, !process.Run.Sandboxed, token);
        _vmName = vm.Name;
        SortedDictionary<int, string?> there = Query();
        List<(string Id, int Cpu)> plugged = [];
        foreach ((int cpu, string? id) in there)
        {
            if (id is not null)
            {
                plugged.Add((id, cpu));
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
            Remove(plugged[i - 1].Id, plugged[i - 1].Cpu);
        }

        for (int cpu = 0; there.Count < vm.Cpu; cpu++)
        {
            if (!there.ContainsKey(cpu))
            {
                there.Add(cpu, Add(process, vm, cpu));
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

    /// <summary>Waits until the guest has taken each CPU that came, and given back each that is to go. Errors: <c>WaitTimeout</c>, <c>CpuRefused</c>, <c>VmReset</c>, <c>VmEnded</c>.</summary>
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
                    string.Create(CultureInfo.InvariantCulture, $"The guest of VM '{_vmName}' has not answered for {string.Join(", ", _asked.Keys)} within {timeout!.Value.TotalSeconds:0.###} seconds; the change stays asked for."))
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
        switch (told.Name)
        {
            case "RESET":
                throw new StratoException(
                    StratoErrorKind.Ended, "VmReset", $"The VM '{_vmName}' was reset before its guest answered for {string.Join(", ", _asked.Keys)}; what it was asked is forgotten.")
                {
                    VmName = _vmName,
                    RecommendedAction = "CPUs that came are there when the guest starts anew; those that were to go stay until Set-StratoVm -Cpu asks for them again.",
                };
            case "DEVICE_DELETED" when told.Data.TryGetProperty("device", out JsonElement device) && device.GetString() is { } gone && _asked.Remove(gone, out Question? question):
                if (question.Source == Insertion)
                {
                    throw new StratoException(StratoErrorKind.Failed, "CpuRefused", $"{gone} of VM '{_vmName}' was taken out again before its guest had taken it.") { VmName = _vmName };
                }

                break;
            case "ACPI_DEVICE_OST" when told.Data.TryGetProperty("info", out JsonElement info) && Find(info) is { } id:
                int status = info.GetProperty("status").GetInt32();
                int source = _asked[id].Source;
                if (status != 0)
                {
                    _asked.Remove(id);
                    throw new StratoException(
                        StratoErrorKind.Failed,
                        "CpuRefused",
                        $"The guest of VM '{_vmName}' refuses to {(source == Ejection ? "give up" : "take")} {id} (ACPI status 0x{status:x}); its kernel's log says why.")
                    { VmName = _vmName };
                }

                // One that the guest gives up is gone when DEVICE_DELETED says so.
                if (source == Insertion)
                {
                    _asked.Remove(id);
                }

                break;
        }
    }

    /// <summary>Whose answer it is to what was asked here: another CPU's isn't, nor one to what others asked.</summary>
    private string? Find(JsonElement info) =>
        info.GetProperty("slot-type").GetString() == "CPU"
        && info.GetProperty("device").GetString() is { } id
        && _asked.TryGetValue(id, out Question? question)
        && info.GetProperty("source").GetInt32() == question.Source
        && info.GetProperty("slot").GetString() == question.Cpu.ToString(CultureInfo.InvariantCulture)
            ? id
            : null;

    /// <summary>Adds a CPU, whose thread is on its pin from the start. Gives its name.</summary>
    private string Add(EngineProcess process, VmDefinition vm, int cpu)
    {
        string id = "";
        if (PinOf(vm, cpu, out HostCpus? pin))
        {
            Affinity.WhileMainIsOn(process.Run.Pid, pin, () => id = Add(cpu));
            Repin(process.Run.Pid, cpu, pin);
        }
        else
        {
            id = Add(cpu);
        }

        return id;
    }

    /// <summary>Adds a CPU by a name that nothing else has.</summary>
    private string Add(int cpu)
    {
        string first = string.Create(CultureInfo.InvariantCulture, $"cpu{cpu}");
        for (int attempt = 1; ; attempt++)
        {
            string id = attempt == 1 ? first : string.Create(CultureInfo.InvariantCulture, $"{first}.{attempt}");
            try
            {
                Add(id, cpu);
                return id;
            }
            catch (StratoException e) when (attempt < MostAttempts && e.Message.Contains(DuplicateId, StringComparison.Ordinal))
            {
                // A drive or an adapter has it.
            }
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
        _asked[id] = new Question(cpu, Insertion);
    }

    private void Remove(string id, int cpu)
    {
        _session!.Do("device_del", json => json.WriteString("id", id));
        _asked[id] = new Question(cpu, Ejection);
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

    /// <summary>Where a CPU that comes is to run; without a pin of its own wherever the VM's may, and not just where the thread does that makes it. False where nothing is pinned.</summary>
    private static bool PinOf(VmDefinition vm, int index, out HostCpus? pin)
    {
        pin = null;
        bool isEmulatorPinned = false;
        foreach (AffinityDefinition one in vm.Processor.Affinity)
        {
            pin = one.Cpu == index ? HostCpus.Parse(one.HostCpus, "-Affinity") : pin;
            isEmulatorPinned |= one is { Cpu: null, IoThread: null };
        }

        return pin is not null || isEmulatorPinned;
    }

    /// <summary>Pins a CPU that came, where its thread isn't on its pin already.</summary>
    private void Repin(int pid, int index, HostCpus? pin)
    {
        foreach (JsonElement cpu in _qmp!.Execute("query-cpus", token: token).EnumerateArray())
        {
            int thread = cpu.GetProperty("thread_id").GetInt32();
            if (cpu.GetProperty("CPU").GetInt32() == index && Affinity.Get(pid, thread)?.ToString() != pin?.ToString())
            {
                Affinity.Pin(pid, thread, pin);
            }
        }
    }

    /// <summary>What the guest was asked of a CPU.</summary>
    private sealed record Question(int Cpu, int Source);
}
