using System;
using System.Collections.Generic;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Strato.Client.Linux;

namespace Strato.Client.Guest;

/// <summary>Asks an agent about its guest.</summary>
internal static class GuestFacts
{
    /// <summary>Interfaces, file systems and the like that are taken; a guest with more of them is shown with these.</summary>
    private const int Most = 4096;

    internal static GuestDetails Read(AgentSession agent, Deadline limit)
    {
        // An agent that doesn't tell what it can do is asked for all of it.
        HashSet<string>? commands = null;
        GuestDetails info = new();
        if (Ask("guest-info") is { } about)
        {
            commands = new(StringComparer.Ordinal);
            foreach (JsonElement command in Items(about.Member("supported_commands")))
            {
                if (command.Text("name") is { } name && command.Flag("enabled"))
                {
                    commands.Add(name);
                }
            }

            List<string> sorted = [.. commands];
            sorted.Sort(StringComparer.Ordinal);
            info = info with { AgentVersion = about.Text("version"), Commands = sorted };
        }

        if (Ask("guest-get-host-name") is { } host)
        {
            info = info with { HostName = host.Text("host-name") };
        }

        if (Ask("guest-get-osinfo") is { } os)
        {
            info = info with
            {
                Os = os.Text("pretty-name") ?? os.Text("name"),
                OsId = os.Text("id"),
                OsVersion = os.Text("version-id"),
                KernelRelease = os.Text("kernel-release"),
                KernelVersion = os.Text("kernel-version"),
                Machine = os.Text("machine"),
            };
        }

        if (Ask("guest-get-timezone") is { } zone)
        {
            info = info with { TimeZone = zone.Text("zone"), TimeZoneOffset = zone.Number("offset") };
        }

        return info with
        {
            Interfaces = All("guest-network-get-interfaces", ToInterface),
            FileSystems = All("guest-get-fsinfo", ToFileSystem),
            Disks = All("guest-get-disks", static disk => new GuestDisk(disk.Text("name") ?? "", disk.Flag("partition"))),
            Users = All("guest-get-users", ToUser),
        };

        JsonElement? Ask(string command)
        {
            if (commands is not null && !commands.Contains(command))
            {
                return null;
            }

            try
            {
                return agent.Execute(command, null, limit);
            }
            catch (StratoException e) when (e.Id is "GuestAgentError" or "GuestCommandUnavailable")
            {
                // Some kinds of guests can't tell it.
                return null;
            }
        }

        List<T>? All<T>(string command, Func<JsonElement, T> read)
        {
            if (Ask(command) is not { ValueKind: JsonValueKind.Array } answer)
            {
                return null;
            }

            List<T> all = [];
            foreach (JsonElement item in Items(answer))
            {
                all.Add(read(item));
            }

            return all;
        }
    }

    /// <summary>Whether the guest has an address that isn't for itself or its link alone.</summary>
    internal static bool HasAddress(AgentSession agent, Deadline limit)
    {
        foreach (JsonElement item in Items(agent.Execute("guest-network-get-interfaces", null, limit)))
        {
            foreach (GuestAddress address in ToInterface(item).Addresses)
            {
                if (IsReachable(address.Address))
                {
                    return true;
                }
            }
        }

        return false;
    }

    /// <summary>Whether others can reach it: no loopback, and none of the link alone (169.254.0.0/16, fe80::/10).</summary>
    internal static bool IsReachable(string text) =>
        IPAddress.TryParse(text, out IPAddress? address) && !IPAddress.IsLoopback(address) && !address.IsIPv6LinkLocal
        && !(address.AddressFamily == AddressFamily.InterNetwork && address.GetAddressBytes() is [169, 254, ..])
        && !address.Equals(IPAddress.Any) && !address.Equals(IPAddress.IPv6Any);

    private static GuestInterface ToInterface(JsonElement item)
    {
        List<GuestAddress> addresses = [];
        foreach (JsonElement address in Items(item.Member("ip-addresses")))
        {
            if (address.Text("ip-address") is { } text)
            {
                addresses.Add(new GuestAddress(text, address.Small("prefix")));
            }
        }

        return new GuestInterface(item.Text("name") ?? "", item.Text("hardware-address"), addresses);
    }

    private static GuestMount ToFileSystem(JsonElement item) =>
        new(item.Text("name") ?? "", item.Text("mountpoint") ?? "", item.Text("type") ?? "", item.Number("total-bytes"), item.Number("used-bytes"));

    private static GuestLogin ToUser(JsonElement item)
    {
        // Seconds since 1970, with a fraction.
        DateTimeOffset? time = item.Member("login-time") is { ValueKind: JsonValueKind.Number } seconds && seconds.TryGetDouble(out double value) && value is >= 0 and < 253402300799
            ? DateTimeOffset.UnixEpoch.AddSeconds(value)
            : null;
        return new GuestLogin(item.Text("user") ?? "", time);
    }

    private static IEnumerable<JsonElement> Items(JsonElement? array)
    {
        int count = 0;
        if (array is not { ValueKind: JsonValueKind.Array } items)
        {
            yield break;
        }

        foreach (JsonElement item in items.EnumerateArray())
        {
            if (++count > Most)
            {
                yield break;
            }

            yield return item;
        }
    }
}
