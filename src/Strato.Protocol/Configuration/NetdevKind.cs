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
