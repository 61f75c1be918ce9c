using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using Strato.Engine.Chardev;
using Strato.Engine.Linux;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Xunit;

namespace Strato.Tests.Unit.Chardev;

/// <summary>File, standard streams, pseudo-terminal, socket.</summary>
public sealed class BackendTests : IDisposable
{
    private readonly TestLoop _test = new();

    public void Dispose() => _test.Dispose();

    [Fact]
    public void AFileIsEmptiedAndFilled()
    {
        File.WriteAllText(_test.Path("out"), "old");
        using FileBackend backend = new(_test.Loop, _test.Path("out"), "-serial");
        TestGuest guest = new(backend);
        guest.Print("new");
        _test.Until(() => File.ReadAllText(_test.Path("out")) == "new", "the file is written");
        guest.Print(" and newer");
        backend.Flush(TimeSpan.Zero);
        Assert.Equal("new and newer", File.ReadAllText(_test.Path("out")));
        Assert.Equal($"file:{_test.Path("out")}", backend.Name);
    }

    [Fact]
    public void ANamedPipeNeedsAReaderAndIsWrittenAtItsPace()
    {
        string path = _test.Path("pipe");
        Process.Start("mkfifo", path).WaitForExit();
        UserErrorException error = Assert.Throws<UserErrorException>(() => new FileBackend(_test.Loop, path, "-serial"));
        Assert.Equal($"The file '{path}' can't be opened for output: No such device or address (a named pipe needs a reader first).", error.Message);

        using TestPeer reader = new(new FileDescriptor(Libc.Open(path, Libc.O_RDONLY | Libc.O_NONBLOCK)));
        using FileBackend backend = new(_test.Loop, path, "-serial");
        TestGuest guest = new(backend);
        guest.Print(new string('x', 60_000));
        _test.Settle();
        guest.Print(new string('y', 60_000));
        _test.Settle();
        _test.Until(() => reader.Text.Length == 120_000, "all comes through, for the pipe and the ring hold it");
    }

    [Fact]
    public void StandardStreamsThroughPipes()
    {
        (int inRead, int inWrite) = ConsoleLogTests.OpenPipe();
        (int outRead, int outWrite) = ConsoleLogTests.OpenPipe();
        using FileDescriptor ownIn = new(inRead);
        using FileDescriptor ownOut = new(outWrite);
        using TestPeer keyboard = new(new FileDescriptor(inWrite));
        using TestPeer screen = new(new FileDescriptor(outRead));
        using StdioBackend backend = new(_test.Loop, signals: false, inRead, outWrite);
        TestGuest guest = new(backend);
        guest.Eat(3);
        keyboard.Send("hello");
        _test.Until(() => guest.Text == "hel", "the guest gets what it has room for");
        guest.Eat(100);
        _test.Until(() => guest.Text == "hello", "and then the rest");
        guest.Print("world");
        _test.Until(() => screen.Text == "world", "output");

        // The end of input wakes nobody again, and output goes on.
        keyboard.Send("bye");
        keyboard.Dispose();
        _test.Until(() => guest.Text == "hellobye", "the last input");
        _test.Settle();
        Assert.False(_test.Loop.RunOnce(50));
        guest.Print("!");
        _test.Until(() => screen.Text == "world!", "more output");
    }

    [Fact]
    public void TheEndOfInputWhileTheGuestHasNoRoomDoesNotSpin()
    {
        (int inRead, int inWrite) = ConsoleLogTests.OpenPipe();
        using FileDescriptor ownIn = new(inRead);
        TestPeer keyboard = new(new FileDescriptor(inWrite));
        using StdioBackend backend = new(_test.Loop, signals: false, inRead, -1);
        TestGuest guest = new(backend);
        guest.Eat(0);
        keyboard.Send("abc");
        keyboard.Dispose();
        _test.Settle();
        Assert.False(_test.Loop.RunOnce(50));
        guest.Eat(10);
        _test.Until(() => guest.Text == "abc", "what was sent before the end");
    }

    [Fact]
    public void StandardInputFromAFile()
    {
        string text = string.Concat(Enumerable.Range(0, 5000).Select(i => $"{i}\n"));
        File.WriteAllText(_test.Path("in"), text);
        using FileDescriptor input = new(Libc.Open(_test.Path("in"), Libc.O_RDONLY));
        using FileDescriptor output = new(Libc.Open("/dev/null", Libc.O_WRONLY));
        using StdioBackend backend = new(_test.Loop, signals: false, input.Value, output.Value);
        TestGuest guest = new(backend);
        guest.Print("to nobody");
        _test.Until(() => guest.Received.Count == text.Length, "the whole file");
        Assert.Equal(text, guest.Text);
        _test.Settle();
    }

    [Fact]
    public void AClosedStandardOutputEndsOutputAlone()
    {
        (int outRead, int outWrite) = ConsoleLogTests.OpenPipe();
        using FileDescriptor ownOut = new(outWrite);
        new FileDescriptor(outRead).Dispose();
        using FileDescriptor input = new(Libc.Open("/dev/null", Libc.O_RDONLY));
        using StdioBackend backend = new(_test.Loop, signals: false, input.Value, outWrite);
        TestGuest guest = new(backend);
        for (int i = 0; i < 10; i++)
        {
            guest.Print(new string('x', 100_000));
            _test.Settle();
        }

        backend.Flush(TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void StandardStreamsKeepTheirFlags()
    {
        (int inRead, int inWrite) = ConsoleLogTests.OpenPipe();
        using FileDescriptor ownIn = new(inRead);
        using FileDescriptor ownKeyboard = new(inWrite);
        Assert.Equal(0, Libc.fcntl(inRead, Libc.F_SETFL, 0));
        using (StdioBackend backend = new(_test.Loop, signals: false, inRead, -1))
        {
            _ = new TestGuest(backend);

            // The shell's other processes share the open file, and must not meet EAGAIN.
            Assert.Equal(0, Libc.fcntl(inRead, Libc.F_GETFL, 0) & Libc.O_NONBLOCK);
        }

        Assert.Equal(0, Libc.fcntl(inRead, Libc.F_GETFL, 0) & Libc.O_NONBLOCK);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ATerminalIsRawUntilTheEnd(bool signals)
    {
        using FileDescriptor master = Libc.OpenPseudoTerminal(out string path);
        using FileDescriptor terminal = new(Libc.Open(path, Libc.O_RDWR | Libc.O_NOCTTY));
        Assert.True(Libc.TryGetTerminalMode(terminal.Value, out Libc.termios found));
        using TestPeer person = new(master);
        using (StdioBackend backend = new(_test.Loop, signals, terminal.Value, terminal.Value))
        {
            TestGuest guest = new(backend);
            Assert.True(Libc.TryGetTerminalMode(terminal.Value, out Libc.termios raw));
            Assert.Equal(0u, raw.c_lflag & (Libc.ICANON | Libc.ECHO | Libc.IEXTEN));
            Assert.Equal(signals ? Libc.ISIG : 0, raw.c_lflag & Libc.ISIG);
            Assert.Equal(0u, raw.c_iflag & (Libc.ICRNL | Libc.IXON));

            // No line is needed, nothing is echoed, and Ctrl-C is a byte like others unless signals are on.
            person.Send("k\r\x11");
            _test.Until(() => guest.Text == "k\r\x11", "keys come one by one");
            if (!signals)
            {
                person.Send("\x03");
                _test.Until(() => guest.Text == "k\r\x11\x03", "Ctrl-C reaches the guest");
            }

            guest.Print("out");
            _test.Until(() => person.Text == "out", "output");
        }

        Assert.True(Libc.TryGetTerminalMode(terminal.Value, out Libc.termios after));
        Assert.Equal((found.c_iflag, found.c_oflag, found.c_cflag, found.c_lflag), (after.c_iflag, after.c_oflag, after.c_cflag, after.c_lflag));
    }

    [Fact]
    public void APseudoTerminalRoundTrip()
    {
        using PtyBackend backend = new(_test.Loop, "-serial");
        Assert.StartsWith("/dev/pts/", backend.Path);
        Assert.Equal($"pty:{backend.Path}", backend.Name);
        TestGuest guest = new(backend);

        for (int visit = 0; visit < 3; visit++)
        {
            // Nobody is there: the output is dropped, and nobody is woken again and again.
            _test.Settle();
            guest.Print(new string('d', 100_000));
            _test.Settle();
            Assert.False(_test.Loop.RunOnce(50));

            using TestPeer person = new(new FileDescriptor(Libc.Open(backend.Path, Libc.O_RDWR | Libc.O_NOCTTY | Libc.O_NONBLOCK)));
            guest.Received.Clear();
            person.Send("ls\r\x03");
            _test.Until(() => guest.Text == "ls\r\x03", "input, as it was typed");
            guest.Print("a\tfile\n");
            _test.Until(() => person.Text == "a\tfile\n", $"output, as it was printed, and no echo: '{person.Text}'");
        }
    }

    [Fact]
    public void APseudoTerminalsSlowReaderLosesTheOldest()
    {
        using PtyBackend backend = new(_test.Loop, "-serial");
        TestGuest guest = new(backend);
        using TestPeer person = new(new FileDescriptor(Libc.Open(backend.Path, Libc.O_RDWR | Libc.O_NOCTTY | Libc.O_NONBLOCK)));
        for (int i = 0; i < 100_000; i++)
        {
            guest.Print($"{i:d6}\n");
        }

        _test.Settle();
        guest.Print("end");
        _test.Until(() => person.Text.EndsWith("099999\nend", StringComparison.Ordinal), "the end of the output");
        Assert.True(person.Text.Length < 300_000, $"{person.Text.Length} of 700,000 bytes");
    }

    [Fact]
    public void ASocketServesOneConnectionAndThenTheNext()
    {
        string path = _test.Path("serial.sock");
        using SocketBackend backend = new(_test.Loop, path, "-serial");
        TestGuest guest = new(backend);
        guest.Print("to nobody");
        _test.Settle();
        using TestPeer first = TestPeer.Connect(path).Send("1");
        _test.Until(() => guest.Text == "1", "the first's input");
        using TestPeer second = TestPeer.Connect(path).Send("2");
        guest.Print("for the first");
        _test.Until(() => first.Text == "for the first", "output");
        _test.Settle();
        Assert.Equal(("1", ""), (guest.Text, second.Text));

        first.Dispose();
        _test.Until(() => guest.Text == "12", "the second's turn");
        guest.Print("for the second");
        _test.Until(() => second.Text == "for the second", "output");
        second.Dispose();
        _test.Settle();
        Assert.False(_test.Loop.RunOnce(50));

        using TestPeer third = TestPeer.Connect(path).Send("3");
        _test.Until(() => guest.Text == "123", "a new connection");
    }

    [Fact]
    public void WhatAPeerSentBeforeItWentComesFirst()
    {
        string path = _test.Path("serial.sock");
        using SocketBackend backend = new(_test.Loop, path, "-serial");
        TestGuest guest = new(backend);
        guest.Eat(0);
        string sent = new('a', 3000);
        TestPeer.Connect(path).Send(sent).Dispose();
        _test.Settle();
        using TestPeer next = TestPeer.Connect(path).Send("b");
        _test.Settle();
        guest.Print("x");
        _test.Until(() => next.Text == "x", "the next is connected");
        guest.Eat(int.MaxValue);
        _test.Until(() => guest.Text == sent + "b", "all of it in order");
    }

    [Fact]
    public void WhatAPeerSentBeforeItWentIsDroppedWhereNobodyListens()
    {
        string path = _test.Path("serial.sock");
        using SocketBackend backend = new(_test.Loop, path, "-serial");
        TestGuest guest = new(backend) { KeepsInput = false };
        guest.Eat(0);
        TestPeer.Connect(path).Send("a question").Dispose();
        _test.Settle();
        guest.KeepsInput = true;
        using TestPeer next = TestPeer.Connect(path).Send("b");
        guest.Eat(int.MaxValue);
        _test.Until(() => guest.Text.Length > 0, "input");
        _test.Settle();
        Assert.Equal("b", guest.Text);
    }

    [Fact]
    public void APeerThatEndsItsSendingStillReads()
    {
        string path = _test.Path("serial.sock");
        using SocketBackend backend = new(_test.Loop, path, "-serial");
        TestGuest guest = new(backend);
        using TestPeer peer = TestPeer.Connect(path).Send("date\n");
        peer.EndSending();
        _test.Until(() => guest.Text == "date\n", "input");
        guest.Print("today");
        _test.Until(() => peer.Text == "today", "output");
    }

    [Fact]
    public void ConnectionsThatWaitAreBounded()
    {
        string path = _test.Path("serial.sock");
        using SocketBackend backend = new(_test.Loop, path, "-serial");
        _ = new TestGuest(backend);
        TestPeer[] peers = [.. Enumerable.Range(0, 10).Select(_ => TestPeer.Connect(path))];
        _test.Settle();
        Assert.Equal([false, false, false, false, false, false, false, false, false, true], [.. peers.Select(p => p.IsAtEnd())]);
        foreach (TestPeer peer in peers)
        {
            peer.Dispose();
        }
    }

    [Fact]
    public void ASocketsSlowPeerLosesTheOldest()
    {
        string path = _test.Path("serial.sock");
        using SocketBackend backend = new(_test.Loop, path, "-serial");
        TestGuest guest = new(backend);
        using TestPeer peer = TestPeer.Connect(path);
        _test.Settle();
        for (int i = 0; i < 100_000; i++)
        {
            guest.Print($"{i:d6}\n");
            if (i % 1000 == 0)
            {
                _test.Loop.RunOnce(0);
            }
        }

        _test.Settle();
        guest.Print("end");
        _test.Until(() => peer.Text.EndsWith("099999\nend", StringComparison.Ordinal), "the end of the output");
        Assert.True(peer.Text.Length < 600_000, $"{peer.Text.Length} of 700,000 bytes");
    }

    [Fact]
    public void EachConfigurationHasItsBackend()
    {
        Assert.Null(CharBackends.Create(_test.Loop, SerialConfiguration.None, "ttyS0", "-serial"));
        string file = _test.Path("f");
        string socket = _test.Path("s");
        (SerialConfiguration Configuration, string Name)[] cases =
        [
            (new(SerialBackend.Null), "null"),
            (new(SerialBackend.File, file), $"file:{file}"),
            (new(SerialBackend.Unix, socket), $"unix:{socket},server"),
            (new(SerialBackend.Console, _test.Path("c"), _test.Path("l")), $"console,socket={_test.Path("c")}"),
        ];
        foreach ((SerialConfiguration configuration, string name) in cases)
        {
            using ICharBackend? backend = CharBackends.Create(_test.Loop, configuration, "ttyS0", "-serial");
            Assert.Equal(name, backend?.Name);
        }
    }
}
