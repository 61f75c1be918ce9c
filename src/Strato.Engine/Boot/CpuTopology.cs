using System;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Boot;

/// <summary>How the CPUs are grouped, and the APIC ids that follow from it.</summary>
/// <remarks>
/// An APIC id is socket, die, core and thread in bit fields just wide enough (Intel SDM 3, 9.9): counts that aren't powers
/// of two leave gaps between the ids of two sockets.
/// </remarks>
internal readonly record struct CpuTopology
{
    /// <param name="sockets">At least 1.</param>
    /// <param name="cores">In a die, at least 1.</param>
    /// <param name="threads">In a core, at least 1.</param>
    /// <param name="dies">In a socket, at least 1.</param>
    /// <exception cref="UserErrorException">InvalidTopology: too many CPUs, or ids that the IOAPIC can't address.</exception>
    public CpuTopology(int sockets, int cores, int threads, int dies = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sockets, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(dies, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(cores, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Sockets = sockets;
        Dies = dies;
        Cores = cores;
        Threads = threads;
        if (Math.BigMul(sockets, dies) * (Int128)Math.BigMul(cores, threads) > Layout.MaxCpus)
        {
            throw new UserErrorException("InvalidTopology", $"{CpuShape.Describe(sockets, dies, cores, threads)} are more than {Layout.MaxCpus} CPUs", "-smp");
        }

        Present = Count;
        CpuShape.CheckApicIds(sockets, dies, cores, threads, "-smp");
    }

    /// <summary>One CPU.</summary>
    public CpuTopology()
        : this(1, 1, 1)
    {
    }

    public int Sockets { get; }

    /// <summary>Dies of a socket.</summary>
    public int Dies { get; }

    /// <summary>Cores of a die.</summary>
    public int Cores { get; }

    /// <summary>Threads of a core.</summary>
    public int Threads { get; }

    /// <summary>CPUs that there can be.</summary>
    public int Count => Sockets * PerSocket;

    /// <summary>CPUs that are there at power-on: the first ones, 1 to <see cref="Count"/>.</summary>
    public int Present { get; init; }

    /// <summary>CPUs in a socket.</summary>
    public int PerSocket => Dies * PerDie;

    /// <summary>CPUs in a die.</summary>
    public int PerDie => Cores * Threads;

    /// <summary>Bits of an APIC id that number the threads of a core.</summary>
    public int ThreadBits => CpuShape.Bits(Threads);

    /// <summary>Bits of an APIC id that number the CPUs of a die.</summary>
    public int DieShift => CpuShape.Bits(Threads) + CpuShape.Bits(Cores);

    /// <summary>Bits of an APIC id that number the CPUs of a socket.</summary>
    public int SocketShift => DieShift + CpuShape.Bits(Dies);

    public static CpuTopology Of(CpuShape shape) => new(shape.Sockets, shape.Cores, shape.Threads, shape.Dies) { Present = shape.Cpus };

    /// <summary>Where a CPU is, by its number from 0.</summary>
    public CpuPlace PlaceOf(int cpu) => CpuShape.PlaceOf(cpu, Dies, Cores, Threads);

    /// <summary>The APIC id of a CPU, by its number from 0.</summary>
    public int ApicId(int cpu) => CpuShape.ApicId(cpu, Dies, Cores, Threads);
}
