using System;
using System.Text.Json.Nodes;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Debian;

/// <summary>One guest that resets in every way that Linux knows, boots again each time, and finds its disk as it left it.</summary>
public sealed class ResetTests(ResetTests.Shared shared) : IClassFixture<ResetTests.Shared>
{
    public sealed class Shared : SharedGuest
    {
        private GuestOptions? _options;

        internal override GuestOptions Options => _options ??= new()
        {
            Cpus = 2,
            Memory = "512M",
            CommandLine = "root=/dev/vda",
            Disks = [new Disk(TestHost.NewRoot()), new Disk(TestHost.NewDisk("data.img", 1 << 20))],
        };
    }

    [Fact]
    public void Reboot() => Resets("reboot\n", guest: true, "guest-reset");

    [Theory]
    [InlineData("acpi", "guest-reset")]
    [InlineData("bios", "guest-reset")]
    [InlineData("kbd", "guest-reset")]
    [InlineData("triple", "guest-triple-fault")]
    public void Reboot_by(string type, string reason)
    {
        shared.Guest.Check($"echo {type} >/sys/kernel/reboot/type");
        Resets("reboot -f\n", guest: true, reason);
    }

    [Fact]
    public void Panic_resets() => Resets("echo 1 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger\n", guest: true, "guest-reset");

    [Fact]
    public void Reset_by_qmp_in_the_midst_of_output_and_disk_writes()
    {
        shared.Guest.Check("while :; do cat /proc/kallsyms | head -c 2000; done & while :; do dd if=/dev/urandom of=/dev/vdb bs=64k count=16 oflag=direct 2>/dev/null; done & true");
        Resets(null, guest: false, "host-qmp-system-reset");
    }

    [Fact]
    public void Reset_while_paused_waits_for_cont()
    {
        DebianGuest guest = shared.Guest;
        guest.Qmp.Call("stop");
        guest.Qmp.Call("system_reset");
        Assert.Equal("paused", guest.Qmp.Status());
        Stillness.Assert(guest.Engine, guest.Qmp, guest.Console);
        int from = guest.Console.Length;
        guest.Qmp.Call("cont");
        guest.WaitShell(from);
        GuestFacts.AssertCpus(guest, 2);
    }

    [Fact]
    public void After_all_the_kernel_has_nothing_to_complain_of_and_the_button_powers_off()
    {
        DebianGuest guest = shared.Guest;
        KernelLog.AssertClean(guest, except: "EXT4-fs"); // it repairs itself after each reset without an unmount
        guest.Qmp.Call("system_powerdown");
        Assert.Equal("guest-shutdown", (string?)guest.Qmp.WaitEvent("SHUTDOWN")["data"]!["reason"]);
        guest.Engine.WaitExit(0, DebianGuest.Limit);
        Assert.Equal(0, Command.Run(TimeSpan.FromSeconds(60), "e2fsck", "-fn", shared.Options.Disks[0].Path).ExitCode);
    }

    /// <summary>Sends what resets the guest, or lets QMP do so; asserts the event, and that the guest boots again with its disk.</summary>
    private void Resets(string? input, bool guest, string reason)
    {
        DebianGuest vm = shared.Guest;
        string mark = Guid.NewGuid().ToString();
        vm.Check($"echo {mark} >/root/mark; sync");
        int from = vm.Console.Length;
        if (input is null)
        {
            vm.Qmp.Call("system_reset");
        }
        else
        {
            vm.Send(input);
        }

        JsonNode reset = vm.Qmp.WaitEvent("RESET");
        Assert.Equal(reason, (string?)reset["data"]!["reason"]);
        Assert.Equal(guest, (bool)reset["data"]!["guest"]!);
        vm.WaitShell(from);
        Assert.Equal("running", vm.Qmp.Status());
        Assert.Equal(mark, vm.Check("cat /root/mark"));
        GuestFacts.AssertCpus(vm, 2);
    }
}
