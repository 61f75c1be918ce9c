using System;
using System.IO;
using System.Linq;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Runtime;

namespace Strato.Client.Switches;

/// <summary>The way out of a switch's guests, or that there is none: a table of nftables of its own, and the host's forwarding.</summary>
internal static class SwitchNat
{
    internal const string Program = "nft";
    internal const string Remedy = "apt install nftables, or your distribution's package of that name.";

    private const string Forwarding = "/proc/sys/net/ipv4/ip_forward";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>The program; error <c>NftNotFound</c>.</summary>
    internal static string Find(string switchName) => ProgramPath.Find(Program, SwitchDhcp.Folders) ?? throw new StratoException(
        StratoErrorKind.Unavailable, "NftNotFound", $"The switch '{switchName}' needs the program '{Program}' for -Nat, which isn't installed.")
    {
        Where = "-Nat",
        RecommendedAction = Remedy,
    };

    /// <summary>Puts the table there as it is to be, whatever was there, in one transaction. Errors <c>NftNotFound</c>, <c>SwitchNatFailed</c>.</summary>
    internal static void Apply(SwitchDefinition definition, CancellationToken token) => Run(definition, Rules(definition, Ipv4Subnet.Parse(definition.Subnet!)), Limit, token);

    /// <summary>Shuts a switch without NAT off from the host's other networks: a host that forwards for one switch forwards for all.</summary>
    /// <returns>Why it can't be, a sentence; null if it is.</returns>
    internal static string? TryShutOff(SwitchDefinition definition, CancellationToken token)
    {
        if (ProgramPath.Find(Program, SwitchDhcp.Folders) is null)
        {
            return $"'{Program}' isn't installed ({Remedy})";
        }

        try
        {
            Run(definition, ShutRules(definition), Limit, token);
            return null;
        }
        catch (StratoException e) when (e.Id == "SwitchNatFailed")
        {
            return e.Message[(e.Message.IndexOf(": ", StringComparison.Ordinal) + 2)..];
        }
    }

    internal static string ShutRules(SwitchDefinition definition) =>
        $$"""
        add table ip {{Table(definition)}}
        delete table ip {{Table(definition)}}
        table ip {{Table(definition)}} {
            chain forward {
                type filter hook forward priority filter; policy accept;
                iifname "{{definition.BridgeName}}" oifname "{{definition.BridgeName}}" accept
                iifname "{{definition.BridgeName}}" drop
                oifname "{{definition.BridgeName}}" drop
            }
        }

        """;

    /// <summary>Removes the table; silent where there is none, or no nft.</summary>
    /// <param name="definition">The switch.</param>
    /// <param name="limit">What nft may take; null for as long as it usually may.</param>
    internal static void Remove(SwitchDefinition definition, TimeSpan? limit = null)
    {
        if (ProgramPath.Find(Program, SwitchDhcp.Folders) is not null)
        {
            // A table that isn't there can't be deleted: it is made first.
            Run(definition, $"add table ip {Table(definition)}\ndelete table ip {Table(definition)}\n", limit ?? Limit, CancellationToken.None);
        }
    }

    /// <summary>As <see cref="Remove"/>, of a switch that may have been made without one since it couldn't be: what can't be told of there can't be removed either.</summary>
    /// <param name="definition">The switch.</param>
    /// <param name="limit">As of <see cref="Remove"/>.</param>
    internal static void TryRemove(SwitchDefinition definition, TimeSpan? limit)
    {
        try
        {
            Remove(definition, limit);
        }
        catch (StratoException e) when (e.Id == "SwitchNatFailed")
        {
        }
    }

    /// <summary>Lets the host forward. True if it did not before. Error <c>SwitchNatFailed</c>.</summary>
    internal static bool Forward(SwitchDefinition definition)
    {
        if (Procfs.ReadText(Forwarding)?.Trim() == "1")
        {
            return false;
        }

        try
        {
            File.WriteAllText(Forwarding, "1");
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failed(definition, $"{Forwarding} can't be set: {e.Message}");
        }
    }

    internal static string Rules(SwitchDefinition definition, Ipv4Subnet subnet) =>
        $$"""
        add table ip {{Table(definition)}}
        delete table ip {{Table(definition)}}
        table ip {{Table(definition)}} {
            chain postrouting {
                type nat hook postrouting priority srcnat; policy accept;
                ip saddr {{subnet}} ip daddr != {{subnet}} masquerade
            }
            chain forward {
                type filter hook forward priority filter; policy accept;
                iifname "{{definition.BridgeName}}" oifname "{{definition.BridgeName}}" accept
                oifname "{{definition.BridgeName}}" ct state established,related accept
                oifname "{{definition.BridgeName}}" ct status dnat accept
                oifname "{{definition.BridgeName}}" drop
            }
        }

        """;

    private static string Table(SwitchDefinition definition) => $"strato_{definition.Id}";

    private static void Run(SwitchDefinition definition, string rules, TimeSpan limit, CancellationToken token)
    {
        HostProgram.Outcome outcome;
        try
        {
            outcome = HostProgram.Run(Find(definition.Name), ["--", rules], -1, Deadline.After(limit), token);
        }
        catch (TimeoutException)
        {
            throw Failed(definition, $"'{Program}' did not end within {limit.TotalSeconds} seconds and was ended.");
        }

        if (outcome.Status != 0)
        {
            // Below the line that says what is wrong it shows where.
            throw Failed(definition, $"'{Program}' failed: {outcome.Lines.FirstOrDefault(line => line.Contains("rror", StringComparison.Ordinal)) ?? outcome.Problem}");
        }
    }

    private static StratoException Failed(SwitchDefinition definition, string problem) =>
        new(StratoErrorKind.Failed, "SwitchNatFailed", $"The switch '{definition.Name}' can't have NAT: {problem}") { RecommendedAction = "Make the switch without -Nat, or see that the kernel has nftables with masquerading (nft_masq)." };
}
