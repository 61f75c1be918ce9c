using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text.Json;
using Strato.Engine.Kvm;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.Protocol.Configuration;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp;

/// <summary>Commands for those who look into a guest: its registers, an NMI, and its memory as a file.</summary>
internal static class DebugCommands
{
    private const string FilePrefix = "file:";
    private const string DescriptorPrefix = "fd:";

    /// <summary>Registers of 64 bits are texts, for readers of JSON who keep numbers in 53.</summary>
    public static void Registers(QmpCall call)
    {
        long? wanted = call.Arguments.Number("cpu-index");
        List<int> known = [];
        foreach (CpuStatus cpu in call.Machine.Cpus)
        {
            known.Add(cpu.Index);
        }

        if (wanted is < 0 or > int.MaxValue || (wanted is { } index && !known.Contains((int)index)))
        {
            throw new QmpException($"Parameter 'cpu-index' is {wanted}; allowed are the machine's CPUs, {string.Join(", ", known)}");
        }

        Utf8JsonWriter json = call.Result;
        json.WriteStartArray();
        foreach (CpuRegisters cpu in call.Machine.ReadRegisters())
        {
            if (wanted is null || wanted == cpu.Index)
            {
                Write(json, cpu);
            }
        }

        json.WriteEndArray();
    }

    /// <summary>QEMU's: as a board's NMI button, which the guest's CPUs have at LINT1.</summary>
    public static void InjectNmi(QmpCall call)
    {
        if (call.Machine.InjectNmi() == 0)
        {
            throw new QmpException("No CPU takes an NMI: the guest has masked LINT1 of each local APIC, or uses it for something else");
        }
    }

    /// <summary>QEMU's, of what is built: all memory, by guest-physical addresses, into an ELF file.</summary>
    public static void Dump(QmpCall call)
    {
        if (call.Arguments.Boolean("paging") == true)
        {
            throw new QmpException("Parameter 'paging' is true, which is not built; allowed: false (memory by guest-physical addresses)");
        }

        if (call.Machine.Dump.IsActive)
        {
            throw new QmpException("A dump of the guest's memory is under way; query-dump tells how far it is, and x-cancel-dump ends it");
        }

        FileDescriptor file = Open(call, out string? path);
        call.Machine.BeginDump(file, path);
        call.Machine.Dump.Owner = path is null ? call.Files : null;
        if (call.Arguments.Boolean("detach") == true && call.Machine.Dump.IsActive)
        {
            call.Machine.Dump.GoOn();
        }
        else
        {
            call.Machine.Dump.Finish();
        }

        // Also of one that fails at its first byte; its event has been told before the answer.
        if (call.Machine.Dump.Error is { } error)
        {
            throw new QmpException($"The dump failed: {error}");
        }
    }

    public static void QueryDump(QmpCall call)
    {
        MemoryDump dump = call.Machine.Dump;
        call.Result.WriteStartObject();
        call.Result.WriteNumber("completed", dump.Completed);
        call.Result.WriteString("status", MemoryDump.NameOf(dump.State));
        call.Result.WriteNumber("total", dump.State == DumpState.None ? 0 : dump.Total);
        call.Result.WriteEndObject();
    }

    public static void QueryDumpCapability(QmpCall call)
    {
        call.Result.WriteStartObject();
        call.Result.WriteStartArray("formats");
        call.Result.WriteStringValue("elf");
        call.Result.WriteEndArray();
        call.Result.WriteEndObject();
    }

    public static void CancelDump(QmpCall call)
    {
        if (!call.Machine.Dump.Cancel())
        {
            throw new QmpException("No dump of the guest's memory is under way");
        }
    }

    private static FileDescriptor Open(QmpCall call, out string? path)
    {
        string protocol = call.Arguments.Require("protocol");
        path = null;
        if (protocol.StartsWith(DescriptorPrefix, StringComparison.Ordinal))
        {
            string name = protocol[DescriptorPrefix.Length..];
            int passed = call.Files.Find(name);
            Check(passed, "protocol");
            call.Files.Give(name);
            return new FileDescriptor(passed);
        }

        if (!protocol.StartsWith(FilePrefix, StringComparison.Ordinal))
        {
            throw new QmpException($"Parameter 'protocol' is '{ConfigurationLimits.Printable(protocol)}'; allowed: file:PATH, fd:NAME (of getfd)");
        }

        path = protocol[FilePrefix.Length..];
        ConfigurationLimits.CheckPath(path, "the dump", "protocol");
        FileSets.CheckPaths(path, "pass a descriptor by getfd, and give 'protocol' as fd: and its name");
        int fd = Libc.Open(path, Libc.O_WRONLY | Libc.O_CREAT | Libc.O_NONBLOCK, 0x180 /* 0600 */);
        if (fd < 0)
        {
            throw new QmpException($"The file '{ConfigurationLimits.Printable(path)}' can't be written: {Errno.Text(Errno.Last)}");
        }

        FileDescriptor file = new(fd);
        try
        {
            Check(fd, "protocol");
            return file;
        }
        catch (QmpException)
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Pipes and devices have no holes and no length.</summary>
    private static void Check(int fd, string parameter)
    {
        if (Libc.Stat(fd, out Libc.statx_t status) < 0 || (status.stx_mode & Libc.S_IFMT) != Libc.S_IFREG)
        {
            throw new QmpException($"Parameter '{parameter}' doesn't lead to a regular file, which a dump needs");
        }
    }

    private static void Write(Utf8JsonWriter json, in CpuRegisters cpu)
    {
        KvmRegs r = cpu.General;
        KvmSregs s = cpu.Special;
        json.WriteStartObject();
        json.WriteNumber("CPU", cpu.Index);
        foreach ((string name, ulong value) in (ReadOnlySpan<(string, ulong)>)
        [
            ("apic-base", s.ApicBase), ("cr0", s.Cr0), ("cr2", s.Cr2), ("cr3", s.Cr3), ("cr4", s.Cr4), ("cr8", s.Cr8), ("efer", s.Efer),
            ("kernel-gs-base", cpu.KernelGsBase), ("r10", r.R10), ("r11", r.R11), ("r12", r.R12), ("r13", r.R13), ("r14", r.R14), ("r15", r.R15),
            ("r8", r.R8), ("r9", r.R9), ("rax", r.Rax), ("rbp", r.Rbp), ("rbx", r.Rbx), ("rcx", r.Rcx), ("rdi", r.Rdi), ("rdx", r.Rdx),
            ("rflags", r.Rflags), ("rip", r.Rip), ("rsi", r.Rsi), ("rsp", r.Rsp),
        ])
        {
            json.WriteString(name, Hexadecimal(value));
        }

        foreach ((string name, KvmSegment segment) in (ReadOnlySpan<(string, KvmSegment)>)
        [
            ("cs", s.Cs), ("ds", s.Ds), ("es", s.Es), ("fs", s.Fs), ("gs", s.Gs), ("ldt", s.Ldt), ("ss", s.Ss), ("tr", s.Tr),
        ])
        {
            json.WriteStartObject(name);
            json.WriteString("base", Hexadecimal(segment.Base));
            json.WriteNumber("flags", CoreFile.FlagsOf(segment));
            json.WriteNumber("limit", segment.Limit);
            json.WriteNumber("selector", segment.Selector);
            json.WriteEndObject();
        }

        foreach ((string name, KvmDescriptorTable table) in (ReadOnlySpan<(string, KvmDescriptorTable)>)[("gdt", s.Gdt), ("idt", s.Idt)])
        {
            json.WriteStartObject(name);
            json.WriteString("base", Hexadecimal(table.Base));
            json.WriteNumber("limit", table.Limit);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static string Hexadecimal(ulong value) => "0x" + value.ToString("x", CultureInfo.InvariantCulture);
}
