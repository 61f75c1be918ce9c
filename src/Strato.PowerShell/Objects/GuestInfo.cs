using System;
using System.Globalization;
using System.Linq;
using Strato.Client;
using Strato.PowerShell;

namespace Strato;

/// <summary>What a VM's guest is, as its agent told at one moment; what the agent doesn't tell is null.</summary>
public sealed class GuestInfo
{
    internal GuestInfo(VmTarget vm, GuestDetails info)
    {
        VMName = vm.Name;
        VMId = vm.Id;
        HostName = info.HostName;
        Os = info.Os;
        OsId = info.OsId;
        OsVersion = info.OsVersion;
        KernelRelease = info.KernelRelease;
        KernelVersion = info.KernelVersion;
        Machine = info.Machine;
        TimeZone = info.TimeZone;
        TimeZoneOffset = info.TimeZoneOffset;
        AgentVersion = info.AgentVersion;
        AgentCommands = [.. info.Commands];
        Addresses = info.Interfaces?.SelectMany(item => item.Addresses).Select(item => item.Address).Where(StratoClient.IsReachable).ToArray();
        NetworkInterfaces = info.Interfaces?.Select(item => new GuestNetworkInterface(item)).ToArray();
        FileSystems = info.FileSystems?.Select(item => new GuestFileSystem(item)).ToArray();
        Disks = info.Disks?.Where(item => !item.IsPartition).Select(item => item.Name).ToArray();
        Users = info.Users?.Select(item => new GuestUser(item)).ToArray();
    }

    /// <summary>Name of the VM.</summary>
    public string VMName { get; }

    /// <summary>Id of that VM.</summary>
    public string VMId { get; }

    /// <summary>What the guest calls itself.</summary>
    public string? HostName { get; }

    /// <summary>Such as Debian GNU/Linux 12 (bookworm).</summary>
    public string? Os { get; }

    /// <summary>Such as debian.</summary>
    public string? OsId { get; }

    /// <summary>Such as 12.</summary>
    public string? OsVersion { get; }

    /// <summary>Release of the kernel.</summary>
    public string? KernelRelease { get; }

    /// <summary>Version of the kernel, as uname -v prints it.</summary>
    public string? KernelVersion { get; }

    /// <summary>Such as x86_64.</summary>
    public string? Machine { get; }

    /// <summary>Addresses that others can reach: none of loopback or of a link alone.</summary>
    public string[]? Addresses { get; }

    /// <summary>All interfaces with all addresses.</summary>
    public GuestNetworkInterface[]? NetworkInterfaces { get; }

    /// <summary>Disks, without their partitions.</summary>
    public string[]? Disks { get; }

    /// <summary>File systems on disks that are mounted.</summary>
    public GuestFileSystem[]? FileSystems { get; }

    /// <summary>Who is logged in.</summary>
    public GuestUser[]? Users { get; }

    /// <summary>Name of the time zone.</summary>
    public string? TimeZone { get; }

    /// <summary>Seconds east of UTC.</summary>
    public long? TimeZoneOffset { get; }

    /// <summary>Version of the agent.</summary>
    public string? AgentVersion { get; }

    /// <summary>Commands that the agent does.</summary>
    public string[] AgentCommands { get; }

    public override string ToString() => HostName ?? VMName;
}

/// <summary>A network interface of a guest.</summary>
public sealed class GuestNetworkInterface
{
    internal GuestNetworkInterface(GuestInterface info)
    {
        Name = info.Name;
        MacAddress = info.MacAddress;
        Addresses = [.. info.Addresses.Select(item => item.Prefix is { } prefix ? string.Create(CultureInfo.InvariantCulture, $"{item.Address}/{prefix}") : item.Address)];
    }

    /// <summary>Such as eth0.</summary>
    public string Name { get; }

    /// <summary>Null where it has none.</summary>
    public string? MacAddress { get; }

    /// <summary>Each with the length of its network's part, such as 10.0.2.15/24.</summary>
    public string[] Addresses { get; }

    public override string ToString() => Name;
}

/// <summary>A file system that a guest has mounted.</summary>
public sealed class GuestFileSystem
{
    internal GuestFileSystem(GuestMount info)
    {
        MountPoint = info.MountPoint;
        Device = info.Device;
        Type = info.Type;
        Size = info.Size;
        Used = info.Used;
    }

    /// <summary>Where it is mounted.</summary>
    public string MountPoint { get; }

    /// <summary>Such as vda1.</summary>
    public string Device { get; }

    /// <summary>Such as ext4.</summary>
    public string Type { get; }

    /// <summary>Bytes, or null.</summary>
    public long? Size { get; }

    /// <summary>Bytes, or null.</summary>
    public long? Used { get; }

    public override string ToString() => MountPoint;
}

/// <summary>Somebody who is logged in to a guest.</summary>
public sealed class GuestUser
{
    internal GuestUser(GuestLogin info)
    {
        Name = info.Name;
        LoginTime = info.LoginTime?.LocalDateTime;
    }

    /// <summary>Name of the user.</summary>
    public string Name { get; }

    /// <summary>When, in this host's time; null where it isn't known.</summary>
    public DateTime? LoginTime { get; }

    public override string ToString() => Name;
}
