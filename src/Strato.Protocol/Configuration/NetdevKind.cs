namespace Strato.Protocol.Configuration;

/// <summary>What the host's side of a network interface is.</summary>
public enum NetdevKind
{
    /// <summary>An interface of the host.</summary>
    Tap,

    /// <summary>The host's own sockets, by passt: needs no rights.</summary>
    User,

    /// <summary>A socket that another program serves.</summary>
    Stream,
}

/// <summary>How the command line and QMP write netdevs.</summary>
public static class NetdevNames
{
    /// <summary>Of <see cref="NetdevKind"/>, by its numbers.</summary>
    public static readonly string[] Kinds = ["tap", "user", "stream"];
}
