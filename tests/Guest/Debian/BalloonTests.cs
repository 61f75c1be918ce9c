using Strato.Tests.Guest.Harness;
using Xunit;
using static Strato.Tests.Guest.Harness.Ballooning;

namespace Strato.Tests.Guest.Debian;

/// <summary>A balloon alone: no free pages are reported, and nothing is taken back without the host's leave.</summary>
public sealed class BalloonTests(BalloonTests.Shared shared) : IClassFixture<BalloonTests.Shared>
{
    private const long Memory = 512L << 20;

    public sealed class Shared : SharedGuest
    {
        internal override GuestOptions Options { get; } = new() { Memory = "512M", More = ["-balloon", "deflate-on-oom=false"] };
    }

    [Fact]
    public void Half_the_memory_goes_to_the_host_and_comes_back()
    {
        DebianGuest guest = shared.Guest;

        // Memory that the guest has touched and freed is the host's only when the balloon gives it back.
        guest.Check(Fill);
        long full = Resident(guest);
        guest.Check("rm /tmp/fill");
        SetBalloon(guest, Memory / 2);
        WaitResident(guest, full - Freed);
        int inside = Total(guest);
        Assert.InRange(inside, 128 << 10, 256 << 10);

        SetBalloon(guest, Memory);
        Assert.InRange(Total(guest), inside + (255 << 10), inside + (257 << 10));
        guest.Check(Fill + " && rm /tmp/fill");
        KernelLog.AssertClean(guest);
    }

    [Fact]
    public void A_guest_out_of_memory_ends_a_process_and_keeps_its_word()
    {
        DebianGuest guest = shared.Guest;
        SetBalloon(guest, Memory / 2);
        (int code, string output) = guest.Run(TakeMuch, DebianGuest.Limit * 3);
        Assert.True(code == 137, $"exit code {code}: {output}");
        Assert.Equal(Memory / 2, (long)guest.Qmp.Call("query-balloon")["actual"]!);
        SetBalloon(guest, Memory);
        guest.Check(TakeMuch);
    }

    /// <summary>KiB that the guest counts as its own.</summary>
    private static int Total(DebianGuest guest) => int.Parse(guest.Check("awk '/^MemTotal/ {print $2}' /proc/meminfo"), null);
}
