using System.Collections.Generic;
using System.Text.Json;
using Strato.Protocol.Configuration;

namespace Strato.Client;

/// <summary>One network interface of a VM.</summary>
public sealed record NetworkAdapterDefinition
{
    /// <summary>Unique within the VM: <c>net0</c>, <c>net1</c> unless the user chose another.</summary>
    public required string Id { get; init; }

    /// <summary>Where it leads, and how it is served.</summary>
    public NetworkAdapterSettings Settings { get; init; } = new();

    /// <summary>Fields that a newer version wrote; kept as they are.</summary>
    internal IReadOnlyList<KeyValuePair<string, JsonElement>> Extra { get; init; } = [];
}

/// <summary>What a user gives to make or change a network interface. Null means the engine's default; in a change, what was before.</summary>
public sealed record NetworkAdapterSettings
{
    /// <summary>Interface of the host, a tap; null for a switch and for user networking by passt.</summary>
    public string? TapName { get; init; }

    /// <summary>Switch that it is on, by a tap of its own; null for a tap that is there and for user networking.</summary>
    public string? SwitchName { get; init; }

    /// <summary>User networking by passt; in a change, away from a tap.</summary>
    public bool? User { get; init; }

    /// <summary>The guest's address; default one that follows from the VM's name. Empty goes back to that.</summary>
    public string? MacAddress { get; init; }

    /// <summary>Queue pairs of a tap, 1 to 16.</summary>
    public int? QueueCount { get; init; }

    /// <summary>Whether the kernel moves a tap's frames (vhost-net).</summary>
    public bool? Vhost { get; init; }

    /// <summary>Name of the thread that serves it, shared with drives of that name. Empty for the main thread.</summary>
    public string? IoThread { get; init; }

    /// <summary>Whether the guest finds a cable in it, as by default.</summary>
    public bool? Connected { get; init; }

    /// <summary>Of user networking: ports of the host that lead to the guest, such as <c>tcp:127.0.0.1:2222-:22</c>.</summary>
    public IReadOnlyList<string>? PortForward { get; init; }

    /// <summary>Whether it is user networking, and no tap.</summary>
    internal bool LeadsToUser => TapName is null && SwitchName is null;

    /// <summary>This, with what <paramref name="change"/> gives in its place; what belongs to the other kind goes with a change of kind.</summary>
    internal NetworkAdapterSettings With(NetworkAdapterSettings change)
    {
        bool moves = change.TapName is not null || change.SwitchName is not null || change.User == true;
        bool toUser = change.User == true && !LeadsToUser;
        bool fromUser = moves && change.User != true && LeadsToUser;
        return new()
        {
            TapName = moves ? change.TapName : TapName,
            SwitchName = moves ? change.SwitchName : SwitchName,
            User = moves ? change.User : change.User ?? User,
            MacAddress = change.MacAddress ?? MacAddress,
            QueueCount = change.QueueCount ?? (toUser ? null : QueueCount),
            Vhost = change.Vhost ?? (toUser ? null : Vhost),
            IoThread = change.IoThread ?? IoThread,
            Connected = change.Connected ?? Connected,
            PortForward = change.PortForward ?? (fromUser ? null : PortForward),
        };
    }

    /// <summary>The engine's own form, which knows the rules.</summary>
    /// <exception cref="Strato.Protocol.UserErrorException">InvalidForward.</exception>
    internal NetConfiguration ToConfiguration(string id)
    {
        List<PortForward> forwards = [];
        foreach (string text in PortForward ?? [])
        {
            forwards.Add(Protocol.Configuration.PortForward.Parse(text, "-PortForward"));
        }

        return new()
        {
            Id = id,
            Mac = string.IsNullOrEmpty(MacAddress) ? null : MacAddress,
            Netdev = new()
            {
                Kind = LeadsToUser ? NetdevKind.User : NetdevKind.Tap,

                // The tap of a switch has a name that needs no check.
                Interface = TapName ?? (SwitchName is null ? null : "tap"),
                Queues = QueueCount ?? 1,
                Vhost = Vhost ?? false,
                Forwards = forwards,
                Where = "-TapName",
            },
        };
    }
}
