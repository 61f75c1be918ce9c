using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Debian;

/// <summary>The uncompressed kernel (ELF, entered by its PVH note); the serial port on a pseudo-terminal; ACPI off.</summary>
public sealed class ElfKernelTests
{
    [Fact]
    public void Vmlinux_boots_with_its_console_on_a_pty()
    {
        TestHost.RequireGuests();
        using DebianGuest guest = DebianGuest.Boot(new GuestOptions { Kernel = TestHost.ElfKernel, Cpus = 2, Memory = "512M", Serial = SerialKind.Pty });
        GuestFacts.AssertCpus(guest, 2);
        GuestFacts.AssertMemory(guest, 512);
        KernelLog.AssertClean(guest);
        guest.PowerOff();
    }

    [Fact]
    public void Without_acpi_the_serial_port_works_and_a_reset_ends_under_no_reboot()
    {
        TestHost.RequireGuests();
        // One vCPU: Debian's kernels are built without the MP table's parser, and know of more by ACPI alone.
        using DebianGuest guest = DebianGuest.Boot(new GuestOptions { CommandLine = "acpi=off", More = ["-no-reboot"] });
        Assert.Matches(@"\b4:.*ttyS0", guest.Check("cat /proc/interrupts"));
        guest.Send("reboot\n");
        Assert.Equal("guest-reset", (string?)guest.Qmp.WaitEvent("SHUTDOWN")["data"]!["reason"]);
        guest.Engine.WaitExit(0, DebianGuest.Limit);
    }
}
