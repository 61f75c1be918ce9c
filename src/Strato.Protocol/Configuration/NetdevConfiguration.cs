using System.Collections.Generic;

namespace Strato.Protocol.Configuration;

/// <summary>The host's side of a network interface.</summary>
public sealed class NetdevConfiguration
{
    /// <summary>Queue pairs of a tap.</summary>
    public const int MaxQueues = 16;

    private const int FirstDescriptor = 3;

    /// <summary>The user's name of it; empty when it has none.</summary>
    public string Id { get; init; } = "";

    public NetdevKind Kind { get; init; }

    /// <summary>Of a tap: name of the host's interface; null when <see cref="Descriptors"/> are given.</summary>
    public string? Interface { get; init; }

    /// <summary>Numbers of open descriptors, one for each queue of a tap, or one of the connected socket; empty when <see cref="Interface"/> or <see cref="SocketPath"/> is given.</summary>
    public IReadOnlyList<long> Descriptors { get; init; } = [];

    /// <summary>Of a tap: its queue pairs, as many as descriptors where those are given.</summary>
    public long Queues { get; init; } = 1;

    /// <summary>Of a tap: program that is run with the interface's name before the machine starts; null for none.</summary>
    public string? Script { get; init; }

    /// <summary>Of a tap: program that is run with the interface's name when the machine has ended; null for none.</summary>
    public string? DownScript { get; init; }

    /// <summary>Of a tap: bytes that may be under way to the host; 0 for no limit, null for what the tap has.</summary>
    public long? SendBuffer { get; init; }

    /// <summary>Of a tap: whether the kernel moves the frames.</summary>
    public bool Vhost { get; init; }

    /// <summary>Of a tap: numbers of open descriptors of /dev/vhost-net, one for each queue pair; empty to open it.</summary>
    public IReadOnlyList<long> VhostDescriptors { get; init; } = [];

    /// <summary>Of a stream: the unix socket to connect to.</summary>
    public string? SocketPath { get; init; }

    /// <summary>Of user networking: the host's ports that lead to the guest.</summary>
    public IReadOnlyList<PortForward> Forwards { get; init; } = [];

    /// <summary>Option or path that named the interface, for errors.</summary>
    public string Where { get; init; } = "";

    /// <summary>What it is, for messages.</summary>
    public string Label => Kind == NetdevKind.User ? "user" : Interface ?? SocketPath ?? $"descriptor {string.Join(':', Descriptors)}";

    /// <exception cref="UserErrorException">InvalidOption: no end of a tap or socket, or two, or what doesn't go together; OutOfRange.</exception>
    public void Check()
    {
        if (Kind != NetdevKind.User)
        {
            CheckEnd();
        }

        DeviceLimits.CheckRange(Queues, 1, MaxQueues, WhereIs("queues"));
        DeviceLimits.CheckRange(SendBuffer ?? 0, 0, int.MaxValue, WhereIs("sndbuf"));
        CheckDescriptors(Descriptors, Where);
        CheckDescriptors(VhostDescriptors, WhereIs("vhostfd"));
        if (VhostDescriptors.Count > 0 && VhostDescriptors.Count != Queues)
        {
            throw new UserErrorException("InvalidOption", $"{VhostDescriptors.Count} descriptors of /dev/vhost-net are given for {Queues} queue pairs; each has one.", WhereIs("vhostfd"));
        }

        CheckScript(Script, "script");
        CheckScript(DownScript, "downscript");
    }

    private void CheckEnd()
    {
        string? name = Kind == NetdevKind.Tap ? Interface : SocketPath;
        (string key, string fd, string what) = Kind == NetdevKind.Tap ? ("ifname", "fd", "a tap") : ("addr.path", "addr.str", "a stream");
        if ((name is null) == (Descriptors.Count == 0))
        {
            string given = name is null ? $"Neither '{key}' nor '{fd}' of {what} is given" : $"'{key}' and '{fd}' of {what} are both given";
            throw new UserErrorException("InvalidOption", $"{given}; give one.", Where);
        }
    }

    private void CheckScript(string? path, string key)
    {
        if (path is null)
        {
            return;
        }

        if (Interface is null)
        {
            throw new UserErrorException("InvalidOption", $"'{key}' is given with a descriptor, whose tap is made already; it goes with 'ifname'.", WhereIs(key));
        }

        ConfigurationLimits.CheckPath(path, key, WhereIs(key));
    }

    private static void CheckDescriptors(IReadOnlyList<long> descriptors, string where)
    {
        foreach (long descriptor in descriptors)
        {
            // 0 to 2 are the engine's own.
            DeviceLimits.CheckRange(descriptor, FirstDescriptor, int.MaxValue, where);
        }
    }

    private string WhereIs(string key) => Where.StartsWith('-') ? $"-netdev {key}" : Where;
}
