using System;
using System.Buffers.Binary;
using System.Diagnostics;
using Strato.Engine.Kvm;
using Strato.Engine.Linux;
using Strato.Engine.Memory;

namespace Strato.Engine.Machine;

/// <summary>Measures how fast a vCPU runs a counted 64-bit loop, to tell a processor from an emulation of one.</summary>
/// <remarks>
/// Some hosts (kernel option KVM_PVM) have a KVM that answers every request and emulates any guest that isn't made for it,
/// at about 2 million instructions a second. The loop runs in the machine's own vCPU before the kernel is loaded: where
/// the processor is real, the first chunk tells so in some tens of microseconds. Where it doesn't, more chunks follow and
/// the fastest counts: on a busy host, or while a nested hypervisor warms up, one chunk alone may be slow.
/// </remarks>
internal static class SpeedCheck
{
    /// <summary>Below this many million instructions a second (of the thread's processor time) a stock kernel doesn't get through.</summary>
    /// <remarks>An emulation reaches 1 to 2, and a software CPU that runs a hypervisor (the lab's) 20 and more when busy.</remarks>
    public const double UsableMips = 8;

    private const int InstructionsPerRound = 2;

    // So long that the exit at its end counts little where exits are slow; a processor takes some 10 µs.
    private const uint Rounds = 20_000;
    private const int MostChunks = 12;
    private const ulong Pml4 = 0x1000;
    private const ulong Pdpt = 0x2000;
    private const ulong Pd = 0x3000;
    private const ulong Code = 0x4000;
    private const ulong End = 0x5000;
    private static readonly TimeSpan Deadline = TimeSpan.FromMilliseconds(500);

    /// <summary>What a run of the loop showed.</summary>
    /// <param name="Mips">Million instructions a second.</param>
    /// <param name="Failure">Why the loop could not run at all; null when it ran.</param>
    /// <param name="FirstRunAt">Timestamp (<see cref="Stopwatch"/>) of the first KVM_RUN.</param>
    internal readonly record struct Result(double Mips, string? Failure, long FirstRunAt);

    /// <summary>Runs the loop on <paramref name="vcpu"/> in the calling thread; registers and the first 20 KiB of memory are put back.</summary>
    public static Result Measure(KvmVcpu vcpu, GuestMemory memory)
    {
        vcpu.GetRegs(out KvmRegs regsBefore);
        vcpu.GetSregs(out KvmSregs sregsBefore);
        WriteCode(memory);
        EnterLongMode(vcpu, sregsBefore);
        Result result;
        using (KickTimer deadline = new(Deadline))
        {
            result = RunChunks(vcpu);
        }

        // Finish the OUT that ended the loop before the registers change under it.
        vcpu.RequestExit();
        _ = vcpu.Run();
        vcpu.ClearExitRequest();
        vcpu.SetSregs(ref sregsBefore);
        vcpu.SetRegs(ref regsBefore);
        if (memory.TryGetSpan(0, (int)End, out Span<byte> used))
        {
            used.Clear();
        }

        return result;
    }

    private static Result RunChunks(KvmVcpu vcpu)
    {
        double fastest = 0;
        long firstRunAt = Stopwatch.GetTimestamp();
        for (int chunk = 0; chunk < MostChunks && fastest < UsableMips; chunk++)
        {
            long start = Libc.ThreadCpuNanoseconds();
            int errno = vcpu.Run();
            double nanoseconds = Math.Max(1, Libc.ThreadCpuNanoseconds() - start);
            uint done = Rounds;
            if (errno == Errno.EINTR)
            {
                // The deadline. The part of a first chunk that was run is all there is to judge by.
                vcpu.GetRegs(out KvmRegs registers);
                done -= Math.Min((uint)registers.Rcx, Rounds);
                if (chunk > 0)
                {
                    break;
                }

                return new Result(done * InstructionsPerRound * 1000 / nanoseconds, null, firstRunAt);
            }

            if (errno != 0)
            {
                return new Result(0, $"KVM_RUN: {Errno.Text(errno)}", firstRunAt);
            }

            if (vcpu.State.ExitReason != KvmAbi.KVM_EXIT_IO)
            {
                return new Result(0, $"the test loop ended with exit reason {vcpu.State.ExitReason}", firstRunAt);
            }

            fastest = Math.Max(fastest, done * InstructionsPerRound * 1000 / nanoseconds);
        }

        return new Result(fastest, null, firstRunAt);
    }

    private static void WriteCode(GuestMemory memory)
    {
        // Identity map of the first 2 MiB: present, writable; the last level a 2 MiB page.
        _ = memory.TryWrite(Pml4, Pdpt | 3);
        _ = memory.TryWrite(Pdpt, Pd | 3);
        _ = memory.TryWrite(Pd, 0x83UL);
        Span<byte> code =
        [
            0xB9, 0, 0, 0, 0, // start: mov ecx, Rounds
            0xFF, 0xC9,       // round: dec ecx
            0x75, 0xFC,       //        jnz round
            0xE6, 0x80,       //        out 0x80, al
            0xEB, 0xF3,       //        jmp start
        ];
        BinaryPrimitives.WriteUInt32LittleEndian(code[1..], Rounds);
        _ = memory.TryWrite(Code, code);
    }

    private static void EnterLongMode(KvmVcpu vcpu, KvmSregs sregs)
    {
        KvmSegment code = new() { Limit = 0xFFFFFFFF, Selector = 8, Type = 11, Present = 1, S = 1, L = 1, G = 1 };
        KvmSegment data = new() { Limit = 0xFFFFFFFF, Selector = 16, Type = 3, Present = 1, S = 1, Db = 1, G = 1 };
        sregs.Cs = code;
        sregs.Ds = sregs.Es = sregs.Fs = sregs.Gs = sregs.Ss = data;
        sregs.Cr3 = Pml4;
        sregs.Cr4 |= 1 << 5;                // PAE
        sregs.Cr0 |= 0x80000001;            // PG, PE
        sregs.Efer |= (1 << 8) | (1 << 10); // LME, LMA
        vcpu.SetSregs(ref sregs);
        KvmRegs regs = new() { Rip = Code, Rflags = 2 };
        vcpu.SetRegs(ref regs);
    }
}
