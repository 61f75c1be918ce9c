using System;
using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Threading;
using Xunit;

namespace Strato.Tests.Unit.Client;

/// <summary>A network of a test's own: a thread, and what it starts, that see none of the host's interfaces.</summary>
internal static unsafe class NetworkNamespace
{
    private const int CLONE_NEWNET = 0x40000000;
    private const nint SYS_capset = 126;
    private const uint CapabilityVersion = 0x20080522;
    private const int CAP_NET_ADMIN = 12;

    /// <summary>Runs a test in it; skipped where there can be none.</summary>
    internal static void Run(Action test)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess && System.IO.File.Exists("/dev/net/tun"), "needs root and /dev/net/tun");
        bool made = false;
        ExceptionDispatchInfo? failure = null;
        Thread thread = new(() =>
        {
            if (unshare(CLONE_NEWNET) != 0)
            {
                return;
            }

            made = true;
            try
            {
                Command("ip", "link", "set", "lo", "up");
                test();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
        });
        thread.Start();
        thread.Join();
        failure?.Throw();
        Assert.SkipUnless(made, "there can be no network namespace");
    }

    /// <summary>Takes the right to change networks from the calling thread, for good.</summary>
    internal static void GiveUpNetAdmin()
    {
        uint* header = stackalloc uint[] { CapabilityVersion, 0 };
        uint* data = stackalloc uint[6];
        Assert.Equal(0, syscall(125, header, data)); // capget
        data[0] &= ~(1u << CAP_NET_ADMIN);
        Assert.Equal(0, syscall(SYS_capset, header, data));
    }

    /// <summary>Runs a program; its output.</summary>
    internal static string Command(string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, UseShellExecute = false };
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {process.ExitCode}");
        return output;
    }

    [DllImport("libc")]
    private static extern int unshare(int flags);

    [DllImport("libc")]
    private static extern nint syscall(nint number, uint* header, uint* data);
}
