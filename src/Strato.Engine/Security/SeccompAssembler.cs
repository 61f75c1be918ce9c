using System;
using System.Collections.Generic;
using Strato.Engine.Linux;

namespace Strato.Engine.Security;

/// <summary>Makes a program of the kernel's packet filter (BPF), as seccomp takes it, from rules.</summary>
/// <remarks>
/// The rules of a call stand together, where the first of them is: the program compares the call's number with one after another,
/// so calls that are made often come first.
/// </remarks>
internal sealed class SeccompAssembler
{
    private readonly List<Libc.sock_filter> _program = [];

    /// <param name="rules">Those of one kind of thread.</param>
    public static Libc.sock_filter[] Assemble(IReadOnlyList<SeccompRule> rules)
    {
        SeccompAssembler assembler = new();
        assembler.Add(rules);
        return [.. assembler._program];
    }

    private void Add(IReadOnlyList<SeccompRule> rules)
    {
        // 32-bit programs' calls have other numbers; the engine makes none. x32's numbers are those of no rule.
        Emit(Libc.BPF_LD_W_ABS, Libc.SeccompArchitecture);
        Emit(Libc.BPF_JMP_JEQ_K, Libc.AUDIT_ARCH_X86_64, 1, 0);
        Emit(Libc.BPF_RET_K, Libc.SECCOMP_RET_KILL_PROCESS);
        Emit(Libc.BPF_LD_W_ABS, Libc.SeccompNumber);
        HashSet<int> done = [];
        foreach (SeccompRule first in rules)
        {
            if (done.Add(first.Number))
            {
                int comparison = Emit(Libc.BPF_JMP_JEQ_K, (uint)first.Number);
                bool always = false;
                foreach (SeccompRule rule in rules)
                {
                    if (rule.Number == first.Number && !always)
                    {
                        Add(rule);
                        always = rule.Conditions.Length == 0;
                    }
                }

                if (!always)
                {
                    Emit(Libc.BPF_RET_K, Libc.SECCOMP_RET_TRAP);
                }

                SkipFrom(comparison);
            }
        }

        Emit(Libc.BPF_RET_K, Libc.SECCOMP_RET_TRAP);
    }

    private void Add(SeccompRule rule)
    {
        List<int> misses = [];
        foreach (SeccompCondition condition in rule.Conditions)
        {
            Add(condition, misses);
        }

        Emit(Libc.BPF_RET_K, rule.Errno is { } errno ? Libc.SECCOMP_RET_ERRNO | (uint)errno : Libc.SECCOMP_RET_ALLOW);
        misses.ForEach(SkipFrom);
    }

    /// <summary>Goes on behind itself where the condition is true; else jumps, from the places that are added.</summary>
    private void Add(in SeccompCondition condition, List<int> misses)
    {
        // Little-endian: the lower half stands first. Nothing that is compared here has more than 32 bits for the kernel.
        Emit(Libc.BPF_LD_W_ABS, Libc.SeccompArguments + ((uint)condition.Argument * sizeof(ulong)));
        uint mask = condition.Test == SeccompTest.HasNoneOf ? condition.Values[0] : condition.Mask;
        if (mask != ~0U)
        {
            Emit(Libc.BPF_ALU_AND_K, mask);
        }

        ReadOnlySpan<uint> values = condition.Test == SeccompTest.HasNoneOf ? [0] : condition.Values;
        for (int i = 0; i < values.Length; i++)
        {
            int left = values.Length - 1 - i;
            if (condition.Test == SeccompTest.IsNoneOf)
            {
                misses.Add(Emit(Libc.BPF_JMP_JEQ_K, values[i]));
                Swap(misses[^1]);
            }
            else
            {
                int at = Emit(Libc.BPF_JMP_JEQ_K, values[i], checked((byte)left));
                if (left == 0)
                {
                    misses.Add(at);
                }
            }
        }
    }

    /// <summary>Marks a comparison as one that jumps when it is true.</summary>
    private void Swap(int at) => _program[at] = _program[at] with { jt = byte.MaxValue };

    private int Emit(ushort code, uint k, byte whenTrue = 0, byte whenFalse = 0)
    {
        _program.Add(new Libc.sock_filter { code = code, k = k, jt = whenTrue, jf = whenFalse });
        return _program.Count - 1;
    }

    /// <summary>A comparison that misses goes on here.</summary>
    private void SkipFrom(int at)
    {
        byte distance = checked((byte)(_program.Count - at - 1));
        Libc.sock_filter step = _program[at];
        _program[at] = step.jt == byte.MaxValue ? step with { jt = distance } : step with { jf = distance };
    }
}
