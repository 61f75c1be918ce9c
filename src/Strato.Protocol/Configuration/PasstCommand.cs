using System.Collections.Generic;

namespace Strato.Protocol.Configuration;

/// <summary>How passt is started for a guest: by the engine, or by the client where the engine may start no program any more.</summary>
public static class PasstCommand
{
    /// <summary>The program, looked for on PATH.</summary>
    public const string Program = "passt";

    /// <summary>As passt asks for on a socket that it made itself, in bytes: frames that find no room are lost.</summary>
    public const int BufferBytes = int.MaxValue / 2;

    /// <summary>All of argv.</summary>
    /// <param name="forwards">The host's ports that lead to the guest.</param>
    /// <param name="descriptor">Where passt finds its end of a socket pair.</param>
    public static string[] Arguments(IReadOnlyList<PortForward> forwards, int descriptor)
    {
        List<string> arguments = [Program, "--quiet", "--fd", $"{descriptor}"];
        foreach (PortForward forward in forwards)
        {
            string address = forward.Address is null ? "" : $"{forward.Address}/";
            arguments.AddRange([forward.Udp ? "--udp-ports" : "--tcp-ports", $"{address}{forward.Port}:{forward.GuestPort}"]);
        }

        foreach ((bool udp, string option) in ((bool, string)[])[(false, "--tcp-ports"), (true, "--udp-ports")])
        {
            // Else it gives UDP the ports of TCP.
            if (!Contains(forwards, udp))
            {
                arguments.AddRange([option, "none"]);
            }
        }

        return [.. arguments];
    }

    private static bool Contains(IReadOnlyList<PortForward> forwards, bool udp)
    {
        foreach (PortForward forward in forwards)
        {
            if (forward.Udp == udp)
            {
                return true;
            }
        }

        return false;
    }
}
