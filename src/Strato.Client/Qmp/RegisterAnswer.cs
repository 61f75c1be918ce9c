using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text.Json;

namespace Strato.Client.Qmp;

/// <summary>Reads what x-query-registers returns; what isn't there, or isn't as it should be, is zero.</summary>
internal static class RegisterAnswer
{
    internal static List<CpuRegisters> Read(JsonElement answer)
    {
        List<CpuRegisters> all = [];
        foreach (JsonElement cpu in answer.ValueKind == JsonValueKind.Array ? answer.EnumerateArray() : [])
        {
            all.Add(new CpuRegisters
            {
                Index = (int)Number(cpu, "CPU"),
                Rax = Word(cpu, "rax"),
                Rbx = Word(cpu, "rbx"),
                Rcx = Word(cpu, "rcx"),
                Rdx = Word(cpu, "rdx"),
                Rsi = Word(cpu, "rsi"),
                Rdi = Word(cpu, "rdi"),
                Rsp = Word(cpu, "rsp"),
                Rbp = Word(cpu, "rbp"),
                R8 = Word(cpu, "r8"),
                R9 = Word(cpu, "r9"),
                R10 = Word(cpu, "r10"),
                R11 = Word(cpu, "r11"),
                R12 = Word(cpu, "r12"),
                R13 = Word(cpu, "r13"),
                R14 = Word(cpu, "r14"),
                R15 = Word(cpu, "r15"),
                Rip = Word(cpu, "rip"),
                Rflags = Word(cpu, "rflags"),
                Cr0 = Word(cpu, "cr0"),
                Cr2 = Word(cpu, "cr2"),
                Cr3 = Word(cpu, "cr3"),
                Cr4 = Word(cpu, "cr4"),
                Cr8 = Word(cpu, "cr8"),
                Efer = Word(cpu, "efer"),
                ApicBase = Word(cpu, "apic-base"),
                KernelGsBase = Word(cpu, "kernel-gs-base"),
                Cs = Segment(cpu, "cs"),
                Ds = Segment(cpu, "ds"),
                Es = Segment(cpu, "es"),
                Fs = Segment(cpu, "fs"),
                Gs = Segment(cpu, "gs"),
                Ss = Segment(cpu, "ss"),
                Ldt = Segment(cpu, "ldt"),
                Tr = Segment(cpu, "tr"),
                GdtBase = Segment(cpu, "gdt").Base,
                GdtLimit = Segment(cpu, "gdt").Limit,
                IdtBase = Segment(cpu, "idt").Base,
                IdtLimit = Segment(cpu, "idt").Limit,
            });
        }

        return all;
    }

    private static SegmentRegister Segment(JsonElement cpu, string name) => cpu.ValueKind == JsonValueKind.Object && cpu.TryGetProperty(name, out JsonElement segment)
        ? new SegmentRegister((int)Number(segment, "selector"), Word(segment, "base"), Number(segment, "limit"), Number(segment, "flags"))
        : default;

    private static ulong Word(JsonElement value, string name) =>
        QmpCommand.Text(value, name) is { } text && text.StartsWith("0x", StringComparison.Ordinal)
        && ulong.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong word)
            ? word
            : 0;

    private static long Number(JsonElement value, string name) =>
        value.ValueKind == JsonValueKind.Object && value.TryGetProperty(name, out JsonElement number) && number.ValueKind == JsonValueKind.Number && number.TryGetInt64(out long whole) ? whole : 0;
}
