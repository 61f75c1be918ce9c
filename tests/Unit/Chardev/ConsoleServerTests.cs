using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text;
using Strato.Engine.Bus;
using Strato.Engine.Chardev;
using Strato.Engine.Devices;
using Strato.Engine.Linux;
using Strato.Protocol;
using Xunit;

namespace Strato.Tests.Unit.Chardev;

public sealed class ConsoleServerTests : IDisposable
{
    private readonly TestLoop _test = new();
    private readonly ConsoleBackend _console;
    private readonly TestGuest _guest;
    private readonly List<IDisposable> _peers = [];

    public ConsoleServerTests()
    {
        _console = new ConsoleBackend(_test.Loop, Socket, _test.Path("log"), "-serial");
        _guest = new TestGuest(_console);
    }

    private string Socket => _test.Path("console.sock");

    public void Dispose()
    {
        foreach (IDisposable peer in _peers)
        {
            peer.Dispose();
        }

        _console.Dispose();
        _test.Dispose();
    }

    [Fact]
    public void FollowFromTheStartGetsAllThatWasAndThatComes()
    {
        _guest.Print("one ");
        TestPeer peer = Open("""{"mode":"follow","from":"start"}""");
        Expect(peer, "{\"offset\":0,\"dropped\":0,\"writer\":false}\none ");
        _guest.Print("two");
        Expect(peer, "{\"offset\":0,\"dropped\":0,\"writer\":false}\none two");
    }

    [Fact]
    public void FollowFromTheEndGetsWhatComes()
    {
        _guest.Print("one ");
        TestPeer peer = Open("""{"mode":"follow"}""");
        Expect(peer, "{\"offset\":4,\"dropped\":0,\"writer\":false}\n");
        _guest.Print("two");
        Expect(peer, "{\"offset\":4,\"dropped\":0,\"writer\":false}\ntwo");
    }

    [Fact]
    public void FollowFromAnOffset()
    {
        _guest.Print("0123456789");
        Expect(Open("""{"mode":"follow","from":7}"""), "{\"offset\":7,\"dropped\":0,\"writer\":false}\n789");
        Expect(Open("""{"mode":"follow","from":10}"""), "{\"offset\":10,\"dropped\":0,\"writer\":false}\n");
        Expect(Open("""{"mode":"follow","from":11}"""), "{\"id\":\"ConsoleRequestInvalid\",\"error\":\"from is 11, but only 10 bytes have been written.\"}\n", ended: true);
    }

    [Fact]
    public void ABootBeginsWithTheLastReset()
    {
        _guest.Print("login: ");
        Expect(Open("""{"mode":"follow","from":"boot"}"""), "{\"offset\":0,\"dropped\":0,\"writer\":false}\nlogin: ");
        _console.BeginBoot();
        Expect(Open("""{"mode":"follow","from":"boot"}"""), "{\"offset\":7,\"dropped\":0,\"writer\":false}\n");
        _guest.Print("second");
        Expect(Open("""{"mode":"attach","from":"boot"}"""), "{\"offset\":7,\"dropped\":0,\"writer\":true}\nsecond");
        Expect(Open("""{"mode":"follow","from":"start"}"""), "{\"offset\":0,\"dropped\":0,\"writer\":false}\nlogin: second");

        // What the ring has lost of this boot is told, and only of this boot.
        _guest.Print(new string('x', ConsoleBackend.RingSize));
        TestPeer peer = Open("""{"mode":"follow","from":"boot"}""");
        _test.Until(() => peer.Text.Contains('\n', StringComparison.Ordinal), "the answer");
        Assert.StartsWith("{\"offset\":13,\"dropped\":6,\"writer\":false}\n", peer.Text);
    }

    [Fact]
    public void TheUartTellsOfItsReset()
    {
        using ConsoleBackend console = new(_test.Loop, null, null, "-serial");
        Serial16550 uart = new(new NoLine(), console);
        uart.Write(0, "a"u8);
        Assert.Equal(0, console.Ring.Boot);
        uart.Reset();
        Assert.Equal((1L, 1L), (console.Ring.Boot, console.Ring.End));
    }

    [Fact]
    public void WhatTheRingHasDroppedIsReported()
    {
        string line = new('x', 1023);
        for (int i = 0; i < 1100; i++)
        {
            _guest.Print(line + "\n");
        }

        TestPeer peer = Open("""{"mode":"follow","from":1000}""");
        long start = (1100 - 1024) * 1024;
        _test.Until(() => peer.Text.Length > ConsoleBackend.RingSize, "the whole ring");
        Assert.StartsWith($"{{\"offset\":{start},\"dropped\":{start - 1000},\"writer\":false}}\n", peer.Text);
        Assert.Equal(peer.Text.IndexOf('\n') + 1 + ConsoleBackend.RingSize, peer.Text.Length);
    }

    [Theory]
    [InlineData("nonsense\n", "not JSON")]
    [InlineData("""{"mode":"dance"}""" + "\n", "mode must be")]
    [InlineData("\n", "not JSON")]
    public void AMalformedRequestGetsOneLineAndTheEnd(string request, string message)
    {
        TestPeer peer = Connect().Send(request);
        _test.Until(peer.IsAtEnd, "the end");
        Assert.Equal(0, peer.Error);
        Assert.StartsWith("{\"id\":\"ConsoleRequestInvalid\",\"error\":", peer.Text);
        Assert.Contains(message, peer.Text);
        Assert.EndsWith("}\n", peer.Text);
    }

    [Fact]
    public void ARequestThatIsTooLongIsRefused()
    {
        TestPeer peer = Connect().Send(new string(' ', ConsoleClient.MaxRequest));
        Expect(peer, "{\"id\":\"ConsoleRequestInvalid\",\"error\":\"The request line is longer than 4096 bytes.\"}\n", ended: true);

        string longest = """{"mode":"follow"}""";
        Expect(Connect().Send(longest.PadRight(ConsoleClient.MaxRequest - 1) + "\n"), "{\"offset\":0,\"dropped\":0,\"writer\":false}\n");
    }

    [Fact]
    public void ARequestMayComeInPieces()
    {
        TestPeer peer = Connect();
        foreach (char c in "{\"mode\":\"attach\"}\nab")
        {
            peer.Send(c.ToString());
            _test.Settle();
        }

        Expect(peer, "{\"offset\":0,\"dropped\":0,\"writer\":true}\n");
        Assert.Equal("ab", _guest.Text);
    }

    [Fact]
    public void ARequestThatEndsEarlyIsRefused()
    {
        TestPeer peer = Connect().Send("""{"mode":"follow"}""");
        peer.EndSending();
        Expect(peer, "{\"id\":\"ConsoleRequestInvalid\",\"error\":\"The connection ended before the end of the request line.\"}\n", ended: true);
    }

    [Fact]
    public void ARequestThatDoesNotComeInTimeIsRefused()
    {
        ConsoleRing ring = new(16);
        using ConsoleServer server = new(_test.Loop, ring, _guest, _test.Path("short.sock"), "-serial") { RequestTime = TimeSpan.FromMilliseconds(30) };
        TestPeer peer = TestPeer.Connect(_test.Path("short.sock")).Send("{");
        _peers.Add(peer);
        Expect(peer, "{\"id\":\"ConsoleRequestTimeout\",\"error\":\"No request came within 0.03 seconds.\"}\n", ended: true);
        Assert.Equal(0, server.ClientCount);
    }

    [Fact]
    public void OneClientWritesAndASecondIsRefusedUntilItTakesTheConsole()
    {
        TestPeer first = Open("""{"mode":"attach"}""");
        Expect(first, "{\"offset\":0,\"dropped\":0,\"writer\":true}\n");
        first.Send("a");
        TestPeer second = Open("""{"mode":"attach"}""");
        Expect(second, "{\"id\":\"ConsoleBusy\",\"error\":\"Another client is attached to the console; \\u0022take\\u0022:true detaches it.\"}\n", ended: true);

        TestPeer third = Open("""{"mode":"attach","take":true}""");
        Expect(third, "{\"offset\":0,\"dropped\":0,\"writer\":true}\n");
        _test.Until(first.IsAtEnd, "the first is disconnected");
        third.Send("b");
        _test.Until(() => _guest.Text == "ab", "both wrote");
    }

    [Fact]
    public void WhenTheWriterGoesTheNextMayCome()
    {
        TestPeer first = Open("""{"mode":"attach"}""");
        Expect(first, "{\"offset\":0,\"dropped\":0,\"writer\":true}\n");
        first.Dispose();
        Expect(Open("""{"mode":"attach"}"""), "{\"offset\":0,\"dropped\":0,\"writer\":true}\n");
    }

    [Fact]
    public void OneOffSendsReachASlowGuestWholeAndInOrder()
    {
        _guest.Eat(0);
        string expected = "";
        for (int i = 0; i < 5; i++)
        {
            string text = string.Concat(Enumerable.Repeat($"<{i}>", 200));
            expected += text;
            using TestPeer peer = TestPeer.Connect(Socket);
            peer.Send("{\"mode\":\"attach\"}\n" + text);
            peer.EndSending();
            Expect(peer, "{\"offset\":0,\"dropped\":0,\"writer\":true}\n");
        }

        Assert.Equal("", _guest.Text);
        while (_guest.Received.Count < expected.Length)
        {
            int before = _guest.Received.Count;
            _guest.Eat(7);
            _test.Until(() => _guest.Received.Count > before, "the guest gets more");
            Assert.True(_guest.Received.Count <= before + 7);
        }

        Assert.Equal(expected, _guest.Text);
        _guest.Eat(int.MaxValue);
        Expect(Open("""{"mode":"attach"}"""), "{\"offset\":0,\"dropped\":0,\"writer\":true}\n");
    }

    [Fact]
    public void InputThatTheGuestNeverReadsIsBounded()
    {
        _guest.Eat(0);
        for (int i = 0; i < ConsoleServer.MaxInputs; i++)
        {
            using TestPeer peer = TestPeer.Connect(Socket).Send("{\"mode\":\"attach\"}\nx");
            peer.EndSending();
            Expect(peer, "{\"offset\":0,\"dropped\":0,\"writer\":true}\n");
        }

        TestPeer refused = Open("""{"mode":"attach"}""");
        _test.Until(refused.IsAtEnd, "the end");
        Assert.StartsWith("{\"id\":\"ConsoleInputFull\",", refused.Text);
        Assert.Contains("The input of 16 clients waits for the guest", refused.Text);
        Expect(Open("""{"mode":"attach","take":true}"""), "{\"offset\":0,\"dropped\":0,\"writer\":true}\n");
        _guest.Eat(int.MaxValue);
        _test.Settle();
        Assert.Equal("", _guest.Text);
    }

    [Fact]
    public void AGuestThatReadsNothingHoldsUpItsWriterAndNobodyElse()
    {
        _guest.Eat(0);
        TestPeer writer = Open("""{"mode":"attach"}""");
        Expect(writer, "{\"offset\":0,\"dropped\":0,\"writer\":true}\n");
        byte[] paste = [.. Enumerable.Range(0, 4_000_000).Select(i => (byte)('a' + (i % 26)))];
        int sent = writer.SendAll(paste);
        _test.Settle();
        Assert.True(sent < paste.Length, "the sockets took it all: it is not held back");
        Assert.Equal(0, writer.SendAll(paste));

        // It still reads, and so do others.
        _guest.Print("output");
        Expect(writer, "{\"offset\":0,\"dropped\":0,\"writer\":true}\noutput");
        Expect(Open("""{"mode":"follow","from":"start"}"""), "{\"offset\":0,\"dropped\":0,\"writer\":false}\noutput");

        _guest.Eat(int.MaxValue);
        _test.Until(() => _guest.Received.Count == sent, "the guest reads it all");
        Assert.Equal(paste[..sent], _guest.Received.ToArray());
    }

    [Fact]
    public void AFollowersBytesGoNowhere()
    {
        TestPeer peer = Open("""{"mode":"follow"}""").Send("typed\n");
        _test.Settle();
        _guest.Print("x");
        Expect(peer, "{\"offset\":0,\"dropped\":0,\"writer\":false}\nx");
        Assert.Equal("", _guest.Text);

        // Nor do they spoil the end.
        _console.Dispose();
        Expect(peer, "{\"offset\":0,\"dropped\":0,\"writer\":false}\nx", ended: true);
        Assert.Equal(0, peer.Error);
    }

    [Fact]
    public void AClientThatHasEndedItsSendingStillReads()
    {
        TestPeer peer = Open("""{"mode":"attach"}""").Send("in");
        peer.EndSending();
        _test.Until(() => _guest.Text == "in", "the guest gets it");
        _guest.Print("out");
        Expect(peer, "{\"offset\":0,\"dropped\":0,\"writer\":true}\nout");
    }

    [Fact]
    public void OnlySoManyClientsAreServed()
    {
        for (int i = 0; i < ConsoleServer.MaxClients; i++)
        {
            Expect(Open("""{"mode":"follow"}"""), "{\"offset\":0,\"dropped\":0,\"writer\":false}\n");
        }

        TestPeer refused = Connect();
        _test.Until(refused.IsAtEnd, "the end");
        Assert.StartsWith("{\"id\":\"ConsoleClientLimit\",", refused.Text);
        Assert.Contains("64 clients are connected to the console", refused.Text);
        _peers[0].Dispose();
        _test.Settle();
        Expect(Open("""{"mode":"follow"}"""), "{\"offset\":0,\"dropped\":0,\"writer\":false}\n");
    }

    [Fact]
    public void AStoppedReaderNeverHoldsUpTheVcpu()
    {
        // Through the UART, as a vCPU does it; the loop turns on this same thread, between.
        using ConsoleBackend console = new(_test.Loop, _test.Path("uart.sock"), _test.Path("uart.log"), "-serial");
        Serial16550 uart = new(new NoLine(), console);
        TestPeer stopped = TestPeer.Connect(_test.Path("uart.sock")).Send("{\"mode\":\"follow\",\"from\":\"start\"}\n");
        TestPeer reader = TestPeer.Connect(_test.Path("uart.sock")).Send("{\"mode\":\"follow\",\"from\":\"start\"}\n");
        _peers.AddRange([stopped, reader]);
        _test.Settle();

        const int Total = 10_000_000;
        byte[] one = new byte[1];
        TimeSpan longest = TimeSpan.Zero;
        for (int at = 0; at < Total;)
        {
            long before = Stopwatch.GetTimestamp();
            for (int i = 0; i < 100_000; i++, at++)
            {
                one[0] = ByteAt(at);
                uart.Write(0, one);
            }

            TimeSpan took = Stopwatch.GetElapsedTime(before);
            longest = took > longest ? took : longest;
            long offset = console.Ring.End;
            _test.Until(() => Drained(reader) == offset, "the reader that reads has it all");
        }

        // A write that waited for a reader would wait for ever, for the loop turns on this thread. 100,000 bytes take some
        // milliseconds; the bound is for a machine with many other things to do.
        Assert.True(longest < TimeSpan.FromSeconds(30), $"100,000 bytes took {longest}");
        Assert.Equal(Total, Drained(reader));
        Assert.Equal(Total, new FileInfo(_test.Path("uart.log")).Length);

        // The stopped one goes on: first what its socket held, then a jump to what the ring still has, to the very end.
        _test.Until(() => { stopped.Pull(); return stopped.Received[^1] == ByteAt(Total - 1); }, "the end of the output");
        int answer = stopped.Received.IndexOf((byte)'\n') + 1;
        byte[] got = stopped.Received.Skip(answer).ToArray();
        Assert.True(got.Length is > ConsoleBackend.RingSize and < Total, $"{got.Length} bytes");
        int held = 0;
        while (got[held] == ByteAt(held))
        {
            held++;
        }

        byte[] end = [.. Enumerable.Range(Total - ConsoleBackend.RingSize, ConsoleBackend.RingSize).Select(i => ByteAt(i))];
        Assert.True(got.AsSpan(got.Length - end.Length).SequenceEqual(end), "the last MiB is whole");

        Assert.InRange(got.Length - held, ConsoleBackend.RingSize, ConsoleBackend.RingSize + (64 * 1024));

        static byte ByteAt(long offset) => (byte)((offset * 167) ^ (offset >> 8) ^ (offset >> 16));

        static int Drained(TestPeer peer)
        {
            peer.Pull();
            return peer.Received.Count - peer.Received.IndexOf((byte)'\n') - 1;
        }
    }

    [Fact]
    public void AtTheEndEachReaderGetsTheLastBytesAndThenTheEnd()
    {
        TestPeer follower = Open("""{"mode":"follow","from":"start"}""");
        TestPeer writer = Open("""{"mode":"attach"}""").Send("unread");
        _guest.Eat(0);
        _test.Settle();
        _guest.Print("reboot: Power down\n");
        _console.Flush(TimeSpan.FromSeconds(1));
        _console.Dispose();

        // Nothing turns the loop any more.
        Assert.True(follower.IsAtEnd());
        Assert.True(writer.IsAtEnd());
        Assert.EndsWith("\nreboot: Power down\n", follower.Text);
        Assert.EndsWith("\nreboot: Power down\n", writer.Text);
        Assert.Equal((0, 0), (follower.Error, writer.Error));
        Assert.Equal("reboot: Power down\n", File.ReadAllText(_test.Path("log")));
        Assert.False(File.Exists(Socket));
    }

    [Fact]
    public void TheEndWaitsForAStoppedReaderNoLongerThanAllowed()
    {
        TestPeer stopped = Open("""{"mode":"follow","from":"start"}""");
        TestPeer reader = Open("""{"mode":"follow"}""");
        _test.Settle();
        _guest.Print(new string('x', 900_000));
        Stopwatch watch = Stopwatch.StartNew();
        _console.Flush(TimeSpan.FromMilliseconds(100));
        Assert.InRange(watch.Elapsed, TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(5));
        _console.Dispose();
        Assert.True(reader.IsAtEnd());
        Assert.True(stopped.IsAtEnd());
    }

    [Fact]
    public void ManyReadersAtOnce()
    {
        List<TestPeer> readers = [.. Enumerable.Range(0, 20).Select(_ => Open("""{"mode":"follow","from":"start"}"""))];
        StringBuilder all = new();
        for (int i = 0; i < 200; i++)
        {
            string line = $"line {i}\n";
            all.Append(line);
            _guest.Print(line);
            _test.Loop.RunOnce(0);
        }

        foreach (TestPeer reader in readers)
        {
            _test.Until(() => reader.Text.EndsWith("line 199\n", StringComparison.Ordinal), "the last line");
            Assert.EndsWith("}\n" + all, reader.Text);
        }
    }

    [Fact]
    public void ServingAllocatesNothing()
    {
        TestPeer peer = Open("""{"mode":"follow"}""");
        _test.Settle();
        byte[] data = new byte[100];
        byte[] sink = new byte[4096];
        Turn();
        Allocation.AssertNone(Turn);

        void Turn()
        {
            for (int i = 0; i < 50; i++)
            {
                _console.Transmit(data);
                _test.Loop.RunOnce(0);
                _test.Loop.RunOnce(5);
                _ = Libc.Read(peer.Fd.Value, sink);
            }
        }
    }

    [Fact]
    public void ASocketThatExistsIsAnErrorOfTheOption()
    {
        using ConsoleBackend second = new(_test.Loop, Socket, null, "-serial");
        UserErrorException error = Assert.Throws<UserErrorException>(() => new TestGuest(second));
        Assert.Equal(("SocketExists", "-serial"), (error.Id, error.Where));
    }

    private TestPeer Connect()
    {
        TestPeer peer = TestPeer.Connect(Socket);
        _peers.Add(peer);
        return peer;
    }

    private TestPeer Open(string request) => Connect().Send(request + "\n");

    private void Expect(TestPeer peer, string text, bool ended = false)
    {
        _test.Until(() => peer.Text.Length >= text.Length && (!ended || peer.Ended), $"'{text}' (there is '{peer.Text}')");
        Assert.Equal(text, peer.Text);
    }

    private sealed class NoLine : IInterruptLine
    {
        public void Trigger()
        {
        }
    }
}
