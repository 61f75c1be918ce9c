using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Threading;
using Xunit;

namespace Strato.Tests.Guest.Harness;

/// <summary>Disks of a running guest, by QMP.</summary>
internal static class HotPlugging
{
    /// <param name="guest">The guest.</param>
    /// <param name="id">Of the node and the device.</param>
    /// <param name="address">Which slot; 0x1 is vdb.</param>
    /// <param name="image">The disk's file.</param>
    /// <param name="aio">How it is served.</param>
    /// <param name="direct">Whether past the page cache.</param>
    /// <param name="ioThread">By whom; null for the main loop.</param>
    public static void Plug(DebianGuest guest, string id, string address, string image, string aio = "threads", bool direct = false, string? ioThread = null)
    {
        guest.Qmp.Call(
            "blockdev-add",
            new JsonObject
            {
                ["node-name"] = id,
                ["file"] = new JsonObject { ["driver"] = "file", ["filename"] = image, ["aio"] = aio },
                ["cache"] = new JsonObject { ["direct"] = direct },
                ["read-only"] = false,
            });
        JsonObject device = new() { ["id"] = id, ["driver"] = "virtio-blk-mmio", ["addr"] = address };
        if (ioThread is not null)
        {
            device["iothread"] = ioThread;
        }

        guest.Qmp.Call("device_add", device);
    }

    /// <summary>Takes a disk or network interface out.</summary>
    public static void Unplug(DebianGuest guest, string id)
    {
        guest.Qmp.Call("device_del", new JsonObject { ["id"] = id });
        Assert.Equal(id, (string?)guest.Qmp.WaitEvent("DEVICE_DELETED")["data"]!["device"]);
    }

    /// <summary>Waits until the guest knows a disk's size.</summary>
    public static void WaitSize(DebianGuest guest, string disk, string sectors) =>
        guest.Check($"until [ $(cat /sys/block/{disk}/size) = {sectors} ]; do usleep 10000; done");

    /// <summary>Waits until the guest's driver has looked at a disk's slot.</summary>
    public static void WaitSeen(DebianGuest guest, int slot)
    {
        long start = Stopwatch.GetTimestamp();
        while (!(bool)guest.Qmp.Call("query-hotplug-slots")[slot]!["seen"]!)
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < DebianGuest.Limit, "the guest doesn't look");
            Thread.Yield();
        }
    }
}
