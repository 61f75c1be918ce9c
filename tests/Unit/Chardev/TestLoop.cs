using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Text;
using Strato.Engine.Chardev;
using Strato.Engine.Linux;
using Xunit;

namespace Strato.Tests.Unit.Chardev;

/// <summary>An event loop that the test's own thread turns, and a folder for its files.</summary>
internal sealed class TestLoop : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("strato-");

    public EventLoop Loop { get; } = new();

    /// <summary>A path in the test's folder.</summary>
    public string Path(string name) => System.IO.Path.Combine(_folder.FullName, name);

    /// <summary>Turns the loop until something holds; fails after a minute, which is only against a hang.</summary>
    public void Until(Func<bool> condition, string what)
    {
        Stopwatch watch = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(watch.Elapsed < TimeSpan.FromMinutes(1), $"it did not come to pass: {what}");
            Loop.RunOnce(10);
        }
    }

    /// <summary>Turns the loop until nothing has happened for 20 ms; a loop that never comes to rest fails.</summary>
    public void Settle()
    {
        for (int turns = 0; Loop.RunOnce(20); turns++)
        {
            Assert.True(turns < 5000, "the loop spins");
        }
    }

    public void Dispose()
    {
        Loop.Dispose();
        _folder.Delete(recursive: true);
    }
}

/// <summary>A guest that takes as many bytes as the test lets it.</summary>
internal sealed class TestGuest : ICharFrontend
{
    private readonly ICharBackend _backend;
    private bool _asked;

    public TestGuest(ICharBackend backend)
    {
        _backend = backend;
        backend.Connect(this);
    }

    /// <summary>Bytes it will still take.</summary>
    public int Appetite { get; private set; } = int.MaxValue;

    public List<byte> Received { get; } = [];

    public bool KeepsInput { get; set; } = true;

    public string Text => Encoding.UTF8.GetString(Received.ToArray());

    public int Room
    {
        get
        {
            // A 16550's FIFO at most.
            int room = Math.Min(Appetite, 16);
            _asked |= room == 0;
            return room;
        }
    }

    public void Receive(ReadOnlySpan<byte> data)
    {
        Assert.True(data.Length <= Math.Min(Appetite, 16), "more than there was room for");
        Appetite -= Appetite == int.MaxValue ? 0 : data.Length;
        Received.AddRange(data);
    }

    /// <summary>Looks of the loop after the output.</summary>
    public int Looks { get; private set; }

    public void OutputServed() => Looks++;

    public void Eat(int bytes)
    {
        Appetite = bytes;
        if (_asked && bytes > 0)
        {
            _asked = false;
            _backend.ResumeInput();
        }
    }

    public void Print(string text) => _backend.Transmit(Encoding.UTF8.GetBytes(text));
}

/// <summary>The other end of a descriptor, never waiting.</summary>
internal sealed class TestPeer(FileDescriptor fd) : IDisposable
{
    public FileDescriptor Fd { get; } = fd;

    public List<byte> Received { get; } = [];

    public bool Ended { get; private set; }

    /// <summary>errno of the read that failed, 0 for a proper end.</summary>
    public int Error { get; private set; }

    public string Text
    {
        get
        {
            Pull();
            return Encoding.UTF8.GetString(Received.ToArray());
        }
    }

    public static TestPeer Connect(string path)
    {
        FileDescriptor socket = Libc.CreateUnixSocket();
        Assert.Equal(0, Libc.Connect(socket.Value, path));
        return new TestPeer(socket);
    }

    /// <summary>Reads what is there.</summary>
    public void Pull()
    {
        byte[] buffer = new byte[64 * 1024];
        while (!Ended)
        {
            nint count = Libc.Read(Fd.Value, buffer);
            if (count > 0)
            {
                Received.AddRange(buffer.AsSpan(0, (int)count));
                continue;
            }

            int errno = count < 0 ? Errno.Last : 0;
            if (errno == Errno.EAGAIN)
            {
                return;
            }

            Ended = true;
            Error = errno;
        }
    }

    public bool IsAtEnd()
    {
        Pull();
        return Ended;
    }

    public TestPeer Send(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        Assert.Equal(bytes.Length, (int)Libc.Write(Fd.Value, bytes));
        return this;
    }

    /// <summary>Sends as much as fits; how much that was.</summary>
    public int SendAll(ReadOnlySpan<byte> data)
    {
        int sent = 0;
        while (sent < data.Length)
        {
            nint count = Libc.Write(Fd.Value, data[sent..]);
            if (count < 0)
            {
                Assert.Equal(Errno.EAGAIN, Errno.Last);
                break;
            }

            sent += (int)count;
        }

        return sent;
    }

    public void EndSending() => Assert.Equal(0, Libc.shutdown(Fd.Value, Libc.SHUT_WR));

    public void Dispose() => Fd.Dispose();
}
