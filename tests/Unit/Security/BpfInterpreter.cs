using System;
using System.Collections.Generic;
using Strato.Engine.Linux;

namespace Strato.Tests.Unit.Security;

/// <summary>Runs a program of the kernel's packet filter over a system call, as seccomp does; what the kernel would refuse to load is an error.</summary>
internal static class BpfInterpreter
{
    /// <summary>The verdict, and the steps that it took.</summary>
    public static (uint Verdict, int Steps) Run(IReadOnlyList<Libc.sock_filter> program, uint architecture, int number, params ulong[] arguments)
    {
        uint accumulator = 0;
        int steps = 0;
        for (int at = 0; ; at++)
        {
            Libc.sock_filter step = program[at];
            steps++;
            switch (step.code)
            {
                case Libc.BPF_LD_W_ABS:
                    accumulator = Load(step.k, architecture, number, arguments);
                    break;
                case Libc.BPF_ALU_AND_K:
                    accumulator &= step.k;
                    break;
                case Libc.BPF_JMP_JEQ_K:
                    at += accumulator == step.k ? step.jt : step.jf;
                    break;
                case Libc.BPF_RET_K:
                    return (step.k, steps);
                default:
                    throw new InvalidOperationException($"step {at} has the code 0x{step.code:x}");
            }
        }
    }

    private static uint Load(uint offset, uint architecture, int number, ulong[] arguments)
    {
        if (offset is 0 or 4)
        {
            return offset == 0 ? (uint)number : architecture;
        }

        // Behind them is the instruction's address, and then the arguments, of 64 bits each.
        int argument = (int)(offset - 16) / sizeof(ulong);
        ulong value = argument < arguments.Length ? arguments[argument] : 0;
        return offset >= 16 && offset < 64 && offset % sizeof(uint) == 0
            ? (uint)(offset % sizeof(ulong) == 0 ? value : value >> 32)
            : throw new InvalidOperationException($"a load from {offset}");
    }
}
