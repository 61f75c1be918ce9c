using System.IO;
using System.Linq;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Seeds;

/// <summary>Seed 001, 设备管理 (device management): iothreads, a disk's QoS, the balloon.</summary>
public sealed class Seed001Tests
{
    // 配置iothread, 配置磁盘QoS, 配置内存弹性 in one guest, of 4 GiB as in 使用方式's example.
    [Fact]
    public void Iothreads_a_limited_disk_and_a_balloon()
    {
        TestHost.RequireGuests();
        _ = WayOut.Find();
        using DebianGuest guest = DebianGuest.Boot(new()
        {
            Memory = "4G",
            CommandLine = "root=/dev/vda",
            More =
            [
                .. Words("-iothread id=iothread1 -iothread id=iothread2"),
                .. Words("-drive xxx,iothread=iothread1", ("xxx", $"file={TestHost.NewRoot()},id=rootfs")),
                .. Words("-drive xxx,iops=200", ("xxx", $"file={TestHost.NewDisk("limited.img", 8 << 20)},id=limited")),
                .. Words("-netdev xxx,iothread=iothread2", ("xxx", "user,id=net0")),
                .. Words("-balloon deflate-on-oom=true"),
            ],
        });

        // "在主机上启动相应id名的线程": threads of those names.
        string[] threads = [.. Directory.GetDirectories($"/proc/{guest.Engine.Id}/task").Select(task => File.ReadAllText($"{task}/comm").TrimEnd())];
        Assert.Contains("iothread1", threads);
        Assert.Contains("iothread2", threads);
        Assert.Contains(guest.Qmp.Call("query-block").AsArray(), drive => (long)drive!["inserted"]!["iops"]! == 200);

        using PrintedExchange qmp = new(guest.QmpPath, guest.Engine);
        _ = qmp.ReadLine();

        // 用法: the value in a string; 示例: as a number. Above the machine's memory, it is the machine's.
        qmp.Play("""
            <- {"execute": "balloon", "arguments": {"value": "8589934592"}}
            -> {"return": {}}
            <- {"execute": "query-balloon"}
            -> {"return":{"actual":4294967296}}
            <- {"execute": "balloon", "arguments": {"value": 2147483648 }}
            -> {"return": {}}
            """);
        while ((long)guest.Qmp.WaitEvent("BALLOON_CHANGED")["data"]!["actual"]! != 2147483648)
        {
            // On its way.
        }

        using PrintedExchange again = new(guest.QmpPath, guest.Engine);
        _ = again.ReadLine();
        again.Play("""
            <- {"execute": "query-balloon"}
            -> {"return":{"actual":2147483648}}
            """);
        KernelLog.AssertClean(guest);
    }

    private static string[] Words(string printed, params (string There, string Here)[] paths) => Printed.Adapt(printed, paths).Split(' ');
}
