using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary>What a <c>-chardev</c> describes.</summary>
/// <param name="Backend">Where it leads.</param>
/// <param name="NoPort">Why it can't be a port's: a socket that doesn't say that it listens. Null when it can.</param>
internal sealed record Chardev(SerialConfiguration Backend, UserErrorException? NoPort = null)
{
    /// <summary>For a port, whose socket listens.</summary>
    /// <exception cref="UserErrorException">InvalidOption.</exception>
    public SerialConfiguration ForPort() => NoPort is null ? Backend : throw NoPort;

    /// <summary>For a device that another program serves: the path of its socket, whoever is said to listen.</summary>
    /// <remarks>StratoVirt's examples write <c>server,nowait</c> here, where the device is the one that connects.</remarks>
    /// <param name="id">The id by which it was referred to.</param>
    /// <param name="where">Where it was, for the error.</param>
    /// <exception cref="UserErrorException">InvalidOption: no socket.</exception>
    public string ForClient(string id, string where) => Backend is { Backend: SerialBackend.Unix, Path: { } path }
        ? path
        : throw new UserErrorException("InvalidOption", $"The character device '{ConfigurationLimits.Printable(id)}' is no socket; allowed: -chardev socket,id=ID,path=PATH.", where);
}
