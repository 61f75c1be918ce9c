using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace Strato.Tests.Guest.Harness;

/// <summary>A disk of a guest.</summary>
/// <param name="Path">Its image.</param>
/// <param name="ReadOnly">Whether the guest can't write.</param>
/// <param name="Serial">Its serial number.</param>
/// <param name="More">More parts of <c>-drive</c>.</param>
internal sealed record Disk(string Path, bool ReadOnly = false, string? Serial = null, string? More = null);

/// <summary>What ttyS0 is connected to.</summary>
internal enum SerialKind
{
    Stdio,
    Unix,
    Pty,
    Console,
}

/// <summary>How to start a <see cref="DebianGuest"/>.</summary>
internal sealed record GuestOptions
{
    public string Kernel { get; init; } = TestHost.CloudKernel;

    public string? Initrd { get; init; } = TestHost.CloudInitrd;

    public string Memory { get; init; } = "256M";

    /// <summary>The value of <c>-machine</c>.</summary>
    public string Machine { get; init; } = "microvm";

    public int Cpus { get; init; } = 1;

    /// <summary>The value of <c>-smp</c>, in place of <see cref="Cpus"/>.</summary>
    public string? Smp { get; init; }

    /// <summary>Added to the kernel's command line.</summary>
    public string CommandLine { get; init; } = "";

    public IReadOnlyList<Disk> Disks { get; init; } = [];

    public SerialKind Serial { get; init; }

    /// <summary>More options of the engine.</summary>
    public IReadOnlyList<string> More { get; init; } = [];
}

/// <summary>A running Debian guest: its engine, its console with a shell on it, and a QMP connection.</summary>
internal sealed class DebianGuest : IDisposable
{
    /// <summary>For a boot or a long command: many times what a busy machine needs, for a test that hangs. STRATO_PATIENCE multiplies it.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(300) * TestHost.Patience;

    public const string Prompt = "root@strato:/root# ";

    private int _commands;

    private DebianGuest(GuestOptions options)
    {
        string serial = options.Serial switch
        {
            SerialKind.Unix => $"unix:{SocketPath},server,nowait",
            SerialKind.Pty => "pty",
            SerialKind.Console => $"console,socket={SocketPath},log={LogPath}",
            _ => "stdio",
        };
        List<string> arguments =
        [
            "-name", "guest", "-machine", options.Machine, "-kernel", options.Kernel, "-m", options.Memory, "-smp", options.Smp ?? $"{options.Cpus}",
            "-append", $"console=ttyS0 quiet panic=-1 strato.autologin {options.CommandLine}",
            "-serial", serial, "-qmp", $"unix:{QmpPath},server,nowait",
        ];
        if (TestHost.InVirtualHost)
        {
            arguments.Add("-force");
        }

        if (options.Initrd is not null)
        {
            arguments.AddRange(["-initrd", options.Initrd]);
        }

        for (int i = 0; i < options.Disks.Count; i++)
        {
            Disk disk = options.Disks[i];
            string device = disk.Serial is null ? "" : $",serial={disk.Serial}";
            arguments.AddRange(["-drive", $"file={disk.Path},id=disk{i},readonly={(disk.ReadOnly ? "on" : "off")}{device}{(disk.More is null ? "" : "," + disk.More)}"]);
            arguments.AddRange(["-device", $"virtio-blk-device,drive=disk{i},id=device{i}"]);
        }

        Engine = EngineProcess.Start([.. arguments, .. options.More]);
        try
        {
            Qmp = QmpConnection.Open(QmpPath, Engine);
            (Console, Input) = Connect(options.Serial);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public string QmpPath { get; } = TestHost.NewPath("qmp");

    /// <summary>The socket of the serial port or console.</summary>
    public string SocketPath { get; } = TestHost.NewPath("tty");

    /// <summary>The console's log.</summary>
    public string LogPath { get; } = TestHost.NewPath("console.log");

    public EngineProcess Engine { get; }

    public QmpConnection Qmp { get; }

    public ByteLog Console { get; private set; }

    public Stream Input { get; private set; }

    /// <summary>Starts a guest, which then boots.</summary>
    public static DebianGuest Start(GuestOptions options) => new(options);

    /// <summary>Starts a guest and waits for its shell.</summary>
    public static DebianGuest Boot(GuestOptions options)
    {
        DebianGuest guest = Start(options);
        try
        {
            guest.WaitShell(0);
            return guest;
        }
        catch
        {
            guest.Dispose();
            throw;
        }
    }

    /// <summary>Waits until the shell of a boot, whose output begins at an offset of the console, asks for a command.</summary>
    public void WaitShell(int from) => Console.WaitFor(Prompt, Console.WaitFor("strato-guest: ready", from, Limit), Limit);

    /// <summary>Runs a command in the guest's shell.</summary>
    /// <returns>Its exit code, and all that it wrote.</returns>
    public (int ExitCode, string Output) Run(string command, TimeSpan? limit = null)
    {
        // What the terminal echoes of these lines has the quotes, and so isn't taken for the markers. Each line waits for the prompt:
        // what is typed before it is echoed into the output, and a shell that exits takes it along.
        int number = ++_commands;
        TimeSpan most = limit ?? Limit;
        int from = Console.Length;
        Send($"echo '@@'begin {number}; {command}\n");
        int begin = Console.WaitFor($"@@begin {number}\r\n", from, most);
        int prompt = Console.WaitFor(Prompt, begin, most);
        Send($"echo '@@'end {number} $?\n");
        int end = Console.WaitFor($"@@end {number} ", prompt, most);
        Match code = Console.WaitFor(new Regex(@"^(\d+)\r"), end, most);
        Console.WaitFor(Prompt, end, most);
        return (int.Parse(code.Groups[1].ValueSpan, null), Console.Text(begin, prompt - Prompt.Length).Replace("\r", "", StringComparison.Ordinal));
    }

    /// <summary>Runs a command that must succeed, and gives its output without the last newline.</summary>
    public string Check(string command, TimeSpan? limit = null)
    {
        (int code, string output) = Run(command, limit);
        Assert.True(code == 0, $"in the guest: {command}: exit code {code}\n{output}");
        return output.TrimEnd('\n');
    }

    /// <summary>Lets the guest's shell tell its uptime twenty times a second, until <see cref="StopBeat"/>.</summary>
    public void StartBeat() =>
        Send("while ! read -t 0.05 x; do read up rest </proc/uptime; echo beat $up; done\n");

    public void StopBeat()
    {
        // One byte: of a longer line, a slow guest reads a part before its time is over, and drops it.
        Send("\n");
        Check("true");
    }

    /// <summary>The seconds of uptime in the next beat.</summary>
    public double NextBeat() => double.Parse(
        Console.WaitFor(new Regex(@"beat ([\d.]+)\r"), Console.Length, Limit).Groups[1].ValueSpan, CultureInfo.InvariantCulture);

    public void Send(string text)
    {
        Input.Write(Encoding.Latin1.GetBytes(text));
        Input.Flush();
    }

    /// <summary>Powers off from inside, and asserts that the engine ends well.</summary>
    public void PowerOff()
    {
        Send("poweroff\n");
        Assert.Equal("guest-shutdown", (string?)Qmp.WaitEvent("SHUTDOWN")["data"]!["reason"]);
        Engine.WaitExit(0, Limit);
    }

    /// <summary>Becomes the writer of the console socket again.</summary>
    public void Attach()
    {
        Input.Dispose();
        (Console, Input) = ConsoleClient.Attach(ConnectSocket());
    }

    /// <summary>Another client of the socket.</summary>
    public NetworkStream ConnectSocket()
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(SocketPath));
        return new NetworkStream(socket, ownsSocket: true);
    }

    public void Dispose()
    {
        Qmp?.Dispose();
        Input?.Dispose();
        Engine.Dispose();
    }

    /// <summary>Opens a terminal without making it the controlling one of this process, which its end would take along.</summary>
    private static SafeFileHandle OpenTerminal(string path)
    {
        const int readWriteNoControl = 0x2 | 0x100; // O_RDWR | O_NOCTTY
        SafeFileHandle handle = open(path, readWriteNoControl);
        Assert.False(handle.IsInvalid, $"{path}: error {Marshal.GetLastPInvokeError()}");
        return handle;
    }

    [DllImport("libc", SetLastError = true, CharSet = CharSet.Ansi)]
    private static extern SafeFileHandle open(string path, int flags);

    private (ByteLog Console, Stream Input) Connect(SerialKind serial)
    {
        switch (serial)
        {
            case SerialKind.Stdio:
                return (Engine.Output, Engine.Input);
            case SerialKind.Pty:
                string path = Engine.Errors.WaitFor(new Regex(@"/dev/pts/\d+"), 0, Limit).Value;
                FileStream terminal = new(OpenTerminal(path), FileAccess.ReadWrite, 1);
                return (new ByteLog(path, terminal), terminal);
            case SerialKind.Unix:
                NetworkStream stream = ConnectSocket();
                return (new ByteLog("the serial port's socket", stream), stream);
            default:
                return ConsoleClient.Attach(ConnectSocket());
        }
    }
}

/// <summary>A client of the console's socket (<c>-serial console,socket=PATH</c>).</summary>
internal static class ConsoleClient
{
    /// <summary>Becomes the console's writer, and reads from its start.</summary>
    public static (ByteLog Console, Stream Input) Attach(NetworkStream stream) =>
        (Open(stream, """{"mode":"attach","from":"start"}""", out _), stream);

    /// <summary>Sends the request and reads the line that answers it; what follows is the console.</summary>
    public static ByteLog Open(NetworkStream stream, string request, out string answer)
    {
        stream.Write(Encoding.UTF8.GetBytes(request + "\n"));
        List<byte> line = [];
        int next;
        while ((next = stream.ReadByte()) is not (-1 or '\n'))
        {
            line.Add((byte)next);
        }

        answer = Encoding.UTF8.GetString([.. line]);
        return new ByteLog("the console", stream);
    }
}
