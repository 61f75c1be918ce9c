using System.Collections.Generic;
using System.Numerics;

namespace Strato.Engine.Virtio;

/// <summary>Names of feature bits (VIRTIO 1.2, 5 and 6; <c>linux/virtio_*.h</c>), for messages.</summary>
internal static class FeatureNames
{
    private const string Network =
        "0:CSUM 1:GUEST_CSUM 2:CTRL_GUEST_OFFLOADS 3:MTU 5:MAC 7:GUEST_TSO4 8:GUEST_TSO6 9:GUEST_ECN 10:GUEST_UFO 11:HOST_TSO4 12:HOST_TSO6 13:HOST_ECN 14:HOST_UFO"
        + " 15:MRG_RXBUF 16:STATUS 17:CTRL_VQ 18:CTRL_RX 19:CTRL_VLAN 21:GUEST_ANNOUNCE 22:MQ 23:CTRL_MAC_ADDR";

    private const string Block = "1:SIZE_MAX 2:SEG_MAX 4:GEOMETRY 5:RO 6:BLK_SIZE 9:FLUSH 10:TOPOLOGY 11:CONFIG_WCE 12:MQ 13:DISCARD 14:WRITE_ZEROES";
    private const string Console = "0:SIZE 1:MULTIPORT 2:EMERG_WRITE";
    private const string Balloon = "0:MUST_TELL_HOST 1:STATS_VQ 2:DEFLATE_ON_OOM 3:FREE_PAGE_HINT 4:PAGE_POISON 5:REPORTING";
    private const string Common = "24:NOTIFY_ON_EMPTY 27:ANY_LAYOUT 28:INDIRECT_DESC 29:EVENT_IDX 32:VERSION_1 33:ACCESS_PLATFORM 34:RING_PACKED 35:IN_ORDER";

    /// <summary>The names of some bits, with commas between; one without a name is called by its number.</summary>
    /// <param name="type">A <see cref="VirtioType"/>.</param>
    /// <param name="features">The bits.</param>
    public static string Of(uint type, ulong features)
    {
        string own = type switch
        {
            VirtioType.Network => Network,
            VirtioType.Block => Block,
            VirtioType.Console => Console,
            VirtioType.Balloon => Balloon,
            _ => "",
        };
        List<string> names = [];
        for (; features != 0; features &= features - 1)
        {
            string number = BitOperations.TrailingZeroCount(features).ToString(System.Globalization.CultureInfo.InvariantCulture);
            names.Add(Find(own, number) ?? Find(Common, number) ?? $"bit {number}");
        }

        return string.Join(", ", names);
    }

    private static string? Find(string table, string number)
    {
        foreach (string entry in table.Split(' '))
        {
            if (entry.StartsWith(number + ":", System.StringComparison.Ordinal))
            {
                return entry[(number.Length + 1)..];
            }
        }

        return null;
    }
}
