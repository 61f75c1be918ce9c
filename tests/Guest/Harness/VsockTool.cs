using System;
using System.IO;

namespace Strato.Tests.Guest.Harness;

/// <summary>The program of both sides of a vsock (vsock.c), which the guest reads from a disk.</summary>
internal sealed class VsockTool
{
    /// <summary>The program on the host.</summary>
    public string Program { get; } = TestHost.NewDiskPath("vsock");

    /// <summary>Builds it; gives a disk's image that holds it.</summary>
    public string Make()
    {
        Command.Check("gcc", "-O2", "-static", "-o", Program, Path.Combine(TestHost.Repository, "tests/Guest/Harness/vsock.c"));
        string disk = Program + ".img";
        File.Copy(Program, disk);
        using FileStream image = new(disk, FileMode.Open);
        image.SetLength((image.Length + 4095) / 4096 * 4096);
        return disk;
    }

    /// <summary>Gives back in the guest what comes on port 1234.</summary>
    /// <param name="guest">The guest.</param>
    /// <param name="disk">What it calls the disk.</param>
    public static void Listen(DebianGuest guest, string disk = "vda")
    {
        guest.Check($"cat /dev/{disk} >/tmp/vsock && chmod +x /tmp/vsock");
        guest.Check("mkfifo /tmp/ready; /tmp/vsock echo 1234 >/tmp/ready & read line </tmp/ready; [ \"$line\" = listening ]");
    }

    /// <summary>Sends bytes to the guest, which gives them back: "N bytes" where all came.</summary>
    public string SendToGuest(int cid, int bytes, TimeSpan limit) => Command.Run(limit, Program, "send", $"{cid}", "1234", $"{bytes}").Output.Trim();
}
