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
[Collection(nameof(PasstStarterTests))]
[CollectionDefinition(nameof(PasstStarterTests), DisableParallelization = true)]
public sealed class PasstStarterTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("strato-passt-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void WhatItLeavesInTheBackgroundServesTheSocket()
    {
        WriteProgram("echo \"$@\" >&3; cat <&3 >&3 2>/dev/null &");
        using FileDescriptor socket = PasstStarter.Start([PortForward.Parse("tcp::2222-:22", "")], $"/nonexistent:{_folder}", "net0", Deadline.Never, Token);
        Assert.Equal("--quiet --fd 3 --tcp-ports 2222:22 --udp-ports none\n", Read(socket));
        Assert.Equal(3, Engine.Linux.Libc.Write(socket.Value, "hi\n"u8));
        Assert.Equal("hi\n", Read(socket));
        Assert.Empty(Directory.GetFiles(Path.GetTempPath(), "strato-passt-*"));
    }

    [Fact]
    public void AFailureIsTold()
    {
        WriteProgram("echo 'No routable interface, exiting' >&2; exit 1");
        StratoException e = Assert.Throws<StratoException>(() => PasstStarter.Start([], _folder, "net0", Deadline.Never, Token));
        Assert.Equal(("PasstFailed", "The network adapter 'net0' can't have user networking: 'passt' can't serve: No routable interface, exiting"), (e.Id, e.Message));
        e = Assert.Throws<StratoException>(() => PasstStarter.Start([], "/nonexistent", "net0", Deadline.Never, Token));
        Assert.Equal("PasstNotFound", e.Id);
        Assert.Contains("apt install passt", e.RecommendedAction, StringComparison.Ordinal);
    }

    [Fact]
    public void AFailureIsToldWithoutAFolderForTemporaryFiles() => With("TMPDIR", "/nonexistent/folder", () =>
    {
        WriteProgram("echo 'No routable interface, exiting' >&2; exit 1");
        Assert.EndsWith("No routable interface, exiting", Assert.Throws<StratoException>(() => PasstStarter.Start([], _folder, "net0", Deadline.Never, Token)).Message, StringComparison.Ordinal);
        WriteProgram("exit 0");
        PasstStarter.Start([], _folder, "net0", Deadline.Never, Token).Dispose();
    });

    [Fact]
    public void OneThatDoesNotServeInTimeIsEndedAndSoIsTheStart() => With("PATH", $"{_folder}:{Environment.GetEnvironmentVariable("PATH")}", () =>
    {
        WriteProgram($"echo $$ > '{_folder}/pid'; sleep 1000 & echo $! > '{_folder}/child'; wait");
        using StartFiles files = new(new StratoPaths("/nowhere", "/nowhere"), "abcdefgh", Deadline.After(TimeSpan.FromSeconds(1)), Token);
        StratoException e = Assert.Throws<StratoException>(() => files.OpenNetdev(new() { Id = "net0", Settings = new() }, EngineArguments.Part));
        Assert.Equal(("StartTimeout", StratoErrorKind.Timeout, "The network adapter 'net0' can't have user networking: 'passt' did not serve in time and was ended."), (e.Id, e.Kind, e.Message));
        Assert.Empty(files.Files);
        AssertGone();
    });

    [Fact]
    public void CancellationEndsTheWaitAndIt()
    {
        WriteProgram($"echo $$ > '{_folder}/pid'; sleep 1000 & echo $! > '{_folder}/child'; wait");
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        Thread canceller = new(() =>
        {
            ClientFixture.Until(() => File.Exists($"{_folder}/child") && File.ReadAllText($"{_folder}/child").EndsWith('\n'), "passt");
            stop.Cancel();
        });
        canceller.Start();
        Assert.ThrowsAny<OperationCanceledException>(() => PasstStarter.Start([], _folder, "net0", Deadline.Never, stop.Token));
        canceller.Join();
        AssertGone();
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

    private static void With(string variable, string value, Action test)
    {
        string? before = Environment.GetEnvironmentVariable(variable);
        Environment.SetEnvironmentVariable(variable, value);
        try
        {
            test();
        }
        finally
        {
            Environment.SetEnvironmentVariable(variable, before);
        }
    }

    /// <summary>Neither it nor what it started runs; an orphan may stay a zombie for a moment.</summary>
    private void AssertGone()
    {
        Assert.False(Directory.Exists($"/proc/{File.ReadAllText($"{_folder}/pid").Trim()}"), "passt is there");
        string child = File.ReadAllText($"{_folder}/child").Trim();
        ClientFixture.Until(() => Procfs.ReadText($"/proc/{child}/cmdline") is null or "", "the end of what passt started");
    }

    private static string Read(FileDescriptor socket)
    {
        byte[] buffer = new byte[256];
        return Encoding.UTF8.GetString(buffer, 0, (int)Engine.Linux.Libc.Read(socket.Value, buffer));
    }

    private void WriteProgram(string script) => TestProgram.Write(Path.Combine(_folder, "passt"), $"#!/bin/sh\n{script}\n");
}
