using System.IO;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Debian;

/// <summary>A kernel that knows no ACPI: its CPUs stand in an MP table, its devices on its command line (STRATO_LONG=1, for it has to be built).</summary>
public sealed class NoAcpiKernelTests
{
    [Fact]
    public void Elf_kernel_without_acpi_is_told_its_devices_unasked() => Boots(TestHost.NoAcpiElfKernel, "");

    [Fact]
    public void Bz_image_is_told_its_devices_when_the_user_says_acpi_off() => Boots(TestHost.NoAcpiKernel, "acpi=off");

    private static void Boots(string kernel, string words)
    {
        TestHost.RequireGuests();
        TestHost.RequireLong();
        Assert.True(File.Exists(kernel), $"{kernel} is missing (./build.sh guest no-acpi)");
        using DebianGuest guest = DebianGuest.Boot(new GuestOptions
        {
            Kernel = kernel,
            Cpus = 4,
            CommandLine = $"root=/dev/vda {words}",
            Disks = [new Disk(TestHost.NewRoot()), new Disk(TestHost.NewDisk("data.img", 1 << 20), Serial: "second")],

            // Empty slots would be on the command line, too.
            Machine = "microvm,hotplug=off",
            More = ["-no-reboot"],
        });

        // Each once, and by no other way.
        Assert.Matches("virtio_mmio\\.device=512@0x[0-9a-f]+:\\d+ virtio_mmio\\.device=512@0x[0-9a-f]+:\\d+", guest.Check("cat /proc/cmdline"));
        Assert.Equal("vda\nvdb", guest.Check("ls /sys/block | grep vd"));
        Assert.Equal("2", guest.Check("ls -d /sys/bus/platform/devices/virtio-mmio.* | wc -l"));
        Assert.Equal("second", guest.Check("cat /sys/block/vdb/serial"));
        Assert.Matches("^/dev/\\S+ / ext4 rw", guest.Check("grep ' / ' /proc/mounts"));

        // All CPUs, and interrupts by the I/O APIC: both stand in the MP table alone.
        Assert.Equal("4", guest.Check("nproc"));
        Assert.Matches("IO-APIC .*virtio0", guest.Check("cat /proc/interrupts"));
        guest.Check("dmesg | grep 'MPTABLE: OEM ID: STRATO'");

        guest.Send("reboot\n");
        Assert.Equal("guest-reset", (string?)guest.Qmp.WaitEvent("SHUTDOWN")["data"]!["reason"]);
        guest.Engine.WaitExit(0, DebianGuest.Limit);
    }
}
