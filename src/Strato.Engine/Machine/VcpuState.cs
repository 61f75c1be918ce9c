using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using Strato.Engine.Kvm;
using Strato.Engine.Linux;
using Strato.Protocol;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Machine;

/// <summary>All that KVM keeps of one vCPU: read from one, and set in another.</summary>
internal sealed class VcpuState
{
    /// <summary>IA32_TIME_STAMP_COUNTER.</summary>
    public const uint TimeStampCounter = 0x10;

    private const uint FeatureControl = 0x3A;
    private const uint TscDeadline = 0x6E0;
    private const int MostMsrs = 4096;

    /// <summary>Fewer than MAX_IO_MSRS of the kernel.</summary>
    private const int MostMsrsAtOnce = 255;

    /// <summary>KVM_STATE_NESTED_GIF_SET.</summary>
    private const ushort NestedInterruptsOn = 0x100;

    // MSRs of a guest that KVM keeps and doesn't list: MTRRs (SDM 4, table 2-2), and machine check banks 0 to 31.
    private static readonly uint[] Unlisted = ListUnlisted();

    private KvmRegs _regs;
    private KvmSregs _sregs;
    private KvmLapic _lapic;
    private KvmVcpuEvents _events;
    private KvmDebugRegs _debugRegs;
    private KvmXsave _xsave;
    private KvmXcrs _xcrs;
    private uint _mpState;
    private uint _tscKilohertz;
    private byte[] _nested = [];
    private KvmMsr[] _msrs = [];

    private VcpuState()
    {
    }

    /// <summary>The values of those MSRs that there are, in the order in which they are set.</summary>
    public ReadOnlySpan<KvmMsr> Msrs => _msrs;

    public KvmSregs Sregs
    {
        get => _sregs;
        set => _sregs = value;
    }

    public KvmLapic Lapic
    {
        get => _lapic;
        set => _lapic = value;
    }

    public uint MpState
    {
        get => _mpState;
        set => _mpState = value;
    }

    /// <summary>MSRs that a vCPU may have.</summary>
    public static uint[] ListMsrs(KvmSystem system) => [.. system.GetMsrIndexList(), .. Unlisted];

    /// <summary>Reads a vCPU that doesn't run.</summary>
    /// <param name="system">The host's KVM.</param>
    /// <param name="vcpu">With its CPUID, which decides the MSRs that there are.</param>
    /// <param name="msrs">Those that it may have: <see cref="ListMsrs"/>.</param>
    /// <param name="hasNested">Whether its CPUID has VMX or SVM: without, there is no state of guests of its own.</param>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public static VcpuState Read(KvmSystem system, KvmVcpu vcpu, uint[] msrs, bool hasNested)
    {
        VcpuState state = new();

        // First: KVM takes in INIT and SIPI that came meanwhile, which change the others.
        vcpu.GetMpState(out state._mpState);
        vcpu.GetRegs(out state._regs);
        vcpu.GetSregs(out state._sregs);
        vcpu.GetXsave(out state._xsave);
        vcpu.GetXcrs(out state._xcrs);
        vcpu.GetDebugRegs(out state._debugRegs);
        vcpu.GetLapic(out state._lapic);
        state._msrs = ReadMsrs(vcpu, msrs);
        vcpu.GetEvents(out state._events);
        state._tscKilohertz = (uint)vcpu.GetTscKilohertz();
        int nested = hasNested ? system.CheckExtension(KvmAbi.KVM_CAP_NESTED_STATE) : 0;
        state._nested = nested > 0 ? vcpu.GetNestedState(nested) : [];
        return state;
    }

    /// <exception cref="UserErrorException">SnapshotDamaged.</exception>
    public static VcpuState Parse(StateReader reader)
    {
        VcpuState state = new()
        {
            _mpState = reader.U32(),
            _tscKilohertz = reader.U32(),
            _regs = reader.Struct<KvmRegs>(),
            _sregs = reader.Struct<KvmSregs>(),
            _xsave = reader.Struct<KvmXsave>(),
            _xcrs = reader.Struct<KvmXcrs>(),
            _debugRegs = reader.Struct<KvmDebugRegs>(),
            _lapic = reader.Struct<KvmLapic>(),
            _events = reader.Struct<KvmVcpuEvents>(),
            _msrs = reader.Structs<KvmMsr>(),
            _nested = reader.Bytes().ToArray(),
        };
        if (state._msrs.Length > MostMsrs || (state._nested.Length > 0 && state._nested.Length < Unsafe.SizeOf<KvmNestedState>()))
        {
            throw reader.Damaged($"{state._msrs.Length} MSRs, or a nested state of {state._nested.Length} bytes, can't be");
        }

        return state;
    }

    public void Write(StateWriter writer)
    {
        writer.U32(_mpState);
        writer.U32(_tscKilohertz);
        writer.Struct(_regs);
        writer.Struct(_sregs);
        writer.Struct(_xsave);
        writer.Struct(_xcrs);
        writer.Struct(_debugRegs);
        writer.Struct(_lapic);
        writer.Struct(_events);
        writer.Structs<KvmMsr>(_msrs);
        writer.Bytes(_nested);
    }

    /// <summary>Sets the counter's value that is written: KVM takes a zero as "in step with the other vCPUs" (kvm_synchronize_tsc).</summary>
    public void SetTimeStampCounter(ulong value)
    {
        int at = Array.FindIndex(_msrs, msr => msr.Index == TimeStampCounter);
        if (at >= 0)
        {
            _msrs[at].Data = value;
        }
    }

    /// <summary>What was read of a processor that has neither VMX nor SVM: a host whose KVM keeps no such state would refuse it.</summary>
    public void ForgetNested() => _nested = [];

    /// <summary>Has the guest's counter go as fast as where this was read.</summary>
    /// <returns>Thousands of cycles a second where that isn't the host's speed; else null.</returns>
    /// <exception cref="UserErrorException">SnapshotMismatch: this host's is faster or slower, and can't be scaled.</exception>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public int? MatchTsc(KvmSystem system, KvmVcpu vcpu)
    {
        int? kilohertz = SpeedFor(_tscKilohertz, vcpu.GetTscKilohertz(), () => system.CheckExtension(KvmAbi.KVM_CAP_TSC_CONTROL) > 0);
        if (kilohertz is { } scaled)
        {
            vcpu.SetTscKilohertz(scaled);
        }

        return kilohertz;
    }

    /// <summary>The speed that a counter has to be set to, in thousands of cycles a second; null for none.</summary>
    /// <param name="saved">That of the snapshot's; 0 where it wasn't known.</param>
    /// <param name="here">This host's; 0 where it isn't known.</param>
    /// <param name="canScale">Whether KVM can have it go at another.</param>
    /// <exception cref="UserErrorException">SnapshotMismatch.</exception>
    public static int? SpeedFor(uint saved, int here, Func<bool> canScale)
    {
        // Linux measures the same processor's a little differently at each boot; guests' clocks bear 250 parts in a million.
        if (saved == 0 || here == 0 || Math.Abs(here - (long)saved) * 4000 <= saved)
        {
            return null;
        }

        // Without it KVM takes a higher speed all the same, and makes the counter jump at each entry.
        if (saved > int.MaxValue || !canScale())
        {
            throw new UserErrorException(
                "SnapshotMismatch",
                $"The snapshot's processor counts {saved / 1000} million cycles a second and this host's {here / 1000}, which this host's can't be scaled to.",
                "-incoming");
        }

        return (int)saved;
    }

    /// <summary>Sets a vCPU that doesn't run, whatever it was before.</summary>
    /// <param name="vcpu">With the CPUID of the one that this was read from.</param>
    /// <returns>The first MSR that can't be set to its value; null when all could.</returns>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public KvmMsr? ApplyTo(KvmVcpu vcpu)
    {
        // First out of the guest's modes (VMX operation or a guest of its own, paging, x2APIC), then what depends on them.
        // In VMX operation KVM refuses a CR4 without VMXE, and in a guest's guest the registers would be that one's.
        vcpu.SetMpState(KvmAbi.KVM_MP_STATE_RUNNABLE);
        if (_nested.Length > 0)
        {
            vcpu.SetNestedState(NoNestedState());
        }

        vcpu.SetSregs(ref _sregs);
        if (_nested.Length > 0)
        {
            // Which needs EFER of before, and on Intel the right to VMX.
            SetMsr(vcpu, FeatureControl);
            vcpu.SetNestedState(_nested);
        }

        vcpu.SetRegs(ref _regs);
        if ((uint)_xcrs[0] != 0)
        {
            // nr_xcrs: a processor without XSAVE has none, and KVM refuses to set none.
            vcpu.SetXcrs(ref _xcrs);
        }

        vcpu.SetXsave(ref _xsave);
        vcpu.SetDebugRegs(ref _debugRegs);

        // The timer's mode decides whether its deadline counts, and the deadline is one of a counter that is set.
        vcpu.SetLapic(ref _lapic);
        KvmMsr? refused = WriteMsrs(vcpu);
        SetMsr(vcpu, TscDeadline);
        vcpu.SetEvents(ref _events);
        vcpu.SetMpState(_mpState);
        return refused;
    }

    private static KvmMsr[] ReadMsrs(KvmVcpu vcpu, uint[] indices)
    {
        List<KvmMsr> readable = [];
        Span<KvmMsr> one = stackalloc KvmMsr[1];
        foreach (uint index in indices)
        {
            // KVM lists MSRs that this CPUID doesn't have; those can't be read, and so need not be set.
            one[0] = new KvmMsr(index, 0);
            if (vcpu.GetMsrs(one) == 1)
            {
                readable.Add(one[0]);
            }
        }

        return [.. readable];
    }

    private static uint[] ListUnlisted()
    {
        List<uint> all = [0x250, 0x258, 0x259, 0x2FF, 0x179, 0x17A, 0x17B];
        for (uint i = 0; i < 8; i++)
        {
            all.AddRange([0x268 + i, 0x200 + (2 * i), 0x201 + (2 * i)]);
        }

        for (uint i = 0x400; i < 0x480; i++)
        {
            all.Add(i);
        }

        return [.. all];
    }

    /// <summary>That of a vCPU in no guest of its own, in the format of this one's.</summary>
    private byte[] NoNestedState()
    {
        // struct kvm_nested_state: flags u16, format u16, size u32, header. Of VMX an address that isn't there is all ones; SVM has
        // interrupts on (GIF), which KVM demands of a guest without SVM.
        byte[] none = new byte[Unsafe.SizeOf<KvmNestedState>()];
        bool isVmx = BitConverter.ToUInt16(_nested, 2) == 0;
        BitConverter.TryWriteBytes(none.AsSpan(0), isVmx ? (ushort)0 : NestedInterruptsOn);
        BitConverter.TryWriteBytes(none.AsSpan(2), BitConverter.ToUInt16(_nested, 2));
        BitConverter.TryWriteBytes(none.AsSpan(4), none.Length);
        none.AsSpan(8, isVmx ? 16 : 0).Fill(0xFF);
        return none;
    }

    private void SetMsr(KvmVcpu vcpu, uint index)
    {
        int at = Array.FindIndex(_msrs, msr => msr.Index == index);
        if (at >= 0)
        {
            _ = vcpu.SetMsrs(_msrs.AsSpan(at, 1));
        }
    }

    private KvmMsr? WriteMsrs(KvmVcpu vcpu)
    {
        KvmMsr? refused = null;
        Span<KvmMsr> one = stackalloc KvmMsr[1];

        // The kernel stops at the first MSR it refuses (read-only ones): step over it and go on.
        for (int done = 0; done < _msrs.Length;)
        {
            Span<KvmMsr> batch = _msrs.AsSpan(done, Math.Min(_msrs.Length - done, MostMsrsAtOnce));
            int set = vcpu.SetMsrs(batch);
            if (set < batch.Length)
            {
                one[0] = new KvmMsr(batch[set].Index, 0);
                bool same = vcpu.GetMsrs(one) == 1 && one[0].Data == batch[set].Data;
                refused ??= same ? null : batch[set];
                set++;
            }

            done += set;
        }

        return refused;
    }
}
