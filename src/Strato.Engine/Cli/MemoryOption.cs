using Strato.Protocol;
using Strato.Protocol.CommandLine;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary>What guest memory is made of: <c>-mem-path</c>, and the objects that <c>-machine memory-backend=</c> refers to.</summary>
internal static class MemoryOption
{
    private const string CommonUsage = "id=ID,size=SIZE[,share=on|off][,prealloc=on|off][,dump=on|off]";

    public const string RamUsage = CommonUsage + "[,merge=on|off]";
    public const string FileUsage = CommonUsage + ",mem-path=FOLDER";
    public const string MemfdUsage = CommonUsage + "[,hugetlb=on|off[,hugetlbsize=SIZE]]";

    public static void SetPath(Options options, string value)
    {
        MemoryBacking.CheckPath(value, "-mem-path");
        MemoryBacking backing = options.Configuration.Backing;
        (backing.Path, backing.PathWhere, backing.Huge) = (value, "-mem-path", true);
    }

    public static void AddRam(Options options, SubOptions parts)
    {
        bool? merge = parts.TakeBoolean("merge");
        Add(options, parts, shared: null, backing =>
        {
            if (merge is { } given)
            {
                (backing.Merge, backing.MergeWhere) = (given, parts.Where("merge"));
            }
        });
    }

    public static void AddFile(Options options, SubOptions parts)
    {
        string path = parts.Require("mem-path");
        MemoryBacking.CheckPath(path, parts.Where("mem-path"));
        Add(options, parts, shared: null, backing => (backing.Path, backing.PathWhere) = (path, parts.Where("mem-path")));
    }

    public static void AddMemfd(Options options, SubOptions parts)
    {
        bool huge = parts.TakeBoolean("hugetlb") ?? false;
        long size = 0;
        if (parts.Take("hugetlbsize") is { } text)
        {
            bool known = ByteSize.TryParse(text, out size, out _) && size > 4096 && (size & (size - 1)) == 0;
            if (!known || !huge)
            {
                throw parts.Invalid(
                    known ? $"'hugetlbsize={text}' is given without hugetlb=on." : $"'hugetlbsize={ConfigurationLimits.Printable(text)}' is no size of a huge page; allowed are those of the host, such as 2M and 1G.",
                    "hugetlbsize");
            }
        }

        Add(options, parts, shared: true, backing => (backing.HugePageSize, backing.PathWhere) = (huge ? size : null, parts.Where("hugetlb")));
    }

    /// <summary>Takes what <c>-machine</c> says of memory.</summary>
    public static void ApplyMachine(Options options, SubOptions parts)
    {
        VmConfiguration machine = options.Configuration;
        machine.DumpGuestCore = parts.TakeBoolean("dump-guest-core") ?? machine.DumpGuestCore;
        machine.MemShare = parts.TakeBoolean("mem-share") ?? machine.MemShare;
        machine.Backing.Merge = parts.TakeBoolean("mem-merge") ?? machine.Backing.Merge;
        if (parts.Take("memory-backend") is { } id)
        {
            options.Lookups.Add(() => options.MemoryBackends.Claim(id, parts.Where("memory-backend"))());
        }
    }

    /// <summary>Refuses an object that the machine doesn't use: it has no other use yet.</summary>
    public static void CheckUsed(Options options)
    {
        foreach ((string id, _) in options.MemoryBackends.Unclaimed)
        {
            throw new UserErrorException("MemoryBackendUnused", $"The memory '{ConfigurationLimits.Printable(id)}' is the machine's only by -machine memory-backend={ConfigurationLimits.Printable(id)}.", "-object id");
        }
    }

    /// <param name="options">Where it is kept until all options are read.</param>
    /// <param name="parts">What is left to take is common to all kinds.</param>
    /// <param name="shared">Whether others share it where nothing is said; null for as the machine has it.</param>
    /// <param name="apply">Puts what is the kind's own into the machine's memory.</param>
    private static void Add(Options options, SubOptions parts, bool? shared, System.Action<MemoryBacking> apply)
    {
        string id = parts.TakeId() ?? parts.Require("id");
        long size = ByteSize.ParseMemory(parts.Require("size"), parts.Where("size"));
        shared = parts.TakeBoolean("share") ?? shared;

        // QEMU's names and StratoVirt's.
        bool? preallocate = parts.TakeBoolean("prealloc") ?? parts.TakeBoolean("mem-prealloc");
        bool? dump = parts.TakeBoolean("dump") ?? parts.TakeBoolean("dump-guest-core");
        parts.End();
        options.MemoryBackends.Add(id, () =>
        {
            VmConfiguration machine = options.Configuration;
            if (machine.Backing.Path is not null)
            {
                throw new UserErrorException("InvalidOption", $"The machine's memory is given twice, by {machine.Backing.PathWhere} and by the object '{id}'; give one of both.", "-machine memory-backend");
            }

            if (machine.MemoryWhere is { } where && machine.Memory != size)
            {
                throw new UserErrorException("InvalidMemory", $"The object '{id}' has {ByteSize.Describe(size)}, and {where} {ByteSize.Describe(machine.Memory)}; a machine has all of its memory in one object.", parts.Where("size"));
            }

            machine.Memory = size;
            machine.MemShare = shared ?? machine.MemShare;
            machine.DumpGuestCore = dump ?? machine.DumpGuestCore;
            machine.Backing.Preallocate = preallocate ?? machine.Backing.Preallocate;
            apply(machine.Backing);
        });
    }
}
