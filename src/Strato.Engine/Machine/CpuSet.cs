using System;
using System.Collections.Generic;
using System.Globalization;
using Strato.Engine.Boot;
using Strato.Engine.Bus;
using Strato.Engine.Kvm;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Protocol;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Machine;

/// <summary>The machine's CPUs: those that are there with their threads, and those that were taken out, which KVM can't forget.</summary>
/// <remarks>
/// On the main loop's thread, but for <see cref="ParkCalling"/>. KVM has no way to take a vCPU back: one that was removed keeps its
/// descriptor and waits, as at power-on and without a thread, to be used again.
/// </remarks>
internal sealed class CpuSet : IDisposable
{
    private const string CpuidSection = "cpuid";

    /// <summary>KVM_MAX_CPUID_ENTRIES.</summary>
    private const int MostCpuidEntries = 256;

    private readonly KvmSystem _system;
    private readonly KvmVm _vm;
    private readonly KvmCpuidEntry[] _supported;
    private readonly KvmVcpu?[] _vcpus;

    // Its CPUID is set, which KVM takes once; a vCPU can't be taken back, so one without is finished when it is wanted again.
    private readonly bool[] _isMade;
    private readonly bool[] _isThere;
    private readonly string?[] _ids;
    private readonly AddressSpace _ports;
    private readonly AddressSpace _memory;

    // By index. Replaced as a whole: threads of vCPUs look through it.
    private volatile VcpuThread[] _threads = [];
    private IVcpuEvents? _events;

    // Of a restored guest whose counter goes at another speed than this host's.
    private int? _tscKilohertz;

    /// <summary>Makes the CPUs of power-on.</summary>
    /// <param name="system">The host's KVM.</param>
    /// <param name="vm">With its interrupt controllers.</param>
    /// <param name="topology">Those of power-on, and those that may come.</param>
    /// <param name="supported">What CPUID tells the guest, but for what is each CPU's own.</param>
    /// <param name="ports">What their port accesses reach.</param>
    /// <param name="memory">What their accesses beside RAM reach.</param>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public CpuSet(KvmSystem system, KvmVm vm, CpuTopology topology, KvmCpuidEntry[] supported, AddressSpace ports, AddressSpace memory)
    {
        _system = system;
        _vm = vm;
        Topology = topology;
        _supported = supported;
        _ports = ports;
        _memory = memory;
        _vcpus = new KvmVcpu?[topology.Count];
        _isMade = new bool[topology.Count];
        _isThere = new bool[topology.Count];
        _ids = new string?[topology.Count];
        VcpuThread.PrepareKicks();
        try
        {
            for (int cpu = 0; cpu < topology.Present; cpu++)
            {
                Create(cpu);
                _isThere[cpu] = true;
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public CpuTopology Topology { get; }

    /// <summary>What CPUID tells the guest, but for what is each CPU's own.</summary>
    public KvmCpuidEntry[] Told => _supported;

    /// <summary>Those that are there, by their index.</summary>
    public IReadOnlyList<CpuStatus> Status =>
        Array.ConvertAll(_threads, thread => new CpuStatus(thread.Index, thread.ThreadId, Halted: false, _ids[thread.Index]));

    /// <summary>What KVM counts for a CPU; null where the kernel doesn't tell.</summary>
    public KvmStatistics? StatisticsOf(int cpu) => _vcpus[cpu]?.Statistics;

    public bool IsThere(int cpu) => _isThere[cpu];

    /// <summary>The name that a CPU was added by; null for those of power-on.</summary>
    public string? IdOf(int cpu) => _ids[cpu];

    /// <summary>The CPU that was added by a name; -1 when none was.</summary>
    public int Find(string id) => Array.IndexOf(_ids, id);

    /// <summary>Starts the threads, parked.</summary>
    public void Start(IVcpuEvents events)
    {
        _events = events;
        List<VcpuThread> threads = [];
        for (int cpu = 0; cpu < Topology.Count; cpu++)
        {
            if (_isThere[cpu])
            {
                threads.Add(new VcpuThread(cpu, _vcpus[cpu]!, _ports, _memory, events));
            }
        }

        _threads = [.. threads];
        foreach (VcpuThread thread in _threads)
        {
            thread.Start();
        }
    }

    /// <summary>When it returns, no vCPU runs guest code, and the last instruction of each is finished.</summary>
    public void Park()
    {
        foreach (VcpuThread thread in _threads)
        {
            thread.RequestPark();
        }

        foreach (VcpuThread thread in _threads)
        {
            thread.WaitParked();
        }
    }

    /// <summary>The registers of all that are there. Parked.</summary>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public List<CpuRegisters> ReadRegisters()
    {
        List<CpuRegisters> all = [];
        KvmMsr[] one = new KvmMsr[1];
        foreach (VcpuThread thread in _threads)
        {
            thread.Vcpu.GetRegs(out KvmRegs general);
            thread.Vcpu.GetSregs(out KvmSregs special);
            one[0] = new KvmMsr(CpuRegisters.KernelGsBaseMsr, 0);
            all.Add(new CpuRegisters(thread.Index, general, special, thread.Vcpu.GetMsrs(one) == 1 ? one[0].Data : 0));
        }

        return all;
    }

    /// <summary>Raises the line of a board's NMI button, which leads to LINT1 of each CPU. Parked.</summary>
    /// <returns>How many take it there: the others have it masked, or for something else.</returns>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public int InjectNmi()
    {
        int taken = 0;
        foreach (VcpuThread thread in _threads)
        {
            thread.Vcpu.GetLapic(out KvmLapic lapic);
            if (LocalApic.TakesNmi(lapic))
            {
                thread.Vcpu.InjectNmi();
                taken++;
            }
        }

        return taken;
    }

    /// <summary>Lets those run on that <see cref="Park"/> stopped, and not themselves.</summary>
    public void GoOn()
    {
        foreach (VcpuThread thread in _threads)
        {
            thread.GoOn();
        }
    }

    /// <summary>For a device on a vCPU's thread: that vCPU parks after the present exit.</summary>
    public void ParkCalling()
    {
        foreach (VcpuThread thread in _threads)
        {
            thread.ParkSelf();
        }
    }

    public void Unpark()
    {
        foreach (VcpuThread thread in _threads)
        {
            // The guest's watchdogs would take the pause for a lock-up.
            thread.Vcpu.NoteClockPaused();
            thread.Unpark();
        }
    }

    /// <summary>Adds a CPU, as at power-on: it waits for the guest to start it.</summary>
    /// <param name="cpu">Its index; it isn't there.</param>
    /// <param name="id">The user's name of it.</param>
    /// <param name="runs">Whether the machine runs; else it is parked until the others go on.</param>
    /// <exception cref="LinuxException">The host refuses; nothing has changed then.</exception>
    public void Add(int cpu, string id, bool runs)
    {
        KvmVcpu vcpu;
        if (_isMade[cpu])
        {
            // One that went: guests may have sent it INIT and SIPI since, which its state takes in and loses here.
            vcpu = _vcpus[cpu]!;
            vcpu.GetMpState(out _);
            new PowerOnState(_system, CpuidOf(0)).ApplyTo(vcpu, Topology.ApicId(cpu));
        }
        else
        {
            vcpu = Create(cpu);
        }

        Prepare(cpu);
        VcpuThread thread = new(cpu, vcpu, _ports, _memory, _events!);
        try
        {
            thread.Start();
        }
        catch (OutOfMemoryException)
        {
            // What the runtime makes of a limit of threads.
            thread.End();
            throw new LinuxException($"a thread for CPU {cpu}", Errno.EAGAIN);
        }

        List<VcpuThread> threads = [.. _threads, thread];
        threads.Sort(static (a, b) => a.Index.CompareTo(b.Index));
        _isThere[cpu] = true;
        _ids[cpu] = id;
        _threads = [.. threads];
        if (runs)
        {
            thread.Unpark();
        }
    }

    /// <summary>Ends a CPU's thread. Gives the name it was added by.</summary>
    public string Remove(int cpu)
    {
        string id = _ids[cpu]!;
        VcpuThread thread = Array.Find(_threads, thread => thread.Index == cpu)!;
        _threads = Array.FindAll(_threads, other => other != thread);
        _isThere[cpu] = false;
        _ids[cpu] = null;
        thread.End();
        return id;
    }

    /// <summary>Takes those that are there back to power-on. Parked.</summary>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public void Reset()
    {
        PowerOnState state = new(_system, CpuidOf(0));
        state.ApplyTo(_vm);
        foreach (VcpuThread thread in _threads)
        {
            state.ApplyTo(thread.Vcpu, Topology.ApicId(thread.Index));
        }
    }

    /// <summary>What CPUID tells the guest, and the state of each CPU that is there. Parked.</summary>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public List<SnapshotSection> Save()
    {
        StateWriter cpuid = new();
        cpuid.Structs<KvmCpuidEntry>(_supported);
        List<SnapshotSection> sections = [cpuid.ToSection(CpuidSection)];
        uint[] msrs = VcpuState.ListMsrs(_system);
        bool hasNested = CpuFilter.HasNested(_supported);
        foreach (VcpuThread thread in _threads)
        {
            StateWriter state = new();
            state.Text(_ids[thread.Index] ?? "");
            VcpuState.Read(_system, thread.Vcpu, msrs, hasNested).Write(state);
            sections.Add(state.ToSection(NameOf(thread.Index)));
        }

        return sections;
    }

    /// <summary>What CPUID told a snapshot's guest, if this host can tell the same.</summary>
    /// <param name="state">The snapshot's.</param>
    /// <param name="here">What the host offers.</param>
    /// <exception cref="UserErrorException">SnapshotMismatch names what is missing; SnapshotDamaged.</exception>
    public static KvmCpuidEntry[] ParseCpuid(StateFile state, KvmCpuidEntry[] here)
    {
        StateReader reader = state.Require(CpuidSection).Read();
        KvmCpuidEntry[] saved = reader.Structs<KvmCpuidEntry>();
        reader.End();
        if (saved.Length > MostCpuidEntries)
        {
            throw reader.Damaged($"{saved.Length} leaves of CPUID are too many");
        }

        CpuFilter.CheckSame(saved, here);
        return saved;
    }

    /// <summary>Takes what <see cref="Save"/> made. Before <see cref="Start"/>.</summary>
    /// <param name="state">The snapshot's.</param>
    /// <param name="isThere">Whether its guest saw a CPU, by its number.</param>
    /// <exception cref="UserErrorException">SnapshotMismatch, SnapshotDamaged.</exception>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public void Restore(StateFile state, Predicate<int> isThere)
    {
        bool hasNested = CpuFilter.HasNested(_supported);
        for (int cpu = 0; cpu < Topology.Count; cpu++)
        {
            SnapshotSection? section = cpu < Topology.Present ? state.Require(NameOf(cpu)) : state.Find(NameOf(cpu));
            if (isThere(cpu) != section is not null)
            {
                throw new UserErrorException("SnapshotDamaged", $"The snapshot's sections of CPU {cpu} are damaged: one says that it is there, and one that it isn't.");
            }

            if (section is null)
            {
                continue;
            }

            StateReader reader = section.Read();
            string id = reader.Text();
            VcpuState saved = VcpuState.Parse(reader);
            reader.End();
            if (!hasNested)
            {
                saved.ForgetNested();
            }

            if (!_isThere[cpu])
            {
                Create(cpu);
                _isThere[cpu] = true;
                _ids[cpu] = id;
            }

            _tscKilohertz = saved.MatchTsc(_system, _vcpus[cpu]!) ?? _tscKilohertz;
            try
            {
                if (saved.ApplyTo(_vcpus[cpu]!) is { } refused)
                {
                    throw new UserErrorException("SnapshotMismatch", $"This host's KVM refuses the snapshot's value 0x{refused.Data:x} of MSR 0x{refused.Index:x} of CPU {cpu}.", "-incoming");
                }
            }
            catch (LinuxException error)
            {
                throw new UserErrorException("SnapshotMismatch", $"This host's KVM refuses the snapshot's state of CPU {cpu}: {error.Message}.", "-incoming", error);
            }
        }
    }

    private static string NameOf(int cpu) => string.Create(CultureInfo.InvariantCulture, $"cpu {cpu}");

    /// <summary>Sets the registers with which the kernel is entered, from those of power-on.</summary>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public void Enter(EntryState entry)
    {
        for (int cpu = 0; cpu < _vcpus.Length; cpu++)
        {
            if (_isThere[cpu])
            {
                Prepare(cpu);
            }
        }

        KvmVcpu boot = _vcpus[0]!;
        boot.GetSregs(out KvmSregs sregs);
        KvmRegs regs = default;
        entry.ApplyTo(ref regs, ref sregs);
        boot.SetSregs(ref sregs);
        boot.SetRegs(ref regs);
    }

    /// <summary>Has the boot processor run a counted loop.</summary>
    /// <exception cref="UserErrorException">KVM only emulates.</exception>
    public void CheckSpeed(GuestMemory memory)
    {
        KvmVerdict verdict = KvmVerdict.OfSpeed(SpeedCheck.Measure(_vcpus[0]!, memory));
        if (verdict.Verdict != KvmVerdict.Usable)
        {
            throw verdict.ToError();
        }
    }

    public void Dispose()
    {
        foreach (VcpuThread thread in _threads)
        {
            thread.Dispose();
        }

        _threads = [];
        foreach (KvmVcpu? vcpu in _vcpus)
        {
            vcpu?.Dispose();
        }
    }

    private KvmVcpu Create(int cpu)
    {
        KvmVcpu vcpu = _vcpus[cpu] ??= _vm.CreateVcpu(Topology.ApicId(cpu));
        vcpu.SetCpuid(CpuidOf(cpu));
        if (_tscKilohertz is { } kilohertz)
        {
            vcpu.SetTscKilohertz(kilohertz);
        }

        _isMade[cpu] = true;
        return vcpu;
    }

    private ReadOnlySpan<KvmCpuidEntry> CpuidOf(int cpu)
    {
        Span<KvmCpuidEntry> entries = new KvmCpuidEntry[_supported.Length + Cpuid.ExtraEntries];
        return entries[..Cpuid.Build(_supported, Topology, cpu, entries)];
    }

    /// <summary>What firmware would have left in a CPU that is as at power-on.</summary>
    private void Prepare(int cpu)
    {
        KvmVcpu vcpu = _vcpus[cpu]!;
        vcpu.GetLapic(out KvmLapic lapic);
        LocalApic.SetLocalInterrupts(lapic, isBootProcessor: cpu == 0);
        vcpu.SetLapic(ref lapic);
        if (vcpu.SetMsrs(BootMsrs.All) != BootMsrs.All.Length)
        {
            throw new LinuxException($"KVM_SET_MSRS of CPU {cpu}: an MSR of the boot state is refused", Errno.EINVAL);
        }
    }
}
