using System;
using System.Linq;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Debian;

/// <summary>Twenty boots in a row without a fault, of one root disk with several kernels, sizes and numbers of CPUs (STRATO_LONG=1).</summary>
public sealed class RepeatedBootTests(RepeatedBootTests.Shared shared) : IClassFixture<RepeatedBootTests.Shared>
{
    public sealed class Shared
    {
        private string? _root;

        internal string Root => _root ??= TestHost.NewRoot();

        internal int Boots { get; set; }
    }

    public static TheoryData<int> Boots => [.. Enumerable.Range(1, 20)];

    [Theory]
    [MemberData(nameof(Boots))]
    public void Boot(int number)
    {
        TestHost.RequireGuests();
        TestHost.RequireLong();
        Assert.Equal(number - 1, shared.Boots);
        using DebianGuest guest = DebianGuest.Boot(new GuestOptions
        {
            Kernel = number % 4 == 3 ? TestHost.ElfKernel : number % 4 == 0 ? TestHost.GenericKernel : TestHost.CloudKernel,
            Initrd = number % 4 == 0 ? TestHost.GenericInitrd : TestHost.CloudInitrd,
            Cpus = 1 << (number % 4),
            Memory = number % 5 == 0 ? "4G" : "256M",
            CommandLine = "root=/dev/vda",
            Disks = [new Disk(shared.Root)],
        });
        Assert.Equal($"{number - 1}", guest.Check("cat /root/boots 2>/dev/null || echo 0"));
        guest.Check($"echo {number} >/root/boots");
        KernelLog.AssertClean(guest);
        guest.PowerOff();
        Assert.Equal(0, Command.Run(TimeSpan.FromSeconds(120), "e2fsck", "-fn", shared.Root).ExitCode);
        shared.Boots = number;
    }
}
