using System;
using System.IO;
using System.Net.Sockets;
using System.Text;
using System.Threading;
using Strato.Client;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Strato.Protocol.Configuration;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Client;

/// <summary>Passt for a running VM is started by the client, and its socket passed to the engine.</summary>
public sealed class PasstStarterTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("strato-passt-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void WhatItLeavesInTheBackgroundServesTheSocket()
    {
        WriteProgram("echo \"$@\" >&3; cat <&3 >&3 2>/dev/null &");
        using FileDescriptor socket = PasstStarter.Start([PortForward.Parse("tcp::2222-:22", "")], $"/nonexistent:{_folder}", "net0");
        Assert.Equal("--quiet --fd 3 --tcp-ports 2222:22 --udp-ports none\n", Read(socket));
        Assert.Equal(3, Engine.Linux.Libc.Write(socket.Value, "hi\n"u8));
        Assert.Equal("hi\n", Read(socket));
        Assert.Empty(Directory.GetFiles(Path.GetTempPath(), "strato-passt-*"));
    }

    [Fact]
    public void AFailureIsTold()
    {
        WriteProgram("echo 'No routable interface, exiting' >&2; exit 1");
        StratoException e = Assert.Throws<StratoException>(() => PasstStarter.Start([], _folder, "net0"));
        Assert.Equal(("PasstFailed", "The network adapter 'net0' can't have user networking: 'passt' can't serve: No routable interface, exiting"), (e.Id, e.Message));
        e = Assert.Throws<StratoException>(() => PasstStarter.Start([], "/nonexistent", "net0"));
        Assert.Equal("PasstNotFound", e.Id);
        Assert.Contains("apt install passt", e.RecommendedAction, StringComparison.Ordinal);
    }

    [Fact]
    public void ADescriptorGoesWithTheBytes()
    {
        using TemporaryFile path = new();
        using TemporaryFile file = new(5);
        using Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path.Path));
        listener.Listen();
        Assert.Equal(ConnectOutcome.Connected, UnixStream.TryConnect(path.Path, out UnixStream? stream));
        using UnixStream client = stream!;
        using Socket server = listener.Accept();
        using Waiter waiter = new(CancellationToken.None);
        using FileDescriptor passed = new(Libc.Open(file.Path, Libc.O_RDONLY));
        Assert.True(client.SendAll("{}\n"u8, waiter, Deadline.After(TimeSpan.FromSeconds(10)), passed));
        byte[] text = new byte[8];
        int[] files = new int[4];
        Assert.Equal(3, Engine.Linux.Libc.ReceiveFiles((int)server.Handle, text, files, out int count));
        Assert.Equal(1, count);
        using FileDescriptor received = new(files[0]);
        Assert.Equal(5, new FileInfo($"/proc/self/fd/{received.Value}").ResolveLinkTarget(true) is FileInfo target ? target.Length : -1);
    }

    private static string Read(FileDescriptor socket)
    {
        byte[] buffer = new byte[256];
        return Encoding.UTF8.GetString(buffer, 0, (int)Engine.Linux.Libc.Read(socket.Value, buffer));
    }

    private void WriteProgram(string script)
    {
        string path = Path.Combine(_folder, "passt");
        File.WriteAllText(path, $"#!/bin/sh\n{script}\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }
}
