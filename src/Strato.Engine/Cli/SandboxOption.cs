using System.Collections.Generic;
using System.Globalization;
using Strato.Engine.Linux;
using Strato.Engine.Security;
using Strato.Protocol;
using Strato.Protocol.CommandLine;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary><c>-sandbox</c>: the engine shuts itself in before the guest runs.</summary>
internal static class SandboxOption
{
    public const string Name = "-sandbox";

    public const string Usage = "on|off[,user=USER[:GROUP]][,namespaces=on|off]";

    public const string Help =
        """
        Shut the engine in before the guest runs (off): no files, no network, no capabilities, none to be had, and a
                user that nobody else is, or the one given. What is added later comes by descriptors. Who isn't root needs
                user namespaces and unshare(1). namespaces=off leaves the network, IPC and host name as they are.
        """;

    public static void Apply(Options options, string value)
    {
        SubOptions parts = new(Name, value, "enabled");
        bool on = parts.TakeOneOf("enabled", "on", "off") == "on";
        string? user = parts.Take("user");
        bool namespaces = parts.TakeBoolean("namespaces") ?? true;
        parts.End();
        if (!on)
        {
            options.Sandbox = null;
            return;
        }

        options.Sandbox = new SandboxPlan(null, 0, namespaces);
        if (user is not null)
        {
            (uint id, uint group) = ParseUser(parts, user);
            options.Sandbox = new SandboxPlan(id, group, namespaces);
        }
    }

    /// <summary>Starts the engine again where only that can shut it in; else returns.</summary>
    public static void PrepareProcess(Options options, string[] args)
    {
        if (options.Sandbox is not { } plan || !UserNamespace.IsNeeded)
        {
            return;
        }

        if (plan.User is { } user)
        {
            throw new UserErrorException("SandboxRefused", $"Only root can give the engine a user of its own ({user}); leave 'user' out.", $"{Name} user");
        }

        UserNamespace.Enter(args);
    }

    /// <summary>Closes what was left open and no option names.</summary>
    /// <param name="options">All of them.</param>
    /// <param name="ready">The readiness pipe's descriptor.</param>
    public static void CloseOthers(Options options, int? ready)
    {
        HashSet<int> named = FileSetOption.Named(options);
        if (ready is { } pipe)
        {
            named.Add(pipe);
        }

        InheritedDescriptors.CloseOthers(named);
    }

    private static (uint User, uint Group) ParseUser(SubOptions parts, string value)
    {
        string[] names = value.Split(':');
        if (names.Length > 2)
        {
            throw parts.Invalid($"'user={ConfigurationLimits.Printable(value)}' is no user; allowed are USER and USER:GROUP.", "user");
        }

        uint user, group;
        if (!uint.TryParse(names[0], NumberStyles.None, CultureInfo.InvariantCulture, out user))
        {
            if (!Accounts.TryFind(names[0], out user, out group))
            {
                throw parts.Invalid($"/etc/passwd has no user '{ConfigurationLimits.Printable(names[0])}'; allowed are the name of a user there, and a number.", "user");
            }
        }
        else
        {
            group = user;
        }

        if (names.Length == 2 && !uint.TryParse(names[1], NumberStyles.None, CultureInfo.InvariantCulture, out group))
        {
            throw parts.Invalid($"'{ConfigurationLimits.Printable(names[1])}' is no group; allowed is a group's number.", "user");
        }

        // The last number means "as it is" to the calls that set one.
        return user is not (0 or uint.MaxValue) && group != uint.MaxValue
            ? (user, group)
            : throw parts.Invalid($"'user={ConfigurationLimits.Printable(value)}' can't be a sandbox's; allowed are users from 1 to {uint.MaxValue - 1}, which root isn't.", "user");
    }
}
