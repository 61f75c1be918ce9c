using System.Net;
using System.Text.RegularExpressions;
using Xunit;

namespace Strato.Tests.Guest.Harness;

/// <summary>The host's default route, after which passt models the guest's network; a host that has none gets one that leads nowhere.</summary>
/// <param name="Address">The host's address.</param>
/// <param name="Prefix">Bits of its network.</param>
/// <param name="Gateway">The gateway, as which the guest sees the host itself.</param>
internal sealed record WayOut(IPAddress Address, int Prefix, IPAddress Gateway)
{
    public static WayOut Find()
    {
        if (Command.Check("ip", "-4", "route", "show", "default").Trim().Length == 0)
        {
            Command.Check("ip", "link", "add", "stratodummy", "type", "dummy");
            Command.Check("ip", "addr", "add", "198.18.78.1/24", "dev", "stratodummy");
            Command.Check("ip", "link", "set", "stratodummy", "up");
            Command.Check("ip", "route", "add", "default", "via", "198.18.78.2", "dev", "stratodummy");
        }

        Match route = Regex.Match(Command.Check("ip", "-4", "route", "show", "default"), @"via (\S+) dev (\S+)");
        Assert.True(route.Success, "a default route without a gateway");
        Match address = Regex.Match(Command.Check("ip", "-4", "addr", "show", "dev", route.Groups[2].Value), @"inet ([\d.]+)/(\d+)");
        return new WayOut(IPAddress.Parse(address.Groups[1].Value), int.Parse(address.Groups[2].ValueSpan, null), IPAddress.Parse(route.Groups[1].Value));
    }
}
