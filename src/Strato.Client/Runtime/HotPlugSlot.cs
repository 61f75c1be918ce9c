using System.Collections.Generic;
using System.Text.Json;
using System.Threading;

namespace Strato.Client.Runtime;

/// <summary>One of a running VM's places for disks and network interfaces, as its engine tells (<c>query-hotplug-slots</c>).</summary>
/// <param name="Driver">That of the devices which fit.</param>
/// <param name="Address">Which of its kind.</param>
/// <param name="Device">Id of the device in it; null when it is empty.</param>
/// <param name="Backend">Id of that device's drive or netdev.</param>
/// <param name="IsSeen">Whether the guest has looked at what is in it now.</param>
/// <param name="NeedsReset">Whether the guest's driver looks at nothing any more.</param>
internal readonly record struct HotPlugSlot(string Driver, string Address, string? Device, string? Backend, bool IsSeen, bool NeedsReset)
{
    /// <summary>All, disks' first, in the order in which the guest sees them.</summary>
    internal static List<HotPlugSlot> Query(QmpConnection qmp, CancellationToken token)
    {
        List<HotPlugSlot> slots = [];
        foreach (JsonElement slot in qmp.Execute("query-hotplug-slots", token: token).EnumerateArray())
        {
            slots.Add(new HotPlugSlot(
                slot.GetProperty("driver").GetString()!,
                slot.GetProperty("addr").GetString()!,
                Text(slot, "device"),
                Text(slot, "node-name") ?? Text(slot, "netdev"),
                slot.GetProperty("seen").GetBoolean(),
                slot.GetProperty("needs-reset").GetBoolean()));
        }

        return slots;
    }

    private static string? Text(JsonElement slot, string name) => slot.TryGetProperty(name, out JsonElement value) ? value.GetString() : null;
}
