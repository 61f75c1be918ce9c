using System;
using System.Collections.Generic;
using System.Linq;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Debian;

/// <summary>An engine killed amid its guest's writes leaves a disk that is repaired and starts again, with all six disks in their order.</summary>
public sealed class KilledEngineTests
{
    [Fact]
    public void Killed_engine_leaves_a_disk_that_starts_again_and_six_disks_keep_their_order()
    {
        TestHost.RequireGuests();
        string root = TestHost.NewRoot();
        using (DebianGuest guest = DebianGuest.Boot(new GuestOptions { CommandLine = "root=/dev/vda", Disks = [new Disk(root)] }))
        {
            guest.Check("echo before >/root/before; sync");
            guest.Send("n=0; while :; do n=$((n+1)); seq 1 5000 >/root/f$n; sync; [ $n != 5 ] || echo under'' way; done\n");
            guest.Console.WaitFor("under way", 0, DebianGuest.Limit);
            guest.Engine.Kill();
        }

        // 1: errors were corrected; the journal is replayed.
        Assert.InRange(Command.Run(TimeSpan.FromSeconds(120), "e2fsck", "-fp", root).ExitCode, 0, 1);
        List<Disk> disks = [new Disk(root)];
        disks.AddRange(Enumerable.Range(1, 5).Select(n => new Disk(TestHost.NewDisk("d.img", 512L * n), Serial: $"number-{n}")));
        using DebianGuest again = DebianGuest.Boot(new GuestOptions { CommandLine = "root=/dev/vda", Disks = disks });
        Assert.Equal("before", again.Check("cat /root/before"));
        Assert.Equal("5000", again.Check("tail -n 1 /root/f5 | tr -d '\\n'"));
        Assert.Equal("vda vdb vdc vdd vde vdf", again.Check("(cd /sys/block; echo vd*)"));
        Assert.Equal("1 2 3 4 5", again.Check("(cd /sys/block; echo $(cat vd[b-f]/size))"));
        Assert.Equal("number-1 number-2 number-3 number-4 number-5", again.Check("(cd /sys/block; echo $(for d in vd[b-f]; do cat $d/serial; echo; done))"));
        again.PowerOff();
    }
}
