using System;
using System.Threading;
using Strato.Engine.Kvm;
using Strato.Engine.Linux;
using Strato.Engine.Memory;

namespace Strato.Engine.Machine;

/// <summary>Measures how fast a vCPU runs a counted 64-bit loop, to tell a processor from an emulation of one.</summary>
/// <remarks>
/// Some hosts (kernel option KVM_PVM) have a KVM that answers every request and emulates any guest that isn't made for it,
/// at about 2 million instructions a second. The loop runs in the machine's own vCPU before the kernel is loaded: where
/// the processor is real that costs some tens of microseconds, and no second VM.
/// </remarks>
internal static class SpeedCheck
{
    /// <summary>Below this many million instructions a second (of the thread's processor time) a stock kernel doesn't get through.</summary>
    public const double UsableMips = 20;

    private const int InstructionsPerRound = 2;
    private const ulong Rounds = 50_000;
    private const ulong Pml4 = 0x1000;
    private const ulong Pdpt = 0x2000;
    private const ulong Pd = 0x3000;
    private const ulong Code = 0x4000;
    private const ulong End = 0x5000;
    private static readonly TimeSpan Deadline = TimeSpan.FromMilliseconds(20);

    /// <summary>How often a slow loop is repeated. Where the host is itself a guest, time that others had is in the thread's; an emulation is slow every time.</summary>
    private const int Attempts = 5;

    /// <summary>What a run of the loop showed.</summary>
    /// <param name="Mips">Million instructions a second.</param>
    /// <param name="Failure">Why the loop could not run at all; null when it ran.</param>
    internal readonly record struct Result(double Mips, string? Failure);

    /// <summary>Runs the loop on <paramref name="vcpu"/> in the calling thread; registers and the first 20 KiB of memory are put back.</summary>
    /// <returns>The first that is fast enough, else the best.</returns>
    public static Result Measure(KvmVcpu vcpu, GuestMemory memory)
    {
        Result best = MeasureOnce(vcpu, memory);
        for (int attempt = 1; attempt < Attempts && best is { Failure: null, Mips: < UsableMips }; attempt++)
        {
            Result next = MeasureOnce(vcpu, memory);
            best = next.Failure is not null || next.Mips > best.Mips ? next : best;
        }

        return best;
    }

    private static Result MeasureOnce(KvmVcpu vcpu, GuestMemory memory)
    {
        vcpu.GetRegs(out KvmRegs regsBefore);
        vcpu.GetSregs(out KvmSregs sregsBefore);
        WriteTables(memory);
        EnterLongMode(vcpu, sregsBefore);

        using Interruption interruption = new(vcpu, Deadline);
        long start = Libc.ThreadCpuNanoseconds();
        int errno = vcpu.Run();
        long nanoseconds = Math.Max(1, Libc.ThreadCpuNanoseconds() - start);
        interruption.Dispose();

        string? failure = errno is 0 or Errno.EINTR ? null : $"KVM_RUN: {Errno.Text(errno)}";
        if (errno == 0 && vcpu.State.ExitReason is not (KvmAbi.KVM_EXIT_IO or KvmAbi.KVM_EXIT_INTR))
        {
            failure = $"the test loop ended with exit reason {vcpu.State.ExitReason}";
        }

        vcpu.GetRegs(out KvmRegs after);
        ulong done = failure is null ? Rounds - Math.Min(after.Rcx, Rounds) : 0;
        vcpu.ClearExitRequest();
        if (errno == 0)
        {
            // Finish the OUT that ended the loop before the registers change under it.
            vcpu.RequestExit();
            _ = vcpu.Run();
            vcpu.ClearExitRequest();
        }

        vcpu.SetSregs(ref sregsBefore);
        vcpu.SetRegs(ref regsBefore);
        if (memory.TryGetSpan(0, (int)End, out Span<byte> used))
        {
            used.Clear();
        }

        return new Result(done * InstructionsPerRound * 1000.0 / nanoseconds, failure);
    }

    private static void WriteTables(GuestMemory memory)
    {
        // Identity map of the first 2 MiB: present, writable; the last level a 2 MiB page.
        _ = memory.TryWrite(Pml4, Pdpt | 3);
        _ = memory.TryWrite(Pdpt, Pd | 3);
        _ = memory.TryWrite(Pd, 0x83UL);
        ReadOnlySpan<byte> code =
        [
            0x48, 0xFF, 0xC9, // dec rcx
            0x75, 0xFB,       // jnz -5
            0xE6, 0x80,       // out 0x80, al
            0xF4,             // hlt
        ];
        _ = memory.TryWrite(Code, code);
    }

    private static void EnterLongMode(KvmVcpu vcpu, KvmSregs sregs)
    {
        KvmSegment code = new() { Limit = 0xFFFFFFFF, Selector = 8, Type = 11, Present = 1, S = 1, L = 1, G = 1 };
        KvmSegment data = new() { Limit = 0xFFFFFFFF, Selector = 16, Type = 3, Present = 1, S = 1, Db = 1, G = 1 };
        sregs.Cs = code;
        sregs.Ds = sregs.Es = sregs.Fs = sregs.Gs = sregs.Ss = data;
        sregs.Cr3 = Pml4;
        sregs.Cr4 |= 1 << 5;             // PAE
        sregs.Cr0 |= 0x80000001;         // PG, PE
        sregs.Efer |= (1 << 8) | (1 << 10); // LME, LMA
        vcpu.SetSregs(ref sregs);
        KvmRegs regs = new() { Rip = Code, Rcx = Rounds, Rflags = 2 };
        vcpu.SetRegs(ref regs);
    }

    /// <summary>Kicks the calling thread out of KVM_RUN when the deadline passes.</summary>
    private sealed class Interruption : IDisposable
    {
        private readonly KvmVcpu _vcpu;
        private readonly int _threadId = Libc.gettid();
        private readonly ManualResetEventSlim _done = new();
        private readonly Thread _watcher;
        private bool _disposed;

        public Interruption(KvmVcpu vcpu, TimeSpan deadline)
        {
            NativeStubs.Install(Libc.SIGVCPU, NativeStubs.Return());
            _vcpu = vcpu;
            _watcher = new Thread(() => Watch(deadline), 64 * 1024) { IsBackground = true };
            _watcher.Start();
        }

        public void Dispose()
        {
            if (!_disposed)
            {
                _disposed = true;
                _done.Set();
                _watcher.Join();
                _done.Dispose();
            }
        }

        private void Watch(TimeSpan deadline)
        {
            if (!_done.Wait(deadline))
            {
                _vcpu.RequestExit();
                _ = Libc.tgkill(Environment.ProcessId, _threadId, Libc.SIGVCPU);
            }
        }
    }
}
