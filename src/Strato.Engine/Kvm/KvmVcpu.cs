using System;
using System.Runtime.InteropServices;
using System.Threading;
using Strato.Engine.Linux;

namespace Strato.Engine.Kvm;

/// <summary>A vCPU of the kernel: its registers, and KVM_RUN. Used by one thread, except <see cref="RequestExit"/>.</summary>
internal sealed unsafe class KvmVcpu : IDisposable
{
    private readonly FileDescriptor _vcpu;
    private readonly int _mapSize;
    private readonly KvmRun* _run;
    private bool _disposed;

    /// <param name="vcpu">Owned from now on, unless this fails.</param>
    /// <param name="mapSize">Bytes of its page of exits.</param>
    /// <exception cref="LinuxException">The page can't be mapped.</exception>
    public KvmVcpu(FileDescriptor vcpu, int mapSize)
    {
        _vcpu = vcpu;
        _mapSize = mapSize;
        void* map = Libc.mmap(null, (nuint)mapSize, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED, vcpu.Value, 0);
        _run = map != Libc.MAP_FAILED ? (KvmRun*)map : throw LinuxException.Last("mmap of a vCPU");
        Statistics = KvmStatistics.TryOpen(vcpu.Value);
    }

    /// <summary>What KVM counts for it; null where the kernel doesn't tell.</summary>
    public KvmStatistics? Statistics { get; }

    /// <summary>Why the last run ended (KVM_EXIT_…), and its details.</summary>
    public ref KvmRun State => ref *_run;

    /// <summary>The bytes of a port exit: size × count, at the offset the kernel gave.</summary>
    public Span<byte> IoData => new((byte*)_run + _run->IoDataOffset, checked((int)(_run->IoSize * _run->IoCount)));

    /// <summary>The bytes of an MMIO exit.</summary>
    public Span<byte> MmioData => new(_run->MmioData, (int)Math.Min(_run->MmioLength, 8));

    /// <summary>Runs the guest until an exit. Zero, or errno (EINTR and EAGAIN are everyday).</summary>
    public int Run() => Libc.ioctl(_vcpu.Value, KvmAbi.KVM_RUN, 0) < 0 ? Errno.Last : 0;

    /// <summary>Makes the next (or current, once a signal arrives) run return EINTR at once, until it is taken back. From any thread.</summary>
    public void RequestExit() => Volatile.Write(ref _run->ImmediateExit, 1);

    public void ClearExitRequest() => Volatile.Write(ref _run->ImmediateExit, 0);

    public void GetRegs(out KvmRegs value) => Get(KvmAbi.KVM_GET_REGS, out value, "KVM_GET_REGS");

    public void SetRegs(ref KvmRegs value) => Set(KvmAbi.KVM_SET_REGS, ref value, "KVM_SET_REGS");

    public void GetSregs(out KvmSregs value) => Get(KvmAbi.KVM_GET_SREGS, out value, "KVM_GET_SREGS");

    public void SetSregs(ref KvmSregs value) => Set(KvmAbi.KVM_SET_SREGS, ref value, "KVM_SET_SREGS");

    /// <summary>A non-maskable interrupt, taken when the guest runs next.</summary>
    public void InjectNmi() => Check(Libc.ioctl(_vcpu.Value, KvmAbi.KVM_NMI, 0), "KVM_NMI");

    public void GetLapic(out KvmLapic value) => Get(KvmAbi.KVM_GET_LAPIC, out value, "KVM_GET_LAPIC");

    public void SetLapic(ref KvmLapic value) => Set(KvmAbi.KVM_SET_LAPIC, ref value, "KVM_SET_LAPIC");

    /// <summary>What the vCPU waits for. KVM takes INIT and SIPI that came meanwhile into it first.</summary>
    public void GetMpState(out uint value) => Get(KvmAbi.KVM_GET_MP_STATE, out value, "KVM_GET_MP_STATE");

    public void SetMpState(uint value) => Set(KvmAbi.KVM_SET_MP_STATE, ref value, "KVM_SET_MP_STATE");

    public void GetEvents(out KvmVcpuEvents value) => Get(KvmAbi.KVM_GET_VCPU_EVENTS, out value, "KVM_GET_VCPU_EVENTS");

    public void SetEvents(ref KvmVcpuEvents value) => Set(KvmAbi.KVM_SET_VCPU_EVENTS, ref value, "KVM_SET_VCPU_EVENTS");

    public void GetDebugRegs(out KvmDebugRegs value) => Get(KvmAbi.KVM_GET_DEBUGREGS, out value, "KVM_GET_DEBUGREGS");

    public void SetDebugRegs(ref KvmDebugRegs value) => Set(KvmAbi.KVM_SET_DEBUGREGS, ref value, "KVM_SET_DEBUGREGS");

    public void GetXsave(out KvmXsave value) => Get(KvmAbi.KVM_GET_XSAVE, out value, "KVM_GET_XSAVE");

    public void SetXsave(ref KvmXsave value) => Set(KvmAbi.KVM_SET_XSAVE, ref value, "KVM_SET_XSAVE");

    public void GetXcrs(out KvmXcrs value) => Get(KvmAbi.KVM_GET_XCRS, out value, "KVM_GET_XCRS");

    public void SetXcrs(ref KvmXcrs value) => Set(KvmAbi.KVM_SET_XCRS, ref value, "KVM_SET_XCRS");

    /// <summary>Thousands of cycles a second of the counter that the guest reads; 0 where the kernel doesn't know.</summary>
    public int GetTscKilohertz() => Math.Max(Libc.ioctl(_vcpu.Value, KvmAbi.KVM_GET_TSC_KHZ, 0), 0);

    /// <summary>Has the guest's counter go at another speed than the host's.</summary>
    /// <exception cref="LinuxException">The processor can't.</exception>
    public void SetTscKilohertz(int kilohertz) => Check(Libc.ioctl(_vcpu.Value, KvmAbi.KVM_SET_TSC_KHZ, kilohertz), "KVM_SET_TSC_KHZ");

    /// <summary>The state of a guest's own virtualization: struct kvm_nested_state, and what belongs to a guest of its own where it is in one.</summary>
    /// <param name="most">The answer to KVM_CAP_NESTED_STATE.</param>
    public byte[] GetNestedState(int most)
    {
        byte[] buffer = new byte[Math.Max(most, sizeof(KvmNestedState))];
        fixed (byte* pointer = buffer)
        {
            KvmNestedState* state = (KvmNestedState*)pointer;
            state->Size = (uint)buffer.Length;
            Check(Libc.ioctl(_vcpu.Value, KvmAbi.KVM_GET_NESTED_STATE, pointer), "KVM_GET_NESTED_STATE");
            return buffer[..(int)Math.Min(state->Size, (uint)buffer.Length)];
        }
    }

    /// <param name="state">As <see cref="GetNestedState"/> gave it.</param>
    public void SetNestedState(ReadOnlySpan<byte> state)
    {
        // The kernel believes the size that stands in it.
        if (state.Length < sizeof(KvmNestedState) || MemoryMarshal.Read<KvmNestedState>(state).Size > (uint)state.Length)
        {
            throw new LinuxException($"a nested state of {state.Length} bytes", Errno.EINVAL);
        }

        fixed (byte* pointer = state)
        {
            Check(Libc.ioctl(_vcpu.Value, KvmAbi.KVM_SET_NESTED_STATE, pointer), "KVM_SET_NESTED_STATE");
        }
    }

    /// <summary>What the guest's CPUID instruction answers on this vCPU. Before MSRs and the first run.</summary>
    public void SetCpuid(ReadOnlySpan<KvmCpuidEntry> entries)
    {
        // struct kvm_cpuid2: nent u32, padding u32, entries.
        byte[] buffer = new byte[8 + (entries.Length * sizeof(KvmCpuidEntry))];
        fixed (byte* pointer = buffer)
        {
            *(uint*)pointer = (uint)entries.Length;
            entries.CopyTo(new Span<KvmCpuidEntry>(pointer + 8, entries.Length));
            Check(Libc.ioctl(_vcpu.Value, KvmAbi.KVM_SET_CPUID2, pointer), "KVM_SET_CPUID2");
        }
    }

    /// <summary>Sets MSRs in order; returns how many the kernel took before the first it refused.</summary>
    public int SetMsrs(ReadOnlySpan<KvmMsr> msrs) => Msrs(KvmAbi.KVM_SET_MSRS, "KVM_SET_MSRS", msrs, default);

    /// <summary>Reads the MSRs named in <paramref name="msrs"/> into it; returns how many it could read before the first it refused.</summary>
    public int GetMsrs(Span<KvmMsr> msrs) => Msrs(KvmAbi.KVM_GET_MSRS, "KVM_GET_MSRS", msrs, msrs);

    /// <summary>Tells the guest's clock watchdogs that it was paused. Guests without kvmclock refuse it, which is no fault.</summary>
    public void NoteClockPaused() => _ = Libc.ioctl(_vcpu.Value, KvmAbi.KVM_KVMCLOCK_CTRL, 0);

    /// <summary>May be called again: a second munmap would take away whatever the process has mapped there since.</summary>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _ = Libc.munmap(_run, (nuint)_mapSize);
            Statistics?.Dispose();
            _vcpu.Dispose();
        }
    }

    private static void Check(int result, string call)
    {
        if (result < 0)
        {
            throw LinuxException.Last(call);
        }
    }

    private int Msrs(uint request, string call, ReadOnlySpan<KvmMsr> values, Span<KvmMsr> result)
    {
        // struct kvm_msrs: nmsrs u32, padding u32, entries.
        byte[] buffer = new byte[8 + (values.Length * sizeof(KvmMsr))];
        fixed (byte* pointer = buffer)
        {
            *(uint*)pointer = (uint)values.Length;
            Span<KvmMsr> entries = new(pointer + 8, values.Length);
            values.CopyTo(entries);
            int count = Libc.ioctl(_vcpu.Value, request, pointer);
            Check(count, call);
            entries[..result.Length].CopyTo(result);
            return count;
        }
    }

    private void Get<T>(uint request, out T value, string call)
        where T : unmanaged
    {
        fixed (T* pointer = &value)
        {
            Check(Libc.ioctl(_vcpu.Value, request, pointer), call);
        }
    }

    private void Set<T>(uint request, ref T value, string call)
        where T : unmanaged
    {
        fixed (T* pointer = &value)
        {
            Check(Libc.ioctl(_vcpu.Value, request, pointer), call);
        }
    }
}
