using System;
using System.Globalization;
using System.Numerics;

namespace Strato.Protocol.Configuration;

/// <summary>What a user says of a machine's CPUs; null for what isn't said.</summary>
/// <param name="Cpus">CPUs that are there when the machine starts.</param>
/// <param name="MaxCpus">CPUs that there can be.</param>
/// <param name="Sockets">Sockets of the machine.</param>
/// <param name="Dies">Dies of a socket.</param>
/// <param name="Cores">Cores of a die.</param>
/// <param name="Threads">Threads of a core.</param>
public readonly record struct CpuCounts(long? Cpus, long? MaxCpus, long? Sockets, long? Dies, long? Cores, long? Threads);

/// <summary>Where a CPU is: the die within its socket, the core within its die, the thread within its core.</summary>
public readonly record struct CpuPlace(int Socket, int Die, int Core, int Thread);

/// <summary>Where each of <see cref="CpuCounts"/> was given, for errors: <c>-smp sockets</c>.</summary>
public sealed record CpuCountNames(string Cpus, string MaxCpus, string Sockets, string Dies, string Cores, string Threads);

/// <summary>How many CPUs a machine has, and how they are grouped: sockets · dies · cores · threads are <see cref="MaxCpus"/>.</summary>
public sealed record CpuShape
{
    /// <summary>The in-kernel IOAPIC addresses 8-bit ids; 255 means all.</summary>
    public const int HighestApicId = 254;

    private CpuShape(int cpus, int maxCpus, int sockets, int dies, int cores, int threads) =>
        (Cpus, MaxCpus, Sockets, Dies, Cores, Threads) = (cpus, maxCpus, sockets, dies, cores, threads);

    /// <summary>CPUs that are there when the machine starts, 1 to <see cref="MaxCpus"/>.</summary>
    public int Cpus { get; }

    /// <summary>CPUs that there can be, 1 to 254.</summary>
    public int MaxCpus { get; }

    public int Sockets { get; }

    /// <summary>Dies of a socket.</summary>
    public int Dies { get; }

    /// <summary>Cores of a die.</summary>
    public int Cores { get; }

    /// <summary>Threads of a core.</summary>
    public int Threads { get; }

    /// <summary>Each CPU a socket of its own.</summary>
    public static CpuShape Flat(int cpus) => new(cpus, cpus, cpus, 1, 1, 1);

    /// <summary>Fills in what isn't said, as QEMU before 6.2 did: what is left over becomes sockets, else cores, else threads.</summary>
    /// <remarks>So it goes together with <see cref="Flat"/>, which is what a machine without any topology has.</remarks>
    /// <exception cref="UserErrorException">InvalidCpuCount, or InvalidTopology for all but the CPUs themselves.</exception>
    public static CpuShape Resolve(CpuCounts given, CpuCountNames where)
    {
        int? cpus = given.Cpus is { } count ? ConfigurationLimits.CheckCpus(count, where.Cpus) : null;
        int? maxCpus = Check(given.MaxCpus, "CPUs at most", where.MaxCpus);
        int? sockets = Check(given.Sockets, "sockets", where.Sockets);
        int dies = Check(given.Dies, "dies", where.Dies) ?? 1;
        int? cores = Check(given.Cores, "cores", where.Cores);
        int? threads = Check(given.Threads, "threads", where.Threads);
        if (cpus > maxCpus)
        {
            throw Invalid($"{cpus} CPUs are more than the {maxCpus} that there can be; allowed: 1 to {maxCpus}.", where.MaxCpus);
        }

        if ((maxCpus ?? cpus) is not { } all)
        {
            long product = (long)(sockets ?? 1) * dies * (cores ?? 1) * (threads ?? 1);
            all = product <= ConfigurationLimits.MaxCpus
                ? (int)product
                : throw Invalid($"{Describe(sockets ?? 1, dies, cores ?? 1, threads ?? 1)} are {product} CPUs; allowed: 1 to {ConfigurationLimits.MaxCpus}.", where.Sockets);
        }

        if (sockets is null)
        {
            cores ??= 1;
            threads ??= 1;
        }
        else if (cores is null)
        {
            threads ??= 1;
        }

        sockets ??= Rest(all, (long)dies * cores!.Value * threads!.Value);
        cores ??= Rest(all, (long)sockets.Value * dies * threads!.Value);
        threads ??= Rest(all, (long)sockets.Value * dies * cores.Value);
        long made = (long)sockets.Value * dies * cores.Value * threads.Value;
        if (made != all)
        {
            throw Invalid($"{Describe(sockets.Value, dies, cores.Value, threads.Value)} are {made} CPUs, where there can be {all}; sockets · dies · cores · threads has to be {all}.", where.Sockets);
        }

        CheckApicIds(sockets.Value, dies, cores.Value, threads.Value, where.Sockets);
        return new CpuShape(cpus ?? all, all, sockets.Value, dies, cores.Value, threads.Value);
    }

    /// <summary>Where a CPU is, by its number from 0: threads of a core follow each other, then cores, dies and sockets.</summary>
    public CpuPlace PlaceOf(int cpu) => PlaceOf(cpu, Dies, Cores, Threads);

    /// <summary>The same for any shape.</summary>
    public static CpuPlace PlaceOf(int cpu, int dies, int cores, int threads) =>
        new(cpu / (dies * cores * threads), cpu / (cores * threads) % dies, cpu / threads % cores, cpu % threads);

    /// <summary>The APIC id of a CPU of any shape, by its number from 0: socket, die, core and thread in bit fields just wide enough (Intel SDM 3, 9.9).</summary>
    public static int ApicId(int cpu, int dies, int cores, int threads)
    {
        CpuPlace place = PlaceOf(cpu, dies, cores, threads);
        int id = (place.Socket << Bits(dies)) | place.Die;
        id = (id << Bits(cores)) | place.Core;
        return (id << Bits(threads)) | place.Thread;
    }

    /// <summary>Bits that number so many.</summary>
    public static int Bits(int count) => BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)count));

    /// <summary>Refuses shapes whose gaps between ids leave the last CPU out of the IOAPIC's reach.</summary>
    /// <exception cref="UserErrorException">InvalidTopology.</exception>
    public static void CheckApicIds(int sockets, int dies, int cores, int threads, string where)
    {
        int highest = ApicId((sockets * dies * cores * threads) - 1, dies, cores, threads);
        if (highest > HighestApicId)
        {
            throw Invalid($"With {Describe(sockets, dies, cores, threads)} the last CPU has the APIC id {highest}; {HighestApicId} is the highest that interrupts reach.", where);
        }
    }

    public override string ToString() => Describe(Sockets, Dies, Cores, Threads);

    /// <summary>A shape in words, with dies only where there are several: <c>2 sockets of 4 cores of 1 thread</c>.</summary>
    public static string Describe(int sockets, int dies, int cores, int threads) =>
        $"{Some(sockets, "socket")} of {(dies > 1 ? Some(dies, "die") + " of " : "")}{Some(cores, "core")} of {Some(threads, "thread")}";

    private static string Some(int count, string what) => string.Create(CultureInfo.InvariantCulture, $"{count} {what}{(count == 1 ? "" : "s")}");

    /// <summary>What is left over for the level that isn't said; 1 where it is too little, and the product tells.</summary>
    private static int Rest(int all, long others) => (int)Math.Max(1, all / others);

    private static int? Check(long? count, string what, string where) =>
        count is null or (>= 1 and <= ConfigurationLimits.MaxCpus)
            ? (int?)count
            : throw Invalid($"{count} {what} are out of range; allowed: 1 to {ConfigurationLimits.MaxCpus}.", where);

    private static UserErrorException Invalid(string message, string where) => new("InvalidTopology", message, where);
}
