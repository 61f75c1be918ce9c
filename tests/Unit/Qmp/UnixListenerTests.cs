using System;
using System.Collections.Generic;
using System.IO;
using System.Net.Sockets;
using Strato.Engine.Linux;
using Strato.Protocol;
using Xunit;

namespace Strato.Tests.Unit.Qmp;

public sealed class UnixListenerTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("strato-sock-").FullName;
    private readonly EventLoop _loop = new();
    private readonly List<FileDescriptor> _accepted = [];

    private string SocketPath => Path.Combine(_folder, "s");

    public void Dispose()
    {
        _accepted.ForEach(descriptor => descriptor.Dispose());
        _loop.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void ItAcceptsAndIsItsOwnersAlone()
    {
        using UnixListener listener = Create(SocketPath);
        Assert.Equal(0, Libc.LinkStat(SocketPath, out Libc.statx_t status));
        Assert.Equal(Libc.S_IFSOCK | 0x180, status.stx_mode);
        using Socket one = Connect();
        using Socket two = Connect();
        while (_accepted.Count < 2)
        {
            Assert.True(_loop.RunOnce(10_000));
        }

        Assert.NotEqual(0, Libc.fcntl(_accepted[0].Value, Libc.F_GETFL, 0) & Libc.O_NONBLOCK);
        Assert.Equal(Libc.FD_CLOEXEC, Libc.fcntl(_accepted[0].Value, Libc.F_GETFD, 0));

        // What was handed out outlives the listener.
        listener.Dispose();
        one.Send("x"u8);
        byte[] buffer = new byte[2];
        Assert.Equal(1, Libc.Receive(_accepted[0].Value, buffer));
        Assert.False(File.Exists(SocketPath));
    }

    [Fact]
    public void APathThatExistsIsRefusedAndLeftAlone()
    {
        File.WriteAllText(SocketPath, "mine");
        UserErrorException e = Assert.Throws<UserErrorException>(() => Create(SocketPath));
        Assert.Equal(("SocketExists", "-test"), (e.Id, e.Where));
        Assert.Equal($"The socket path '{SocketPath}' exists; remove it if no running process uses it.", e.Message);
        Assert.Equal("mine", File.ReadAllText(SocketPath));
    }

    [Fact]
    public void ALongPathIsRefusedWithItsLength()
    {
        string path = Path.Combine(_folder, new string('p', 100));
        UserErrorException e = Assert.Throws<UserErrorException>(() => Create(path));
        Assert.Equal("SocketPathTooLong", e.Id);
        Assert.EndsWith($"has {path.Length} bytes; a unix socket's path has 1 to 107.", e.Message, StringComparison.Ordinal);
        Assert.Equal("SocketPathTooLong", Assert.Throws<UserErrorException>(() => Create("")).Id);
    }

    [Fact]
    public void APathOf107BytesWorks()
    {
        string path = Path.Combine(_folder, new string('p', 107 - _folder.Length - 1));
        using UnixListener listener = Create(path);
        Assert.True(File.Exists(path));
    }

    [Fact]
    public void AMissingFolderIsNamed()
    {
        UserErrorException e = Assert.Throws<UserErrorException>(() => Create(Path.Combine(_folder, "no/s")));
        Assert.Equal("SocketFailed", e.Id);
        Assert.Contains("No such file or directory", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void APathThatIsAnothersByNowIsNotRemoved()
    {
        using (Create(SocketPath))
        {
            // Held, so that the file that takes the place can't get the inode's number.
            File.Move(SocketPath, SocketPath + ".old");
            File.WriteAllText(SocketPath, "another's");
        }

        Assert.Equal("another's", File.ReadAllText(SocketPath));
    }

    private UnixListener Create(string path) => UnixListener.Create(_loop, path, "-test", _accepted.Add);

    private Socket Connect()
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(SocketPath));
        return socket;
    }
}
