using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Strato.Engine.Machine;
using Strato.Engine.Qmp;
using Strato.Protocol;
using Strato.Protocol.Qmp;
using Xunit;

namespace Strato.Tests.Unit.Qmp;

public sealed class QmpServerTests : IDisposable
{
    private const string Ok = """{"return":{}}""";

    private readonly QmpHarness _harness = new();

    public void Dispose() => _harness.Dispose();

    [Fact]
    public void ABurstOfAThousandRequestsIsAnsweredInOrder()
    {
        using TestClient client = _harness.Connect();
        StringBuilder burst = new();
        for (int i = 0; i < 1000; i++)
        {
            burst.Append(CultureInfo.InvariantCulture, $$"""{"execute":"query-cpus","id":{{i}}}""");
        }

        client.Send(burst.ToString());
        for (int i = 0; i < 1000; i++)
        {
            Assert.EndsWith($$""","id":{{i}}}""", client.ReadLine(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void RequestsSplitAtEveryByteAreUnderstood()
    {
        using TestClient client = _harness.Connect();
        foreach (byte b in " {\"execute\":\"query-name\",\"id\":\"a\\\"}{\"}\r\n\t{\"execute\":\"query-kvm\"}"u8.ToArray())
        {
            client.Send([b]);
            _ = _harness.Loop.RunOnce(0);
        }

        Assert.Equal("""{"return":{"name":"fake"},"id":"a\"}{"}""", client.ReadLine());
        Assert.Equal("""{"return":{"enabled":true,"present":true}}""", client.ReadLine());
    }

    [Theory]
    [InlineData("1")]
    [InlineData("-0.50e+7")]
    [InlineData("\"text\"")]
    [InlineData("\"\\u00e9\\/ é\"")]
    [InlineData("null")]
    [InlineData("true")]
    [InlineData("[1, {\"a\": [ ]}]")]
    [InlineData("{ \"x\" : 1,\t\"x\":2 }")]
    [InlineData("123456789012345678901234567890")]
    public void AnIdOfAnyTypeComesBackByteForByte(string id)
    {
        using TestClient client = _harness.Connect();
        Assert.Equal($$"""{"return":{},"id":{{id}}}""", client.Ask($$"""{"execute":"qmp_capabilities","id":  {{id}} }"""));
        Assert.EndsWith($$""","id":{{id}}}""", client.Ask($$"""{"id":{{id}},"execute":"none-such"}"""), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"execute":"none-such"}""", "CommandNotFound", "The command none-such has not been found")]
    [InlineData("""{"execute":"query-statsu"}""", "CommandNotFound", "The command query-statsu has not been found (did you mean query-status?)")]
    [InlineData("""{"execute":"stop","arguments":{"now":true}}""", "GenericError", "Parameter 'now' of stop is unexpected; allowed: none")]
    [InlineData("""{"execute":"qmp_capabilities","arguments":{"enable":["oob"]}}""", "GenericError", "Parameter 'enable' names a capability that is not offered; allowed: []")]
    [InlineData("""{"execute":"qmp_capabilities","arguments":{"enable":1}}""", "GenericError", "Parameter 'enable' must be an array")]
    [InlineData("""{"execute":"qmp_capabilities","arguments":{"enable":[],"enable":[]}}""", "GenericError", "Parameter 'enable' is given twice")]
    [InlineData("""{"execute":1}""", "GenericError", "QMP input member 'execute' must be a string")]
    [InlineData("""{"arguments":{}}""", "GenericError", "QMP input lacks member 'execute'")]
    [InlineData("""{"execute":"stop","arguments":[]}""", "GenericError", "QMP input member 'arguments' must be an object")]
    [InlineData("""{"execute":"stop","argument":{}}""", "GenericError", "QMP input member 'argument' is unexpected; allowed: execute, arguments, id")]
    [InlineData("""{"execute":"stop","execute":"stop"}""", "GenericError", "QMP input member 'execute' is given twice")]
    [InlineData("""[1]""", "GenericError", "QMP input must be a JSON object")]
    public void AFaultyRequestIsAnsweredAndTheConnectionGoesOn(string request, string errorClass, string description)
    {
        using TestClient client = _harness.Connect();
        using JsonDocument reply = JsonDocument.Parse(client.Ask(request));
        JsonElement error = reply.RootElement.GetProperty("error");
        Assert.Equal(errorClass, error.GetProperty("class").GetString());
        Assert.Equal(description, error.GetProperty("desc").GetString());
        Assert.Equal(RunState.Running, _harness.Machine.State);
        Assert.Equal(Ok, client.Ask("""{"execute":"qmp_capabilities"}"""));
    }

    [Theory]
    [InlineData("hello\n")]
    [InlineData("GET / HTTP/1.1\r\n")]
    [InlineData("{\"execute\" \"stop\"}")]
    [InlineData("{'execute':'stop'}")]
    [InlineData("{\"execute\":\"stop\n")]
    [InlineData("{\"execute\":\"st\u0001op\"}\n")]
    [InlineData("{]\n")]
    [InlineData("{\"execute\":\"stop\",}")]
    [InlineData("{\"execute\":\"stop\"/*c*/}")]
    [InlineData("{\"execute\":\"\\ud800\"}")]
    public void WhatIsNotJsonIsAnsweredOnceAndTheConnectionGoesOn(string text)
    {
        using TestClient client = _harness.Connect();
        string reply = client.Ask(text);
        Assert.StartsWith("""{"error":{"class":"GenericError","desc":"JSON parse error""", reply, StringComparison.Ordinal);
        Assert.DoesNotContain("LineNumber", reply, StringComparison.Ordinal);
        Assert.Equal(RunState.Running, _harness.Machine.State);
        Assert.Equal(Ok, client.Ask("""{"execute":"qmp_capabilities"}"""));
    }

    [Fact]
    public void InvalidUtf8IsRefused()
    {
        using TestClient client = _harness.Connect();
        client.Send([.. "{\"execute\":\"a"u8, 0xc3, 0x28, .. "\",\"id\":1}"u8]);
        Assert.Equal("""{"error":{"class":"GenericError","desc":"JSON parse error, the text is not valid UTF-8"}}""", client.ReadLine());
    }

    [Fact]
    public void ARequestOfOneMebibyteIsTakenAndALargerOneIsNot()
    {
        using TestClient client = _harness.Connect();
        string head = """{"execute":"qmp_capabilities","id":""" + "\"";
        string id = new('x', QmpFramer.MaxMessage - head.Length - 2);
        client.Send(head + id + "\"}");
        Assert.Equal($$"""{"return":{},"id":"{{id}}"}""", client.ReadLine());

        client.Send(head + id + "y\"}" + """{"execute":"query-name"}""");
        Assert.Equal("""{"error":{"class":"GenericError","desc":"The request has more than 1048576 bytes, which is the most that is taken"}}""", client.ReadLine());
        Assert.Equal("""{"return":{"name":"fake"}}""", client.ReadLine());
    }

    [Fact]
    public void ARequestThatNestsTooDeeplyIsRefusedAlone()
    {
        using TestClient client = _harness.Connect();
        client.Send("""{"execute":"query-name","id":""" + new string('[', 63) + new string(']', 63) + "}");
        Assert.StartsWith("""{"return":{"name":"fake"},"id":[[[""", client.ReadLine(), StringComparison.Ordinal);
        client.Send("""{"execute":"query-name","id":""" + new string('[', 64) + new string(']', 64) + "}" + """{"execute":"query-kvm"}""");
        Assert.Contains("more than 64 deep", client.ReadLine(), StringComparison.Ordinal);
        Assert.Equal("""{"return":{"enabled":true,"present":true}}""", client.ReadLine());
    }

    [Fact]
    public void ACommandOfOneClientIsAnEventForAll()
    {
        using TestClient one = _harness.Connect();
        using TestClient two = _harness.Connect();
        SeedExchangesTests.AssertEvent("""{"event":"STOP","data":{},"timestamp":{"seconds":S,"microseconds":U}}""", one.Ask("""{"execute":"stop","id":1}"""));
        Assert.Equal("""{"return":{},"id":1}""", one.ReadLine());
        Assert.StartsWith("""{"event":"STOP",""", two.ReadLine(), StringComparison.Ordinal);

        // A second stop is no event, and nobody but the asker hears of it.
        Assert.Equal("""{"return":{},"id":2}""", two.Ask("""{"execute":"stop","id":2}"""));
        Assert.Equal("""{"return":{},"id":3}""", one.Ask("""{"execute":"qmp_capabilities","id":3}"""));

        Assert.StartsWith("""{"event":"RESET","data":{"guest":false,"reason":"host-qmp-system-reset"},""", one.Ask("""{"execute":"system_reset"}"""), StringComparison.Ordinal);
        Assert.StartsWith("""{"event":"RESET",""", two.ReadLine(), StringComparison.Ordinal);
        Assert.Equal(Ok, one.ReadLine());
        Assert.StartsWith("""{"event":"POWERDOWN","data":{},""", two.Ask("""{"execute":"system_powerdown"}"""), StringComparison.Ordinal);
        Assert.Equal(Ok, two.ReadLine());

        _harness.Machine.Raise(MachineEvent.Shutdown(true, "guest-shutdown"));
        Assert.StartsWith("""{"event":"POWERDOWN",""", one.ReadLine(), StringComparison.Ordinal);
        Assert.StartsWith("""{"event":"SHUTDOWN","data":{"guest":true,"reason":"guest-shutdown"},""", one.ReadLine(), StringComparison.Ordinal);
        Assert.StartsWith("""{"event":"SHUTDOWN",""", two.ReadLine(), StringComparison.Ordinal);
    }

    [Fact]
    public void ContOfAMachineThatEndedIsRefused()
    {
        using TestClient client = _harness.Connect();
        _harness.Machine.State = RunState.Shutdown;
        Assert.Contains("The machine is in state 'shutdown' and can't go on; system_reset and cont start it anew", client.Ask("""{"execute":"cont"}"""), StringComparison.Ordinal);
    }

    [Fact]
    public void AClientThatStopsReadingHoldsNobodyUpAndIsToldHowMuchItMissed()
    {
        using TestClient silent = _harness.Connect();
        using TestClient other = _harness.Connect();
        const int Raised = 3000;
        string padding = new('r', 300);
        for (int i = 0; i < Raised; i++)
        {
            _harness.Machine.Raise(MachineEvent.Shutdown(true, $"{i} {padding}"));
            Assert.StartsWith($"{i} ", NumberOf(other.ReadLine(), out long none), StringComparison.Ordinal);
            Assert.Equal(0, none);
        }

        // What the socket and the server's buffer held comes first, without a gap; then the newest, behind one gap that is told.
        int next = 0;
        long dropped = 0;
        int behind = 0;
        while (next < Raised)
        {
            string reason = NumberOf(silent.ReadLine(), out long missed);
            next += (int)missed;
            behind += dropped + missed > 0 ? 1 : 0;
            dropped += missed;
            Assert.StartsWith($"{next} ", reason, StringComparison.Ordinal);
            next++;
        }

        Assert.InRange(dropped, 1, Raised);
        Assert.Equal(LateMessages.MaxEvents, behind);
        Assert.Equal(Ok, silent.Ask("""{"execute":"qmp_capabilities"}"""));

        static string NumberOf(string line, out long missed)
        {
            using JsonDocument message = JsonDocument.Parse(line);
            missed = message.RootElement.TryGetProperty("dropped", out JsonElement count) ? count.GetInt64() : 0;
            return message.RootElement.GetProperty("data").GetProperty("reason").GetString()!;
        }
    }

    [Fact]
    public void ARepliesPlaceBehindLateEventsIsKept()
    {
        // The command itself raises more than the socket and the server's buffer hold: its reply waits behind.
        using TestClient client = _harness.Connect();
        string padding = new('r', 100_000);
        const int Count = 8;
        _harness.Machine.EventRaised += OnStop;
        client.Send("""{"execute":"stop"}""");
        _harness.TurnUntil(() => _harness.Machine.State == RunState.Paused, "stop");
        _harness.Machine.EventRaised -= OnStop;
        Assert.StartsWith("""{"event":"STOP",""", client.ReadLine(), StringComparison.Ordinal);
        for (int i = 0; i < Count; i++)
        {
            Assert.Contains(padding, client.ReadLine(), StringComparison.Ordinal);
        }

        Assert.Equal(Ok, client.ReadLine());

        void OnStop(MachineEvent raised)
        {
            for (int i = 0; raised.Name == "STOP" && i < Count; i++)
            {
                _harness.Machine.Raise(MachineEvent.Shutdown(true, padding));
            }
        }
    }

    [Fact]
    public void RequestsThatWaitForTheirReaderAreServedWhenAnEventEmptiesTheQueue()
    {
        using TestClient client = _harness.Connect();
        for (int i = 2; i < 254; i++)
        {
            _harness.Machine.CpuList.Add(new CpuStatus(i, i, false));
        }

        const int Requests = 30;
        byte[] requests = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("""{"execute":"query-cpus"}""", Requests)));
        Assert.Equal(requests.Length, client.Socket.Send(requests));
        client.Socket.Shutdown(SocketShutdown.Send);
        for (int i = 0; i < 100; i++)
        {
            _ = _harness.Loop.RunOnce(0);
        }

        // The client reads all that is there, without the server's turn, and then an event comes, which sends the rest of the queue.
        byte[] chunk = new byte[1 << 20];
        StringBuilder text = new();
        while (client.Socket.Receive(chunk, SocketFlags.None, out SocketError error) is var count && error == SocketError.Success && count > 0)
        {
            text.Append(Encoding.UTF8.GetString(chunk, 0, count));
        }

        _harness.Machine.Raise(MachineEvent.PowerDown);
        text.Append(client.ReadToEnd());
        Assert.Equal(Requests, text.ToString().Split('\n').Count(line => line.StartsWith("""{"return":""", StringComparison.Ordinal)));
    }

    [Fact]
    public void LateMessagesDropTheOldestEventAndNoReply()
    {
        LateMessages late = new();
        late.AddEvent("{\"event\":0}\r\n"u8);
        late.AddReply("{\"return\":{}}\r\n"u8);
        for (int i = 1; i <= LateMessages.MaxEvents + 1; i++)
        {
            late.AddEvent(Encoding.UTF8.GetBytes($$"""{"event":{{i}}}""" + "\r\n"));
        }

        Assert.Equal("{\"return\":{}}\r\n", Encoding.UTF8.GetString(late.Take()));
        Assert.Equal("{\"event\":2,\"dropped\":2}\r\n", Encoding.UTF8.GetString(late.Take()));
        for (int i = 3; i <= LateMessages.MaxEvents + 1; i++)
        {
            Assert.Equal($$"""{"event":{{i}}}""" + "\r\n", Encoding.UTF8.GetString(late.Take()));
        }

        Assert.True(late.IsEmpty);
    }

    [Fact]
    public void AClientThatAsksWithoutReadingIsNotReadOn()
    {
        using TestClient client = _harness.Connect();
        for (int i = 2; i < 254; i++)
        {
            _harness.Machine.CpuList.Add(new CpuStatus(i, i, false));
        }

        // Each reply has about 40 KB: together far above the queue, so the server must wait for its reader.
        byte[] requests = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("""{"execute":"query-cpus"}""", 100)));
        Assert.Equal(requests.Length, client.Socket.Send(requests));
        for (int i = 0; i < 200; i++)
        {
            _ = _harness.Loop.RunOnce(0);
        }

        Assert.Equal(1, _harness.Server.ClientCount);
        for (int i = 0; i < 100; i++)
        {
            Assert.StartsWith("""{"return":[{"CPU":0,""", client.ReadLine(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void AClientThatVanishesIsForgottenAndItsRequestsAreStillDone()
    {
        TestClient client = _harness.Connect();
        using TestClient witness = _harness.Connect();
        client.Send("""{"execute":"query-cpus"}{"execute":"stop"}""");
        client.Dispose();
        _harness.TurnUntil(() => _harness.Server.ClientCount == 1, "the client's end");
        Assert.Equal(RunState.Paused, _harness.Machine.State);
        Assert.StartsWith("""{"event":"STOP",""", witness.ReadLine(), StringComparison.Ordinal);
    }

    [Fact]
    public void AClientThatOnlyWritesAndGoesIsObeyed()
    {
        // It is gone before the server has even greeted it.
        using (Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            socket.Connect(new UnixDomainSocketEndPoint(_harness.SocketPath));
            socket.Send("""{"execute":"quit"}"""u8);
        }

        _harness.TurnUntil(() => _harness.Machine.QuitReason is not null, "quit");
        _harness.TurnUntil(() => _harness.Server.ClientCount == 0, "the client's end");
    }

    [Fact]
    public void AHalfClosedClientGetsItsRepliesAndTheEnd()
    {
        using TestClient client = _harness.Connect();
        client.Send("""{"execute":"query-name"}{"execute":"query-kvm"}""");
        client.Socket.Shutdown(SocketShutdown.Send);
        Assert.Equal("{\"return\":{\"name\":\"fake\"}}\r\n{\"return\":{\"enabled\":true,\"present\":true}}\r\n", client.ReadToEnd());
    }

    [Fact]
    public void ARequestThatIsCutOffIsSaidSo()
    {
        using TestClient client = _harness.Connect();
        client.Send("""{"execute":"st""");
        client.Socket.Shutdown(SocketShutdown.Send);
        Assert.Equal("{\"error\":{\"class\":\"GenericError\",\"desc\":\"JSON parse error, the stream ended within a request\"}}\r\n", client.ReadToEnd());
        Assert.Equal(0, _harness.Server.ClientCount);
        Assert.Equal(RunState.Running, _harness.Machine.State);
    }

    // What waits is as much as the socket doesn't hold: none, some, and more than the server reads on with.
    [Theory]
    [InlineData(50_000)]
    [InlineData(75_000)]
    [InlineData(100_000)]
    [InlineData(125_000)]
    [InlineData(150_000)]
    [InlineData(175_000)]
    [InlineData(200_000)]
    [InlineData(225_000)]
    [InlineData(250_000)]
    [InlineData(300_000)]
    public void ARequestThatIsCutOffBehindUnreadRepliesEndsToo(int unread)
    {
        using TestClient client = _harness.Connect();
        string id = new('x', 900);
        string reply = $$"""{"return":{"name":"fake"},"id":"{{id}}"}""" + "\r\n";
        int count = unread / reply.Length;
        byte[] requests = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat($$"""{"execute":"query-name","id":"{{id}}"}""", count)) + "{\"exec");

        // Not by the client's own Send, which reads meanwhile.
        for (int sent = 0, turns = 0; sent < requests.Length; turns++)
        {
            Assert.True(turns < 10_000, "the server did not read");
            int taken = client.Socket.Send(requests.AsSpan(sent), SocketFlags.None, out SocketError error);
            sent += error == SocketError.Success ? taken : 0;
            _ = _harness.Loop.RunOnce(0);
        }

        client.Socket.Shutdown(SocketShutdown.Send);
        for (int i = 0; i < 200; i++)
        {
            _ = _harness.Loop.RunOnce(0);
        }

        string end = """{"error":{"class":"GenericError","desc":"JSON parse error, the stream ended within a request"}}""" + "\r\n";
        Assert.Equal(string.Concat(Enumerable.Repeat(reply, count)) + end, client.ReadToEnd());
        Assert.Equal(0, _harness.Server.ClientCount);
    }

    [Fact]
    public void TooManyClientsAreRefusedWithAReason()
    {
        TestClient[] clients = new TestClient[QmpServer.MaxClients];
        for (int i = 0; i < clients.Length; i++)
        {
            clients[i] = _harness.Connect();
        }

        using (TestClient last = new(_harness))
        {
            Assert.Contains("64 clients are connected", last.ReadLine(), StringComparison.Ordinal);
            Assert.Equal("", last.ReadToEnd());
        }

        clients[0].Dispose();
        _harness.TurnUntil(() => _harness.Server.ClientCount < QmpServer.MaxClients, "a place");
        clients[0] = _harness.Connect();
        Array.ForEach(clients, client => client.Dispose());
    }

    [Fact]
    public void UnfinishedRequestsOfManyClientsCanNotFillTheMemory()
    {
        TestClient[] clients = new TestClient[20];
        byte[] half = new byte[900_000];
        half.AsSpan().Fill((byte)' ');
        half[0] = (byte)'{';
        for (int i = 0; i < clients.Length; i++)
        {
            clients[i] = _harness.Connect();
            try
            {
                clients[i].Send(half);
            }
            catch (SocketException)
            {
                // This one was cut off.
            }
        }

        for (int i = 0; i < 1000; i++)
        {
            _ = _harness.Loop.RunOnce(0);
        }

        Assert.InRange(_harness.Server.ClientCount, 4, 12);
        using TestClient another = _harness.Connect();
        Array.ForEach(clients, client => client.Dispose());
    }

    [Fact]
    public void WhatIsQueuedIsStillSentWhenTheServerEnds()
    {
        using TestClient client = _harness.Connect();
        _harness.Machine.Raise(MachineEvent.Shutdown(true, "guest-shutdown"));
        _harness.Server.Dispose();
        Assert.False(File.Exists(_harness.SocketPath));
        Assert.StartsWith("""{"event":"SHUTDOWN",""", client.ReadToEnd(), StringComparison.Ordinal);
    }

    [Fact]
    public void AClientThatNeverReadsDoesNotHoldTheEndUp()
    {
        using TestClient client = _harness.Connect();
        for (int i = 0; i < 900; i++)
        {
            _harness.Machine.Raise(MachineEvent.Shutdown(true, new string('r', 1000)));
        }

        long start = Environment.TickCount64;
        _harness.Server.Dispose();
        Assert.InRange(Environment.TickCount64 - start, 0, 5000);
    }

    [Fact]
    public void TheListsNameWhatIsThere()
    {
        using TestClient client = _harness.Connect();
        using JsonDocument commands = JsonDocument.Parse(client.Ask("""{"execute":"query-commands"}"""));
        foreach (JsonElement command in commands.RootElement.GetProperty("return").EnumerateArray())
        {
            // quit ends the reading; all others must at least be found, those about a balloon too, which isn't there, or what has to be named.
            string name = command.GetProperty("name").GetString()!;
            if (name is not ("quit" or "stop" or "cont" or "system_reset" or "system_powerdown" or "block_set_io_throttle"))
            {
                string start = name is "balloon" or "query-balloon" or "query-stats" or "dump-guest-memory" or "x-cancel-dump" or "qom-get" or "qom-set" or "set_link" or "migrate" or "migrate-continue"
                    or "chardev-add" or "chardev-remove" or "blockdev-add" or "blockdev-del" or "netdev_add" or "netdev_del" or "device_add" or "device_del" or "getfd" or "closefd" or "add-fd" or "remove-fd" or "human-monitor-command" ? """{"error":""" : """{"return":""";
                string answer = client.Ask($$"""{"execute":"{{name}}"}""");
                Assert.StartsWith(start, answer, StringComparison.Ordinal);
                Assert.DoesNotContain("CommandNotFound", answer, StringComparison.Ordinal);
            }
        }

        Assert.Equal(57, commands.RootElement.GetProperty("return").GetArrayLength());
        Assert.Equal("""{"return":[{"name":"STOP"},{"name":"RESUME"},{"name":"RESET"},{"name":"SHUTDOWN"},{"name":"POWERDOWN"},{"name":"BLOCK_IO_ERROR"},{"name":"BALLOON_CHANGED"},{"name":"NETDEV_STREAM_DISCONNECTED"},{"name":"DEVICE_DELETED"},{"name":"DUMP_COMPLETED"},{"name":"MIGRATION"},{"name":"CPU_RESIZE"},{"name":"ACPI_DEVICE_OST"}]}""", client.Ask("""{"execute":"query-events"}"""));
        Assert.Equal("""{"return":{"qemu":{"micro":1,"minor":0,"major":4},"package":"strato-0.1.0"}}""", client.Ask("""{"execute":"query-version"}"""));
        Assert.Equal("""{"return":[{"cpu-max":254,"deprecated":false,"hotpluggable-cpus":true,"name":"microvm","numa-mem-supported":false}]}""", client.Ask("""{"execute":"query-machines"}"""));
        Assert.Equal(
            """{"return":[{"device":"rootfs","inserted":{"drv":"raw","file":"/path/to/rootfs","image":{"filename":"/path/to/rootfs","format":"raw","virtual-size":1073741824},"iops":0,"node-name":"rootfs","ro":false},"io-status":"ok","locked":false,"qdev":"rootfs","removable":false,"type":"unknown"}]}""",
            client.Ask("""{"execute":"query-block"}"""));
        Assert.Equal(
            """{"return":[{"aio-max-batch":0,"id":"iothread1","poll-grow":0,"poll-max-ns":0,"poll-shrink":0,"thread-id":8441}]}""",
            client.Ask("""{"execute":"query-iothreads"}"""));
        Assert.Equal(
            """{"return":[{"filename":"stdio","frontend-open":true,"label":"serial0"},{"filename":"disconnected:unix:/p,server","frontend-open":false,"label":"p"}]}""",
            client.Ask("""{"execute":"query-chardev"}"""));
        _harness.Machine.Name = null;
        Assert.Equal(Ok, client.Ask("""{"execute":"query-name"}"""));
    }

    [Fact]
    public void SteadyRequestsKeepNoMemory()
    {
        using TestClient client = _harness.Connect();
        string request = """{"execute":"query-status"}""";
        for (int i = 0; i < 200; i++)
        {
            client.Ask(request);
        }

        // Tests beside this one keep memory as well, for a while: a leak of ours would show in every round.
        long least = long.MaxValue;
        for (int round = 0; round < 5 && least > 200_000; round++)
        {
            long before = GC.GetTotalMemory(forceFullCollection: true);
            for (int i = 0; i < 2000; i++)
            {
                client.Ask(request);
            }

            least = Math.Min(least, GC.GetTotalMemory(forceFullCollection: true) - before);
        }

        Assert.InRange(least, long.MinValue, 200_000);
    }

    [Fact]
    public void AnExistingSocketIsRefusedByName()
    {
        UserErrorException e = Assert.Throws<UserErrorException>(() => _harness.Server.Listen(_harness.SocketPath));
        Assert.Equal(("SocketExists", "-qmp"), (e.Id, e.Where));
        Assert.Contains($"'{_harness.SocketPath}' exists", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ThePackageIsTheBuildsVersion()
    {
        Assert.Equal(StratoVersion.Number, typeof(StratoVersion).Assembly.GetName().Version!.ToString(3));
        Assert.Equal("strato-" + StratoVersion.Number, StratoVersion.Package);
    }
}
