using System;

namespace Strato.Engine.Security;

/// <summary>What a thread is for: each kind has a list of the system calls that it may make.</summary>
[Flags]
internal enum ThreadKinds
{
    None = 0,

    /// <summary>The main loop and the runtime's own threads. Its filter is the whole process's, and so it has the calls of all kinds.</summary>
    Main = 1,

    /// <summary>A vCPU's.</summary>
    Vcpu = 2,

    /// <summary>An iothread's loop. Disks' workers may be its children, so it has their calls, too.</summary>
    IoThread = 4,

    /// <summary>A disk's, that does requests which may wait; one that fills guest memory.</summary>
    Worker = 8,

    Every = Main | Vcpu | IoThread | Worker,

    /// <summary>Those that devices are served on, and vCPUs', on which a driver's reset finishes what is under way.</summary>
    Devices = Main | Vcpu | IoThread,
}

/// <summary>What has to be true of an argument's lower 32 bits.</summary>
internal enum SeccompTest
{
    /// <summary>It is one of the values.</summary>
    IsOneOf,

    /// <summary>It is none of the values.</summary>
    IsNoneOf,

    /// <summary>None of the bits of the only value is set.</summary>
    HasNoneOf,
}

/// <summary>A condition on an argument.</summary>
/// <param name="Argument">Which, from 0.</param>
/// <param name="Test">How it is looked at.</param>
/// <param name="Values">With what it is compared, the likeliest first.</param>
/// <param name="Mask">Bits of the argument that are looked at.</param>
internal readonly record struct SeccompCondition(int Argument, SeccompTest Test, uint[] Values, uint Mask = ~0U);

/// <summary>A system call that threads may make.</summary>
/// <param name="Name">As its manual page has it.</param>
/// <param name="Number">On x86-64.</param>
/// <param name="Kinds">Which threads.</param>
/// <param name="Conditions">All have to be true; none for any arguments.</param>
internal sealed record SeccompRule(string Name, int Number, ThreadKinds Kinds, params SeccompCondition[] Conditions)
{
    /// <summary>Where there is one, the call isn't made, and fails with this number (0: returns 0): for callers that can do without.</summary>
    public int? Errno { get; init; }

    /// <summary>Whether the call is made.</summary>
    public bool IsAllowed => Errno is null;

    /// <summary>Which arguments are allowed, in words, for docs/security.md; or what stands in for a call that fails.</summary>
    public string Meaning { get; init; } = "";

    /// <summary>Whether the rule is part of the filter of a kind.</summary>
    public bool IsFor(ThreadKinds kind) => kind == ThreadKinds.Main ? IsAllowed || (Kinds & kind) != 0 : (Kinds & kind) != 0;
}
