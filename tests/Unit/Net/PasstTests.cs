using System;
using System.IO;
using System.Net;
using System.Net.Sockets;
using Strato.Engine.Net;
using Strato.Engine.Virtio;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Net;

/// <summary>User networking: passt as it is asked for, as it fails, and the real one.</summary>
public sealed class PasstTests
{
    private static readonly byte[] Mac = [0x52, 0x54, 0, 1, 2, 3];

    [Theory]
    [InlineData("", "--tcp-ports none --udp-ports none")]
    [InlineData("tcp::2222-:22", "--tcp-ports 2222:22 --udp-ports none")]
    [InlineData("tcp:127.0.0.1:2222-:22 :[::1]:80-:8080", "--tcp-ports 127.0.0.1/2222:22 --tcp-ports ::1/80:8080 --udp-ports none")]
    [InlineData("udp:0.0.0.0:53-:5353", "--udp-ports 0.0.0.0/53:5353 --tcp-ports none")]
    public void ForwardsAreTold(string forwards, string arguments) => Assert.Equal(
        $"passt --quiet --fd 3 {arguments}",
        string.Join(' ', Passt.Arguments(Array.ConvertAll(forwards.Split(' ', StringSplitOptions.RemoveEmptyEntries), text => PortForward.Parse(text, "")))));

    [Fact]
    public void AMissingProgramIsNamedWithItsPackage()
    {
        using Folder folder = new();
        File.WriteAllText(Path.Combine(folder.Path, "passt"), "not a program");
        UserErrorException e = Assert.Throws<UserErrorException>(() => Start($"/nonexistent:{folder.Path}"));
        Assert.Equal(("PasstNotFound", "-netdev"), (e.Id, e.Where));
        Assert.Equal("net 'n': user networking needs the program 'passt', which isn't on PATH; Debian has it in the package 'passt'", e.Message);
    }

    [Theory]
    [InlineData("echo noise >&2; echo 'No routable interface, exiting' >&2; exit 1", "exit code 1: No routable interface, exiting")]
    [InlineData("exit 3", "exit code 3")]
    [InlineData("kill -9 $$", "signal 9")]
    public void AFailureIsTold(string script, string failure)
    {
        using Folder folder = new();
        folder.WriteProgram("passt", script);
        UserErrorException e = Assert.Throws<UserErrorException>(() => Start(folder.Path));
        Assert.Equal(("PasstFailed", $"net 'n': '{folder.Path}/passt' can't serve: {failure}"), (e.Id, e.Message));
    }

    [Fact]
    public void AProgramThatCantBeRunIsAFailure()
    {
        using Folder folder = new();
        folder.WriteProgram("passt", "", interpreter: "/nonexistent/sh");
        UserErrorException e = Assert.Throws<UserErrorException>(() => Start(folder.Path));
        Assert.Equal($"net 'n': '{folder.Path}/passt' can't serve: No such file or directory", e.Message);
    }

    /// <summary>What it leaves in the background serves the socket, and knows of the engine's end by it.</summary>
    [Fact]
    public void ItServesFromTheBackgroundUntilTheSocketIsClosed()
    {
        using Folder folder = new();
        string end = Path.Combine(folder.Path, "end");
        Assert.Equal(0, Mkfifo(end));
        folder.WriteProgram("passt", $"{{ cat <&3 >&3; echo \"$@\" >{end}; }} 2>/dev/null &");
        using (MmioDriver driver = new(new NetDevice("net", [Start(folder.Path)], Mac)))
        {
            driver.Start();
            ulong room = Receive(driver);
            ulong at = driver.Allocate(72);
            driver.Ram(at + 12, 60).Fill(7);
            driver.Queues[1].Add(new DriverBuffer(at, 72, false));
            driver.Queues[1].Kick();
            Assert.Equal(72u, WaitForFrame(driver));
            Assert.Equal(driver.Ram(at + 12, 60).ToArray(), driver.Ram(room + 12, 60).ToArray());
        }

        Assert.Equal("--quiet --fd 3 --tcp-ports none --udp-ports none", File.ReadAllText(end).TrimEnd());
    }

    [Fact]
    public void PasstItselfAnswersTheGuestAndForwardsAPort()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/passt"), "needs passt");
        Assert.SkipUnless(HasDefaultRoute(), "this passt needs a way out of the host");
        int port = FreePort();
        using TcpClient client = new();
        using (MmioDriver driver = new(new NetDevice("net", [Start("/usr/bin", $"tcp:127.0.0.1:{port}-:22")], Mac)))
        {
            driver.Start();
            ulong room = Receive(driver);
            byte[] question =
            [
                .. new byte[VirtioNetHeader.Bytes],
                255, 255, 255, 255, 255, 255, .. Mac, 8, 6, // who has …
                0, 1, 8, 0, 6, 4, 0, 1, .. Mac, 198, 18, 77, 2, 0, 0, 0, 0, 0, 0, 198, 18, 77, 1,
            ];
            ulong at = driver.Allocate(question.Length);
            question.CopyTo(driver.Ram(at, question.Length));
            driver.Queues[1].Add(new DriverBuffer(at, (uint)question.Length, false));
            driver.Queues[1].Kick();
            uint written = WaitForFrame(driver);
            byte[] answer = driver.Ram(room + VirtioNetHeader.Bytes, (int)written - VirtioNetHeader.Bytes).ToArray();
            Assert.Equal(Mac, answer[..6]);
            Assert.Equal(2, answer[21]);
            Assert.Equal([198, 18, 77, 1], answer[28..32]);
            client.Connect(IPAddress.Loopback, port);
            client.ReceiveTimeout = 10_000;
        }

        // It has ended when its end of the connection has gone.
        Assert.True(HasEnded(client), "passt lives on");
    }

    private static StreamBackend Start(string searchPath, params string[] forwards) =>
        Passt.Start(Array.ConvertAll(forwards, text => PortForward.Parse(text, "")), searchPath, "n", "-netdev");

    /// <summary>Gives the device a ring of buffers side by side; where the first is.</summary>
    private static ulong Receive(MmioDriver driver)
    {
        ulong room = driver.Allocate(2048 * 60);
        for (uint i = 0; i < 60; i++)
        {
            driver.Queues[0].Add(new DriverBuffer(room + (2048 * i), 2048, true));
        }

        driver.Queues[0].Kick();
        return room;
    }

    private static uint WaitForFrame(MmioDriver driver)
    {
        uint written;
        while (!driver.Queues[0].TryTake(out _, out written))
        {
            Assert.True(driver.Loop.RunOnce(10_000), "no answer");
        }

        return written;
    }

    private static bool HasEnded(TcpClient client)
    {
        try
        {
            return client.GetStream().Read(new byte[1]) == 0;
        }
        catch (IOException e) when (e.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionReset })
        {
            return true;
        }
    }

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static bool HasDefaultRoute() =>
        Array.Exists(File.ReadAllLines("/proc/net/route"), line => line.Split('\t') is [_, "00000000", ..]);

    private static int Mkfifo(string path)
    {
        using System.Diagnostics.Process process = System.Diagnostics.Process.Start("mkfifo", path);
        process.WaitForExit();
        return process.ExitCode;
    }

    /// <summary>A folder for programs that stand in for others.</summary>
    private sealed class Folder : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("strato-passt-").FullName;

        public void WriteProgram(string name, string script, string interpreter = "/bin/sh") =>
            TestProgram.Write(System.IO.Path.Combine(Path, name), $"#!{interpreter}\n{script}\n");

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
