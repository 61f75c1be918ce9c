using System;
using System.IO;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;
using Strato.Client;
using Strato.Client.Consoles;
using Strato.Client.Linux;
using Xunit;

namespace Strato.Tests.Unit.Client;

/// <summary>A console session on a real terminal (a pty): raw while it runs, as it was afterwards.</summary>
public sealed unsafe class TerminalModeTests : IDisposable
{
    private readonly ClientFixture _fixture = new();
    private readonly FileDescriptor _master;
    private readonly FileDescriptor _slave;

    public TerminalModeTests()
    {
        _master = new FileDescriptor(Libc.Open("/dev/ptmx", Libc.O_RDWR));
        Assert.Equal(0, grantpt(_master.Value));
        Assert.Equal(0, unlockpt(_master.Value));
        byte* name = stackalloc byte[128];
        Assert.Equal(0, ptsname_r(_master.Value, name, 128));
        const int O_NOCTTY = 0x100;
        _slave = new FileDescriptor(Libc.Open(Marshal.PtrToStringUTF8((nint)name)!, Libc.O_RDWR | O_NOCTTY));
        Assert.False(_slave.IsInvalid);
    }

    public void Dispose()
    {
        _slave.Dispose();
        _master.Dispose();
        _fixture.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TheTerminalIsRawInASessionAndRestoredHoweverItEnds(bool cancel)
    {
        VmInfo vm = _fixture.Start();
        string before = Settings();
        using CancellationTokenSource source = new();
        using ConsoleSession session = new(
            ConsoleConnection.Open(Path.Combine(_fixture.Paths.RuntimeDirectory(vm.Id), "console.sock"), "web", attach: true, ConsoleStart.Beginning, take: false, _fixture.Token), () => false, _slave.Value, _slave.Value);
        object? outcome = null;
        Thread user = new(() =>
        {
            Exception? error = Record.Exception(() => outcome = session.Run(source.Token));
            outcome ??= error;
        });
        user.Start();

        // Raw: the line ends of the guest arrive unchanged, and Ctrl-C is a byte like any other.
        ClientFixture.Until(() => Settings() != before, "raw mode");
        Assert.Equal("fake engine\r\n", ReadUntil("\n"));
        Libc.Write(_master.Value, "\u0003say x\r"u8);
        Assert.Equal("\u0003say x\r\n", ReadUntil("\n"));
        if (cancel)
        {
            source.Cancel();
        }
        else
        {
            Libc.Write(_master.Value, [ConsoleSession.EscapeKey]);
        }

        user.Join();
        Assert.Equal(before, Settings());
        if (cancel)
        {
            Assert.IsAssignableFrom<OperationCanceledException>(outcome);
        }
        else
        {
            Assert.Equal(ConsoleSessionEnd.Left, outcome);
        }
    }

    private string Settings()
    {
        Libc.termios settings = default;
        Assert.Equal(0, Libc.tcgetattr(_slave.Value, &settings));
        return Convert.ToHexString(new ReadOnlySpan<byte>(&settings, 60));
    }

    private string ReadUntil(string end)
    {
        StringBuilder text = new();
        byte[] one = new byte[1];
        while (!text.ToString().EndsWith(end, StringComparison.Ordinal))
        {
            Assert.Equal(1, Libc.Read(_master.Value, one));
            text.Append((char)one[0]);
        }

        return text.ToString();
    }

    [DllImport("libc")]
    private static extern int grantpt(int fd);

    [DllImport("libc")]
    private static extern int unlockpt(int fd);

    [DllImport("libc")]
    private static extern int ptsname_r(int fd, byte* name, nuint length);
}
