using System;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Debian;

/// <summary>Twenty boots in a row without a fault (STRATO_LONG=1).</summary>
public sealed class RepeatedBootTests
{
    [Fact]
    public void Twenty_boots()
    {
        TestHost.RequireGuests();
        TestHost.RequireLong();
        string root = TestHost.NewRoot();
        for (int i = 1; i <= 20; i++)
        {
            using DebianGuest guest = DebianGuest.Boot(new GuestOptions
            {
                Kernel = i % 4 == 3 ? TestHost.ElfKernel : i % 4 == 0 ? TestHost.GenericKernel : TestHost.CloudKernel,
                Initrd = i % 4 == 0 ? TestHost.GenericInitrd : TestHost.CloudInitrd,
                Cpus = 1 << (i % 4),
                Memory = i % 5 == 0 ? "4G" : "256M",
                CommandLine = "root=/dev/vda",
                Disks = [new Disk(root)],
            });
            Assert.Equal($"{i - 1}", guest.Check("cat /root/boots 2>/dev/null || echo 0"));
            guest.Check($"echo {i} >/root/boots");
            KernelLog.AssertClean(guest);
            guest.PowerOff();
            Assert.Equal(0, Command.Run(TimeSpan.FromSeconds(120), "e2fsck", "-fn", root).ExitCode);
        }
    }
}
