using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Strato.Client.Store;

namespace Strato.Client.Switches;

/// <summary>The dnsmasq of a switch: it gives guests addresses and answers for their names; with NAT it passes other names on, too.</summary>
/// <remarks>
/// Its number is in a file that it writes itself before it goes into the background. The number alone could be another process's by now:
/// it counts when that process's command line names this very file, read behind a pidfd, which no other process can take over.
/// </remarks>
internal static class SwitchDhcp
{
    internal const string Program = "dnsmasq";
    internal const string Remedy = "apt install dnsmasq-base, or your distribution's package of dnsmasq.";

    /// <summary>Where programs for the administrator are; a user's PATH may lack them.</summary>
    internal static string Folders => $"{ProgramPath.Folders}:/usr/sbin:/sbin";

    /// <summary>How long an address is a guest's; it asks for more before that.</summary>
    internal static readonly TimeSpan LeaseTime = TimeSpan.FromHours(12);

    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(2);

    internal static bool IsWanted(SwitchDefinition definition) => definition is { Subnet: not null, NoDhcp: false };

    internal static string LeaseFile(SwitchDefinition definition) => Path.Combine(definition.Runtime, "leases");

    /// <summary>Starts it unless it runs; silent where it isn't installed. Error <c>SwitchDhcpFailed</c>.</summary>
    internal static void Start(SwitchDefinition definition, CancellationToken token)
    {
        if (Find(definition) is not null || ProgramPath.Find(Program, Folders) is not { } program)
        {
            return;
        }

        RuntimeFolder.Prepare(Path.GetDirectoryName(definition.Runtime)!, Path.GetFileName(definition.Runtime));
        string? problem;
        try
        {
            HostProgram.Outcome outcome = HostProgram.Run(program, Arguments(definition, Ipv4Subnet.Parse(definition.Subnet!)), -1, Deadline.After(StartLimit), token);
            problem = outcome.Status == 0 ? null : outcome.Problem;
        }
        catch (TimeoutException)
        {
            problem = $"it did not serve within {StartLimit.TotalSeconds} seconds and was ended";
        }

        if (problem is not null)
        {
            throw new StratoException(StratoErrorKind.Failed, "SwitchDhcpFailed", $"The switch '{definition.Name}' can't give addresses: '{Program}' can't serve: {problem}")
            {
                RecommendedAction = "Another server may have the ports 53 or 67 of all interfaces; let it listen on its own ones alone (dnsmasq: bind-interfaces), or make the switch with -NoDhcp.",
            };
        }
    }

    /// <summary>Ends it, and waits until it has.</summary>
    internal static void Stop(SwitchDefinition definition)
    {
        if (Open(definition) is not { } process)
        {
            return;
        }

        using (process.Handle)
        {
            using Waiter waiter = new(CancellationToken.None);
            _ = Libc.PidfdSendSignal(process.Handle.Value, Libc.SIGTERM);
            if (waiter.WaitReadable(Deadline.After(EndLimit), process.Handle.Value) < 0)
            {
                _ = Libc.PidfdSendSignal(process.Handle.Value, Libc.SIGKILL);
                _ = waiter.WaitReadable(Deadline.After(EndLimit), process.Handle.Value);
            }
        }
    }

    /// <summary>Its process id; null if it doesn't run.</summary>
    internal static int? Find(SwitchDefinition definition)
    {
        if (Open(definition) is not { } process)
        {
            return null;
        }

        process.Handle.Dispose();
        return process.Pid;
    }

    /// <summary>Removes what it left.</summary>
    internal static void Clean(SwitchDefinition definition)
    {
        if (!RuntimeFolder.IsSafe(definition.Runtime))
        {
            return;
        }

        AtomicFile.Remove(LeaseFile(definition));
        AtomicFile.Remove(PidFile(definition));
        _ = Libc.RemoveDirectory(definition.Runtime);
    }

    /// <summary>The addresses that were given out, by address. None where they can't be read.</summary>
    internal static List<SwitchLease> Leases(SwitchDefinition definition) =>
        IsWanted(definition) ? ParseLeases(Procfs.ReadText(LeaseFile(definition)) ?? "", DateTimeOffset.UtcNow) : [];

    /// <summary>Lines of dnsmasq's file: end in seconds of Unix time (0: never), MAC, address, name or *, client id.</summary>
    internal static List<SwitchLease> ParseLeases(string text, DateTimeOffset now)
    {
        List<SwitchLease> leases = [];
        foreach (string line in text.Split('\n'))
        {
            string[] fields = line.Split(' ');
            if (fields.Length < 4 || !long.TryParse(fields[0], NumberStyles.None, CultureInfo.InvariantCulture, out long end) || end > DateTimeOffset.MaxValue.ToUnixTimeSeconds())
            {
                continue;
            }

            DateTimeOffset expires = end == 0 ? DateTimeOffset.MaxValue : DateTimeOffset.FromUnixTimeSeconds(end);
            if (expires > now)
            {
                leases.Add(new(fields[2], fields[1].ToLowerInvariant(), fields[3] == "*" ? null : fields[3], expires));
            }
        }

        return [.. leases.OrderBy(lease => lease.IPAddress, StringComparer.Ordinal)];
    }

    internal static string[] Arguments(SwitchDefinition definition, Ipv4Subnet subnet)
    {
        // Without NAT no way out is told: neither a router nor who knows the names outside.
        string[] outside = definition.Nat ? [] : ["--no-resolv", "--dhcp-option=option:router"];
        return
        [
            "--conf-file=/dev/null",
            $"--pid-file={PidFile(definition)}",
            $"--dhcp-leasefile={LeaseFile(definition)}",
            $"--interface={definition.BridgeName}",
            "--except-interface=lo",
            "--bind-interfaces",
            "--no-hosts",
            string.Create(CultureInfo.InvariantCulture, $"--dhcp-range={subnet.FirstLease},{subnet.LastLease},{subnet.Netmask},{LeaseTime.TotalHours}h"),

            // It alone serves here, and fixed addresses have a half of their own: nobody need be asked before an address is given.
            "--dhcp-authoritative",
            "--no-ping",
            "--quiet-dhcp",
            .. outside,
        ];
    }

    private static string PidFile(SwitchDefinition definition) => Path.Combine(definition.Runtime, "dnsmasq.pid");

    private static (int Pid, FileDescriptor Handle)? Open(SwitchDefinition definition)
    {
        if (!int.TryParse((Procfs.ReadText(PidFile(definition)) ?? "").Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out int pid) || pid <= 1)
        {
            return null;
        }

        FileDescriptor handle = new(Libc.PidfdOpen(pid));
        if (!handle.IsInvalid
            && (Procfs.ReadText($"/proc/{pid}/cmdline") ?? "").Split('\0').Contains($"--pid-file={PidFile(definition)}", StringComparer.Ordinal)
            && Procfs.TryReadStat(pid) is { State: not ('Z' or 'X') })
        {
            return (pid, handle);
        }

        handle.Dispose();
        return null;
    }
}
