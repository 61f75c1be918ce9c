using System;
using System.Numerics;
using Strato.Protocol;

namespace Strato.Engine.Boot;

/// <summary>How the CPUs are grouped, and the APIC ids that follow from it.</summary>
/// <remarks>
/// An APIC id is socket, core and thread in bit fields just wide enough (Intel SDM 3, 9.9): counts that aren't powers
/// of two leave gaps between the ids of two sockets.
/// </remarks>
internal readonly record struct CpuTopology
{
    /// <summary>The in-kernel IOAPIC addresses 8-bit ids; 255 means all.</summary>
    public const int HighestApicIdAllowed = 254;

    /// <param name="sockets">At least 1.</param>
    /// <param name="cores">In a socket, at least 1.</param>
    /// <param name="threads">In a core, at least 1.</param>
    /// <exception cref="UserErrorException">InvalidTopology: too many CPUs, or ids that the IOAPIC can't address.</exception>
    public CpuTopology(int sockets, int cores, int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sockets, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(cores, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Sockets = sockets;
        Cores = cores;
        Threads = threads;
        long count = (long)sockets * cores * threads;
        string shape = $"{sockets} sockets of {cores} cores of {threads} threads";
        if (count > Layout.MaxCpus || sockets > Layout.MaxCpus || cores > Layout.MaxCpus || threads > Layout.MaxCpus)
        {
            throw new UserErrorException("InvalidTopology", $"{shape} are more than {Layout.MaxCpus} CPUs", "-smp");
        }

        int highest = ApicId((int)count - 1);
        if (highest > HighestApicIdAllowed)
        {
            throw new UserErrorException(
                "InvalidTopology", $"with {shape} the last CPU has the APIC id {highest}; {HighestApicIdAllowed} is the highest that interrupts reach", "-smp");
        }
    }

    /// <summary>One CPU.</summary>
    public CpuTopology()
        : this(1, 1, 1)
    {
    }

    public int Sockets { get; }

    public int Cores { get; }

    public int Threads { get; }

    public int Count => Sockets * Cores * Threads;

    /// <summary>CPUs in a socket.</summary>
    public int PerSocket => Cores * Threads;

    /// <summary>Bits of an APIC id that number the threads of a core.</summary>
    public int ThreadBits => Bits(Threads);

    /// <summary>Bits of an APIC id that number the CPUs of a socket.</summary>
    public int SocketShift => Bits(Threads) + Bits(Cores);

    /// <summary>The APIC id of a CPU, by its number from 0.</summary>
    public int ApicId(int cpu)
    {
        int thread = cpu % Threads;
        int core = cpu / Threads % Cores;
        int socket = cpu / PerSocket;
        return (socket << SocketShift) | (core << ThreadBits) | thread;
    }

    private static int Bits(int count) => BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)count));
}
