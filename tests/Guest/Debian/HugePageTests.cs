using System;
using System.Threading;
using Strato.Tests.Guest.Harness;
using Xunit;
using static Strato.Tests.Guest.Harness.Ballooning;

namespace Strato.Tests.Guest.Debian;

/// <summary>A guest in huge pages: it runs as any other, and they are the host's again at its end.</summary>
public sealed class HugePageTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60) * TestHost.Patience;

    [Fact]
    public void Pages_of_2M_hold_a_guest_over_a_reset_and_come_back_when_it_powers_off()
    {
        TestHost.RequireGuests();
        using HugePages host = HugePages.Reserve(256);
        using (DebianGuest guest = DebianGuest.Boot(new GuestOptions { Memory = "512M", More = ["-mem-path", host.Folder] }))
        {
            Assert.Equal(0, host.Available);
            long before = host.Free;
            guest.Check(Fill);
            Assert.InRange(host.Free, 0, before - 1);
            GuestFacts.AssertMemory(guest, 512);
            int seen = guest.Console.Length;
            guest.Qmp.Call("system_reset");
            guest.WaitShell(seen);
            guest.Check("test ! -e /tmp/fill");
            Assert.Equal(0, host.Available);
            KernelLog.AssertClean(guest);
            guest.PowerOff();
        }

        Assert.True(SpinWait.SpinUntil(() => host.Available == 256, Limit), $"{host.Available} of 256 came back");
    }
}
