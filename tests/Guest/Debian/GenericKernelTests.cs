using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Debian;

/// <summary>Debian's generic kernel, with drivers for all that a PC may have, on eight vCPUs and 6 GiB; the serial port on a unix socket.</summary>
public sealed class GenericKernelTests(GenericKernelTests.Shared shared) : IClassFixture<GenericKernelTests.Shared>
{
    public sealed class Shared : SharedGuest
    {
        internal override GuestOptions Options => new()
        {
            Kernel = TestHost.GenericKernel,
            Initrd = TestHost.GenericInitrd,
            Cpus = 8,
            Memory = "6G",
            Serial = SerialKind.Unix,
            CommandLine = "initcall_debug log_buf_len=1M",
        };
    }

    [Fact]
    public void Eight_cpus_and_6_GiB_around_the_hole()
    {
        GuestFacts.AssertCpus(shared.Guest, 8);
        GuestFacts.AssertMemory(shared.Guest, 6144);
        GuestFacts.AssertThreads(shared.Guest, 8);
        Assert.Equal(
            "0x0000000000000000-0x000000000009fbff 0x0000000000100000-0x00000000bfffffff 0x0000000100000000-0x00000001bfffffff",
            GuestFacts.UsableMemory(shared.Guest));
    }

    [Fact]
    public void Kernel_log_is_clean_and_nothing_stalls()
    {
        KernelLog.AssertClean(shared.Guest);
        KernelLog.AssertNoStall(shared.Guest);
    }

    [Fact]
    public void Every_cpu_works_and_can_be_reached_by_the_others()
    {
        // taskset runs on a CPU after an inter-processor interrupt; the last moves all of them at once.
        for (int i = 0; i < 8; i++)
        {
            Assert.Equal($"{i}", shared.Guest.Check($"taskset -c {i} sh -c 'read a </proc/self/stat; set -- ${{a##*)}}; shift 36; echo $1'"));
        }
    }

    [Fact]
    public void Power_button_is_heard()
    {
        DebianGuest guest = shared.Guest;
        guest.Qmp.Call("system_powerdown");
        guest.Qmp.WaitEvent("POWERDOWN");
        Assert.Equal("guest-shutdown", (string?)guest.Qmp.WaitEvent("SHUTDOWN")["data"]!["reason"]);
        guest.Engine.WaitExit(0, DebianGuest.Limit);
    }
}
