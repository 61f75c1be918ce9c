using System;
using static Strato.Engine.Qmp.Schema.QmpBuiltin;
using static Strato.Engine.Qmp.Schema.QmpMember;

namespace Strato.Engine.Qmp.Schema;

/// <summary>What commands return, under QEMU's names where it has them. A test holds each reply that any test gets against these.</summary>
internal static class QmpReturns
{
    public static readonly QmpType Status = new QmpStruct(
        "StatusInfo",
        Must("running", Bool),
        Must("singlestep", Bool),
        Must("status", new QmpEnum("RunState", "prelaunch", "running", "paused", "io-error", "shutdown", "internal-error")));

    public static readonly QmpType Version = new QmpStruct(
        "VersionInfo",
        Must("qemu", new QmpStruct("VersionTriple", Must("micro", Int), Must("minor", Int), Must("major", Int))),
        Must("package", Text));

    public static readonly QmpType Commands = new QmpArray(new QmpStruct("CommandInfo", Must("name", Text)));

    public static readonly QmpType Events = new QmpArray(new QmpStruct("EventInfo", Must("name", Text)));

    public static readonly QmpType Kvm = new QmpStruct("KvmInfo", Must("enabled", Bool), Must("present", Bool));

    public static readonly QmpType Name = new QmpStruct("NameInfo", May("name", Text));

    private static readonly QmpType CpuPlace = new QmpStruct(
        "CpuInstanceProperties", Must("core-id", Int), May("die-id", Int), Must("socket-id", Int), Must("thread-id", Int));

    public static readonly QmpType Cpus = new QmpArray(new QmpStruct(
        "CpuInfo",
        Must("CPU", Int),
        Must("arch", new QmpEnum("CpuInfoArch", "x86", "arm")),
        Must("current", Bool),
        Must("halted", Bool),
        Must("props", CpuPlace),
        Must("qom_path", Text),
        Must("thread_id", Int)));

    public static readonly QmpType HotpluggableCpus = new QmpArray(new QmpStruct(
        "HotpluggableCPU", Must("props", CpuPlace), May("qom-path", Text), Must("type", Text), Must("vcpus-count", Int)));

    public static readonly QmpType Machines = new QmpArray(new QmpStruct(
        "MachineInfo",
        Must("cpu-max", Int),
        Must("deprecated", Bool),
        Must("hotpluggable-cpus", Bool),
        Must("name", Text),
        Must("numa-mem-supported", Bool)));

    public static readonly QmpType Memory = new QmpStruct(
        "MemoryStatus",
        Must("backend", new QmpEnum("MemoryBackend", "memory-backend-ram", "memory-backend-file", "memory-backend-memfd")),
        Must("dump", Bool),
        May("mem-path", Text),
        Must("merge", Bool),
        Must("page-size", Int),
        Must("prealloc", Bool),
        Must("ranges", new QmpArray(new QmpStruct("MemoryRange", Must("size", Int), Must("start", Int)))),
        Must("share", Bool),
        Must("size", Int));

    public static readonly QmpType MemorySize = new QmpStruct("MemoryInfo", Must("base-memory", Int), Must("plugged-memory", Int));

    private static readonly QmpType Image = new QmpStruct(
        "ImageInfo", Must("filename", Text), Must("format", Text), Must("virtual-size", Int));

    private static readonly QmpType BlockDevice = new QmpStruct(
        "BlockDeviceInfo",
        Must("drv", Text),
        Must("file", Text),
        Must("image", Image),
        Must("iops", Int),
        Must("node-name", Text),
        Must("ro", Bool));

    public static readonly QmpType Block = new QmpArray(new QmpStruct(
        "BlockInfo",
        Must("device", Text),
        Must("inserted", BlockDevice),
        Must("io-status", new QmpEnum("BlockDeviceIoStatus", "ok", "failed", "nospace")),
        Must("locked", Bool),
        Must("qdev", Text),
        Must("removable", Bool),
        Must("type", Text)));

    private static readonly QmpType Segment = new QmpStruct("SegmentRegister", Must("base", Text), Must("flags", Int), Must("limit", Int), Must("selector", Int));

    private static readonly QmpType Table = new QmpStruct("TableRegister", Must("base", Text), Must("limit", Int));

    public static readonly QmpType Registers = new QmpArray(new QmpStruct(
        "CpuRegisters",
        [
            Must("CPU", Int),
            .. Array.ConvertAll(
                "apic-base cr0 cr2 cr3 cr4 cr8 efer kernel-gs-base r10 r11 r12 r13 r14 r15 r8 r9 rax rbp rbx rcx rdi rdx rflags rip rsi rsp".Split(' '),
                name => Must(name, Text)),
            .. Array.ConvertAll("cs ds es fs gs ldt ss tr".Split(' '), name => Must(name, Segment)),
            Must("gdt", Table),
            Must("idt", Table),
        ]));

    public static readonly QmpType Dump = new QmpStruct(
        "DumpQueryResult", Must("completed", Int), Must("status", new QmpEnum("DumpStatus", "none", "active", "completed", "failed")), Must("total", Int));

    public static readonly QmpType Migration = new QmpStruct(
        "MigrationInfo",
        May("error-desc", Text),
        May("ram", new QmpStruct("MigrationStats", Must("remaining", Int), Must("total", Int), Must("transferred", Int))),
        Must("status", QmpArgumentTypes.MigrationStatus));

    public static readonly QmpType DumpCapability = new QmpStruct("DumpGuestMemoryCapability", Must("formats", new QmpArray(QmpArgumentTypes.DumpFormat)));

    public static readonly QmpType BlockStatistics = new QmpArray(new QmpStruct(
        "BlockStats",
        Must("device", Text),
        Must("node-name", Text),
        Must("qdev", Text),
        Must("stats", new QmpStruct(
            "BlockDeviceStats",
            Must("failed_flush_operations", Int),
            Must("failed_rd_operations", Int),
            Must("failed_unmap_operations", Int),
            Must("failed_wr_operations", Int),
            Must("flush_operations", Int),
            Must("flush_total_time_ns", Int),
            Must("invalid_flush_operations", Int),
            Must("invalid_rd_operations", Int),
            Must("invalid_unmap_operations", Int),
            Must("invalid_wr_operations", Int),
            Must("rd_bytes", Int),
            Must("rd_operations", Int),
            Must("rd_total_time_ns", Int),
            Must("unmap_bytes", Int),
            Must("unmap_operations", Int),
            Must("unmap_total_time_ns", Int),
            Must("wr_bytes", Int),
            Must("wr_highest_offset", Int),
            Must("wr_operations", Int),
            Must("wr_total_time_ns", Int)))));

    public static readonly QmpType NetStatistics = new QmpArray(new QmpStruct(
        "NetStats",
        May("ifname", Text),
        Must("name", Text),
        Must("netdev", Text),
        May("stats", new QmpStruct("NetDeviceStats", Must("rx-bytes", Int), Must("rx-packets", Int), Must("tx-bytes", Int), Must("tx-packets", Int)))));

    public static readonly QmpType Statistics = new QmpArray(new QmpStruct(
        "StatsResult",
        Must("provider", QmpArgumentTypes.StatisticsProvider),
        May("qom-path", Text),
        Must("stats", new QmpArray(new QmpStruct(
            "Stats", Must("name", Text), Must("value", new QmpAlternate("StatsValue", "a number, a truth value or numbers", Int, Bool, new QmpArray(Int))))))));

    public static readonly QmpType NamedBlockNodes = new QmpArray(BlockDevice);

    public static readonly QmpType IoThreads = new QmpArray(new QmpStruct(
        "IOThreadInfo",
        Must("aio-max-batch", Int),
        Must("id", Text),
        Must("poll-grow", Int),
        Must("poll-max-ns", Int),
        Must("poll-shrink", Int),
        Must("thread-id", Int)));

    public static readonly QmpType Chardevs = new QmpArray(new QmpStruct(
        "ChardevInfo", Must("filename", Text), Must("frontend-open", Bool), Must("label", Text)));

    public static readonly QmpType AddedChardev = new QmpStruct("ChardevReturn", May("pty", Text));

    public static readonly QmpType Slots = new QmpArray(new QmpStruct(
        "HotplugSlot",
        Must("addr", Text),
        May("device", Text),
        Must("driver", Text),
        Must("guest-name", Text),
        May("mac", Text),
        Must("needs-reset", Bool),
        May("netdev", Text),
        May("node-name", Text),
        May("read-only", Bool),
        Must("seen", Bool)));

    public static readonly QmpType Balloon = new QmpStruct("BalloonInfo", Must("actual", Int));

    public static readonly QmpType AddedFile = new QmpStruct("AddfdInfo", Must("fd", Int), Must("fdset-id", Int));

    public static readonly QmpType FileSets = new QmpArray(new QmpStruct(
        "FdsetInfo", Must("fds", new QmpArray(new QmpStruct("FdsetFdInfo", Must("fd", Int), May("opaque", Text)))), Must("fdset-id", Int)));

    public static readonly QmpType Schema = new QmpArray(new QmpStruct(
        "SchemaInfo",
        Must("name", Text),
        Must("meta-type", new QmpEnum("SchemaMetaType", "builtin", "enum", "array", "object", "alternate", "command", "event")),
        May("json-type", Text),
        May("members", new QmpArray(new QmpStruct("SchemaInfoMember", May("name", Text), May("type", Text), May("default", Any)))),
        May("values", new QmpArray(Text)),
        May("element-type", Text),
        May("arg-type", Text),
        May("ret-type", Text)));

    public static readonly QmpType OptionGroups = new QmpArray(new QmpStruct(
        "CommandLineOptionInfo",
        Must("option", Text),
        Must("parameters", new QmpArray(new QmpStruct(
            "CommandLineParameterInfo",
            Must("name", Text),
            Must("type", new QmpEnum("CommandLineParameterType", "string", "boolean", "number", "size")))))));
}
