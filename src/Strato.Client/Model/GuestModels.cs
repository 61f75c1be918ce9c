using System;
using System.Collections.Generic;

namespace Strato.Client;

/// <summary>A program to run in a guest, through its agent.</summary>
public sealed record GuestCommand
{
    /// <summary>Path in the guest, or a name that is looked for in the agent's PATH.</summary>
    public required string Path { get; init; }

    /// <summary>Given as they are; no shell reads them.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Variables beside those that the agent has.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Standard input, at most <see cref="MaximumInput"/> bytes; null for none.</summary>
    public byte[]? Input { get; init; }

    /// <summary>How long it may run, until it is ended with SIGTERM; null is for ever.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Most bytes of <see cref="Input"/>.</summary>
    public const int MaximumInput = 16 << 20;

    /// <summary>A command line for the guest's shell.</summary>
    public static GuestCommand Shell(string line) => new() { Path = "/bin/sh", Arguments = ["-c", line] };
}

/// <summary>How a program in a guest ended.</summary>
/// <param name="ProcessId">In the guest.</param>
/// <param name="ExitCode">Null where a signal ended it.</param>
/// <param name="Signal">Number of the signal, or null.</param>
/// <param name="Output">Standard output.</param>
/// <param name="Error">Standard error.</param>
/// <param name="OutputTruncated">The agent kept no more of the output (16 MiB).</param>
/// <param name="ErrorTruncated">The same of standard error.</param>
public sealed record GuestCommandOutcome(long ProcessId, int? ExitCode, int? Signal, byte[] Output, byte[] Error, bool OutputTruncated, bool ErrorTruncated);

/// <summary>What a guest's agent tells of its guest; null or empty where it doesn't tell.</summary>
public sealed record GuestDetails
{
    /// <summary>Version of the agent.</summary>
    public string? AgentVersion { get; init; }

    /// <summary>Commands that the agent does.</summary>
    public IReadOnlyList<string> Commands { get; init; } = [];

    public string? HostName { get; init; }

    /// <summary>Pretty name of the system, such as <c>Debian GNU/Linux 12 (bookworm)</c>.</summary>
    public string? Os { get; init; }

    /// <summary>Such as <c>debian</c>.</summary>
    public string? OsId { get; init; }

    /// <summary>Such as <c>12</c>.</summary>
    public string? OsVersion { get; init; }

    public string? KernelRelease { get; init; }

    public string? KernelVersion { get; init; }

    /// <summary>Such as <c>x86_64</c>.</summary>
    public string? Machine { get; init; }

    /// <summary>Name of the time zone, such as <c>CET</c>.</summary>
    public string? TimeZone { get; init; }

    /// <summary>Seconds east of UTC.</summary>
    public long? TimeZoneOffset { get; init; }

    /// <summary>Null where the agent doesn't tell.</summary>
    public IReadOnlyList<GuestInterface>? Interfaces { get; init; }

    /// <summary>File systems that are mounted; null where the agent doesn't tell.</summary>
    public IReadOnlyList<GuestMount>? FileSystems { get; init; }

    /// <summary>Null where the agent doesn't tell.</summary>
    public IReadOnlyList<GuestDisk>? Disks { get; init; }

    /// <summary>Users that are logged in; null where the agent doesn't tell.</summary>
    public IReadOnlyList<GuestLogin>? Users { get; init; }
}

/// <summary>A network interface of a guest.</summary>
/// <param name="Name">Such as <c>eth0</c>.</param>
/// <param name="MacAddress">Null where it has none.</param>
/// <param name="Addresses">Each with its prefix's length.</param>
public sealed record GuestInterface(string Name, string? MacAddress, IReadOnlyList<GuestAddress> Addresses);

/// <summary>An address of a guest.</summary>
/// <param name="Address">Such as <c>10.0.0.2</c>.</param>
/// <param name="Prefix">Bits of the network's part, or null.</param>
public sealed record GuestAddress(string Address, int? Prefix);

/// <summary>A file system of a guest.</summary>
/// <param name="Device">Such as <c>vda1</c>.</param>
/// <param name="MountPoint">Where it is mounted.</param>
/// <param name="Type">Such as <c>ext4</c>.</param>
/// <param name="Size">Bytes, or null.</param>
/// <param name="Used">Bytes, or null.</param>
public sealed record GuestMount(string Device, string MountPoint, string Type, long? Size, long? Used);

/// <summary>A disk of a guest, or a part of one.</summary>
/// <param name="Name">Such as <c>/dev/vda</c>.</param>
/// <param name="IsPartition">Whether it is a part.</param>
public sealed record GuestDisk(string Name, bool IsPartition);

/// <summary>Somebody who is logged in to a guest.</summary>
/// <param name="Name">Of the user.</param>
/// <param name="LoginTime">When.</param>
public sealed record GuestLogin(string Name, DateTimeOffset? LoginTime);

/// <summary>How a file is copied to a guest, or from it.</summary>
public sealed record GuestCopyOptions
{
    /// <summary>Whether a file that is there may be replaced; else that is <c>GuestFileExists</c> or <c>FileExists</c>.</summary>
    public bool Overwrite { get; init; }

    /// <summary>Permissions of the file in the guest, such as 0755 (octal); null for those of the file here.</summary>
    public int? Mode { get; init; }

    /// <summary>Hears of the bytes that were copied and of all of them, where that is known; may throw.</summary>
    public Action<long, long?>? Progress { get; init; }
}
