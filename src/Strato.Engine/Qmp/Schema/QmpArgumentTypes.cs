using Strato.Protocol.Configuration;
using static Strato.Engine.Qmp.Schema.QmpBuiltin;
using static Strato.Engine.Qmp.Schema.QmpMember;

namespace Strato.Engine.Qmp.Schema;

/// <summary>What commands take. Where StratoVirt's examples have a number or truth value in a string, both forms are taken.</summary>
internal static class QmpArgumentTypes
{
    private static readonly QmpType Number = new QmpAlternate("NumberOrText", "a whole number", Int, Text);

    private static readonly QmpType Switch = new QmpAlternate("SwitchOrText", "true or false", Bool, new QmpEnum("OnOff", "on", "off"));

    private static readonly QmpType Aio = new QmpEnum("BlockdevAioOptions", DriveNames.Aio);

    public static readonly QmpStruct Capabilities = new("qmp_capabilities-arg", May("enable", new QmpArray(Text)));

    public static readonly QmpStruct AddNode = new(
        "BlockdevOptions",
        Must("node-name", Text),
        Must("file", new QmpStruct("BlockdevOptionsFile", May("driver", new QmpEnum("BlockdevFileDriver", "file", "host_device")), Must("filename", Text), May("aio", Aio))),
        May("driver", new QmpEnum("BlockdevDriver", "raw")),
        May("cache", new QmpStruct("BlockdevCacheOptions", May("direct", Bool), May("no-flush", Bool))),
        May("read-only", Bool),
        May("aio", Aio),
        May("discard", new QmpEnum("BlockdevDiscardOptions", DriveNames.Discard)),
        May("detect-zeroes", new QmpEnum("BlockdevDetectZeroesOptions", DriveNames.DetectZeroes)),
        May("snapshot", Bool),
        May("snapshot-file", Text),
        May("iops", Number));

    public static readonly QmpStruct NodeName = new("blockdev-del-arg", Must("node-name", Text));

    public static readonly QmpStruct AddNetdev = new(
        "Netdev",
        Must("id", Text),
        May("type", new QmpEnum("NetClientDriver", NetdevNames.Kinds)),
        May("ifname", Text),
        May("fd", Text),
        May("fds", Text),
        May("queues", Number),
        May("vhost", Switch),
        May("vhostfd", Text),
        May("vhostfds", Text),
        May("addr", new QmpStruct("SocketAddress", May("type", new QmpEnum("SocketAddressType", "unix", "fd")), May("path", Text), May("str", Text))),
        May("hostfwd", new QmpArray(new QmpStruct("String", Must("str", Text)))));

    public static readonly QmpStruct Id = new("id-arg", Must("id", Text));

    public static readonly QmpStruct AddDevice = new(
        "device_add-arg",
        Must("id", Text),
        Must("driver", Text),
        May("addr", Number),
        May("lun", Number),
        May("drive", Text),
        May("netdev", Text),
        May("iothread", Text),
        May("serial", Text),
        May("serial_num", Text),
        May("num-queues", Number),
        May("queue-size", Number),
        May("write-cache", Switch),
        May("werror", new QmpEnum("BlockdevOnError", DriveNames.WriteError)),
        May("rerror", new QmpEnum("BlockdevOnReadError", DriveNames.ReadError)),
        May("mac", Text),
        May("up", Bool),
        May("cpu-id", Number),
        May("socket-id", Number),
        May("die-id", Number),
        May("core-id", Number),
        May("thread-id", Number),
        May("chardev", Text),
        May("nr", Number),
        May("name", Text));

    public static readonly QmpStruct AddChardev = new(
        "chardev-add-arg",
        Must("id", Text),
        Must("backend", new QmpStruct(
            "ChardevBackend",
            Must("type", new QmpEnum("ChardevBackendKind", ChardevCommands.Backends)),
            May("data", new QmpStruct(
                "ChardevBackendData",
                May("addr", new QmpStruct(
                    "SocketAddressLegacy",
                    Must("type", new QmpEnum("ChardevAddressType", "unix")),
                    Must("data", new QmpStruct("UnixSocketAddress", Must("path", Text))))),
                May("server", Bool),
                May("wait", Bool),
                May("out", Text))))));

    public static readonly QmpStruct FileName = new("getfd-arg", Must("fdname", Text));

    public static readonly QmpStruct AddFile = new("add-fd-arg", May("fdset-id", Int), May("opaque", Text));

    public static readonly QmpStruct RemoveFile = new("remove-fd-arg", Must("fdset-id", Int), May("fd", Int));

    public static readonly QmpStruct Option = new("query-command-line-options-arg", May("option", Text));

    public static readonly QmpStruct Monitor = new("human-monitor-command-arg", Must("command-line", Text), May("cpu-index", Int));

    public static readonly QmpStruct Throttle = new(
        "BlockIOThrottle",
        May("device", Text),
        May("id", Text),
        Must("iops", Int),
        May("iops_rd", Int),
        May("iops_wr", Int),
        May("bps", Int),
        May("bps_rd", Int),
        May("bps_wr", Int));

    public static readonly QmpStruct Registers = new("x-query-registers-arg", May("cpu-index", Int));

    public static readonly QmpEnum DumpFormat = new("DumpGuestMemoryFormat", "elf");

    public static readonly QmpStruct Migrate = new("migrate-arg", Must("uri", Text), May("stay-paused", Bool), May("hold", Bool));

    public static readonly QmpEnum MigrationStatus = new("MigrationStatus", "none", "setup", "active", "pre-switchover", "completed", "failed", "cancelled");

    public static readonly QmpStruct MigrateContinue = new("migrate-continue-arg", Must("state", MigrationStatus));

    public static readonly QmpStruct Dump = new(
        "dump-guest-memory-arg", Must("paging", Bool), Must("protocol", Text), May("detach", Bool), May("format", DumpFormat));

    public static readonly QmpEnum StatisticsProvider = new("StatsProvider", "kvm");

    public static readonly QmpStruct Statistics = new(
        "StatsFilter",
        Must("target", new QmpEnum("StatsTarget", "vm", "vcpu")),
        May("vcpus", new QmpArray(Text)),
        May("providers", new QmpArray(new QmpStruct("StatsRequest", Must("provider", StatisticsProvider), May("names", new QmpArray(Text))))));

    public static readonly QmpStruct Link = new("set_link-arg", Must("name", Text), Must("up", Bool));

    public static readonly QmpStruct Balloon = new("balloon-arg", Must("value", Number));

    public static readonly QmpStruct GetProperty = new("qom-get-arg", Must("path", Text), Must("property", Text));

    public static readonly QmpStruct SetProperty = new("qom-set-arg", Must("path", Text), Must("property", Text), Must("value", Any));
}
