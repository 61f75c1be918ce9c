using System;
using System.IO;
using System.Net.Sockets;
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

    [Fact]
    public void AGuestThatReadsNothingKeepsNobodyInTheSession()
    {
        // More than the session keeps for the guest; it is read all the same, for the escape key may be among it.
        byte[] paste = new byte[ConsoleSession.MaximumPending + (1 << 20)];
        Array.Fill(paste, (byte)'x');
        using ManualResetEventSlim left = new();
        string path = Serve(_ => left.Wait(), out Thread engine);
        using ConsoleSession session = Enter(path, _slave.Value);
        string before = Settings();
        using CancellationTokenSource source = new();
        object? outcome = null;
        Thread user = new(() =>
        {
            Exception? error = Record.Exception(() => outcome = session.Run(source.Token));
            outcome ??= error;
        });
        user.Start();
        ClientFixture.Until(() => Settings() != before, "raw mode");
        Thread typist = new(() =>
        {
            for (int sent = 0; sent < paste.Length; sent += Libc.Write(_master.Value, paste.AsSpan(sent)))
            {
            }
        })
        { IsBackground = true };
        typist.Start();
        bool typed = typist.Join(TimeSpan.FromSeconds(30));
        if (typed)
        {
            Assert.Equal("\a", ReadUntil("\a"));
            Libc.Write(_master.Value, [ConsoleSession.EscapeKey]);
        }
        else
        {
            source.Cancel();
        }

        user.Join();
        Assert.True(typed, "the keyboard is not read");
        Assert.Equal(ConsoleSessionEnd.Left, outcome);
        Assert.Equal(before, Settings());
        left.Set();
        engine.Join();
    }

    [Fact]
    public void AGuestThatPrintsWithoutEndKeepsNobodyInTheSession()
    {
        byte[] flood = new byte[65536];
        Array.Fill(flood, (byte)'x');
        string path = Serve(
            client =>
            {
                while (true)
                {
                    client.Send(flood);
                }
            },
            out Thread engine);
        using FileDescriptor screen = new(Libc.Open("/dev/null", Libc.O_WRONLY));
        string before = Settings();
        using ConsoleSession session = Enter(path, screen.Value);
        ConsoleSessionEnd? end = null;
        Thread user = new(() => end = session.Run()) { IsBackground = true };
        user.Start();
        ClientFixture.Until(() => Settings() != before, "raw mode");
        Libc.Write(_master.Value, [ConsoleSession.EscapeKey]);
        Assert.True(user.Join(TimeSpan.FromSeconds(30)), "the keyboard is not read");
        Assert.Equal(ConsoleSessionEnd.Left, end);
        session.Dispose();
        engine.Join();
    }

    [Theory]
    [InlineData(ConsoleSessionEnd.VmEnded)]
    [InlineData(ConsoleSessionEnd.Taken)]
    public void ASessionSaysHowItEnded(ConsoleSessionEnd expected)
    {
        VmInfo vm = _fixture.Start();
        string before = Settings();
        using ConsoleSession session = _fixture.Client.EnterConsoleOn(vm.Id, take: false, _slave.Value, _slave.Value, _fixture.Token);
        ConsoleSessionEnd? end = null;
        Thread user = new(() => end = session.Run(_fixture.Token));
        user.Start();
        ClientFixture.Until(() => Settings() != before, "raw mode");
        if (expected == ConsoleSessionEnd.VmEnded)
        {
            Libc.Write(_master.Value, "poweroff\r"u8);
        }
        else
        {
            _fixture.Client.SendConsole(vm.Id, "x", new SendOptions { Take = true }, _fixture.Token);
        }

        user.Join();
        Assert.Equal(expected, end);
        Assert.Equal(before, Settings());
    }

    /// <summary>A console's socket that greets and does that, until its client leaves at most.</summary>
    private string Serve(Action<Socket> work, out Thread engine)
    {
        string path = Path.Combine(_fixture.Root, "console.sock");
        Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        engine = new Thread(() =>
        {
            using Socket mine = listener;
            using Socket client = mine.Accept();
            client.Send("{\"offset\":0,\"dropped\":0,\"writer\":true}\n"u8);
            try
            {
                work(client);
            }
            catch (SocketException)
            {
                // The client has left.
            }
        })
        { IsBackground = true };
        engine.Start();
        return path;
    }

    private ConsoleSession Enter(string path, int screen) =>
        new(ConsoleConnection.Open(path, "web", attach: true, ConsoleStart.Now, take: false, _fixture.Token), () => false, _slave.Value, screen);

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
