using System.Globalization;
using System.Net;

namespace Strato.Protocol.Configuration;

/// <summary>A port of the host that leads to one of the guest, written as QEMU does: <c>tcp:127.0.0.1:2222-:22</c>.</summary>
/// <param name="Udp">UDP instead of TCP.</param>
/// <param name="Address">The host's address on which it is; null for all.</param>
/// <param name="Port">The host's.</param>
/// <param name="GuestPort">The guest's.</param>
public sealed record PortForward(bool Udp, IPAddress? Address, int Port, int GuestPort)
{
    private const int LastPort = 65535;

    /// <param name="text">[tcp|udp]:[ADDRESS]:PORT-:PORT; an address of IPv6 stands in brackets.</param>
    /// <param name="where">Option or path, for the error.</param>
    /// <exception cref="UserErrorException">InvalidForward.</exception>
    public static PortForward Parse(string text, string where)
    {
        int first = text.IndexOf(':');
        int dash = text.LastIndexOf('-');
        int second = dash < 0 ? -1 : text.LastIndexOf(':', dash);
        if (first < 0 || second <= first || text[..first] is not ("" or "tcp" or "udp"))
        {
            throw Invalid(text, where, "isn't [tcp|udp]:[ADDRESS]:PORT-:PORT");
        }

        string host = text[(first + 1)..second];
        string inner = host.StartsWith('[') && host.EndsWith(']') ? host[1..^1] : host;
        IPAddress? address = null;
        if (host.Length > 0 && !(IPAddress.TryParse(inner, out address) && (address.ToString().IndexOf(':') >= 0) == (inner != host)))
        {
            throw Invalid(text, where, $"has '{ConfigurationLimits.Printable(host)}', which is no address of the host");
        }

        string guest = text[(dash + 1)..];
        if (!guest.StartsWith(':'))
        {
            throw Invalid(text, where, $"names an address of the guest; it is the guest's own, and '-:{guest[(guest.IndexOf(':') + 1)..]}' means that");
        }

        return new PortForward(text[..first] == "udp", address, Port(text[(second + 1)..dash]), Port(guest[1..]));

        int Port(string number) =>
            int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int port) && port is >= 1 and <= LastPort
                ? port
                : throw Invalid(text, where, $"has '{ConfigurationLimits.Printable(number)}', which is no port; allowed: 1 to {LastPort}");
    }

    /// <summary>A published port as container tools write it: <c>8080:80</c>, <c>127.0.0.1:8080:80</c>, <c>[::1]:53:53/udp</c>.</summary>
    /// <param name="text">[ADDRESS:]PORT:GUESTPORT[/tcp|/udp]; an address of IPv6 stands in brackets.</param>
    /// <param name="where">Option or path, for the error.</param>
    /// <exception cref="UserErrorException">InvalidPublish.</exception>
    public static PortForward ParsePublished(string text, string where)
    {
        int slash = text.LastIndexOf('/');
        string protocol = slash < 0 ? "tcp" : text[(slash + 1)..];
        string ports = slash < 0 ? text : text[..slash];
        int last = ports.LastIndexOf(':');
        int first = last <= 0 ? -1 : ports.LastIndexOf(':', last - 1);
        if (last < 0 || protocol is not ("tcp" or "udp"))
        {
            throw InvalidPublish(text, where);
        }

        try
        {
            return Parse($"{protocol}:{(first < 0 ? "" : ports[..first])}:{ports[(first + 1)..last]}-:{ports[(last + 1)..]}", where);
        }
        catch (UserErrorException)
        {
            // It would speak of a text that the user didn't write.
            throw InvalidPublish(text, where);
        }
    }

    /// <summary>As <see cref="ParsePublished"/> takes it.</summary>
    public string ToPublished() => $"{(Address is null ? "" : $"{Host}:")}{Port}:{GuestPort}{(Udp ? "/udp" : "")}";

    public override string ToString() => $"{(Udp ? "udp" : "tcp")}:{Host}:{Port}-:{GuestPort}";

    /// <summary>The address as it is written before a port.</summary>
    private string Host => Address?.ToString() is not { } address ? "" : address.IndexOf(':') >= 0 ? $"[{address}]" : address;

    private static UserErrorException InvalidPublish(string text, string where) =>
        new("InvalidPublish", $"'{ConfigurationLimits.Printable(text)}' isn't [ADDRESS:]PORT:GUESTPORT[/udp]; allowed are such as 8080:80, 127.0.0.1:8080:80 and 53:53/udp, with ports from 1 to {LastPort}.", where);

    private static UserErrorException Invalid(string text, string where, string problem) =>
        new("InvalidForward", $"'{ConfigurationLimits.Printable(text)}' {problem}; allowed is one such as tcp:127.0.0.1:2222-:22.", where);
}
