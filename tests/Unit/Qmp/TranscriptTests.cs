using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.Engine.Virtio;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Qmp;

/// <summary>What QEMU's own client library and shell sent to the engine once, and what it said: it still says so.</summary>
/// <remarks>
/// The recordings are in Transcripts: <c>&lt;-</c> is what the client sent, <c>-&gt;</c> what the engine said. Times, thread ids,
/// descriptors' numbers, paths, MAC addresses and the version vary; <c>"[N or more]"</c> stands for an array that is too long to keep.
/// </remarks>
[Collection("FileSets")]
public sealed partial class TranscriptTests : IDisposable
{
    // Where the disk was when the transcripts were recorded.
    private const string RecordedDisk = "/tmp/disk.img";

    private static readonly string[] Paths = ["file", "filename"];
    private static readonly string[] Numbers = ["seconds", "microseconds", "thread_id", "thread-id", "fd"];

    private readonly QmpHarness _harness = new();
    private readonly TemporaryFile _disk = new(1 << 20);
    private readonly MmioDriver _balloonDriver = new(new BalloonDevice("balloon0", deflateOnOom: false, reporting: false));
    private readonly MemoryBalloon _balloon;
    private readonly List<FileDescriptor> _farEnds = [];
    private TestClient? _client;

    public TranscriptTests()
    {
        _balloon = new MemoryBalloon((BalloonDevice)_balloonDriver.Device, _harness.Machine.Memory.Size, _balloonDriver.Loop);
        _harness.Machine.Balloon = _balloon;
        _harness.Machine.State = RunState.Prelaunch;
        _harness.Machine.Memory = _harness.Machine.Memory with { Dumped = true };
    }

    public void Dispose()
    {
        _client?.Dispose();
        _harness.Dispose();
        _balloon.Dispose();
        _balloonDriver.Dispose();
        _disk.Dispose();
        _farEnds.ForEach(end => end.Dispose());
    }

    [Theory]
    [InlineData("qmp-shell", 51)]
    [InlineData("qmp-shell-hmp", 16)]
    [InlineData("qmp-client", 38)]
    public void TheEngineAnswersAsRecorded(string name, int answers)
    {
        string[] lines = File.ReadAllLines(Path.Combine(FindFolder(), name + ".txt"));
        int checkedAnswers = 0;
        for (int i = 0; i < lines.Length; i++)
        {
            if (lines[i].StartsWith('#'))
            {
                continue;
            }

            string text = lines[i][3..].Replace(RecordedDisk, _disk.Path, StringComparison.Ordinal);
            switch (lines[i][..3])
            {
                case "== ":
                    _client?.Dispose();
                    _client = new TestClient(_harness);
                    break;
                case "<- ":
                    Send(text);
                    break;
                case "-> ":
                    string? fault = text == "[end]" ? End() : Difference(text, _client!.ReadLine());
                    Assert.True(fault is null, $"{name}.txt({i + 1}): {fault}");
                    checkedAnswers++;
                    break;
                default:
                    Assert.Fail($"{name}.txt({i + 1}) is no line of a transcript: {lines[i]}");
                    break;
            }
        }

        Assert.Equal(answers, checkedAnswers);
    }

    [Theory]
    [InlineData("""{"return":{"a":1}}""", """{"return":{"a":2}}""")]
    [InlineData("""{"return":{"a":1}}""", """{"return":{}}""")]
    [InlineData("""{"return":{}}""", """{"return":{},"id":1}""")]
    [InlineData("""{"return":{},"id":"x#1"}""", """{"return":{},"id":"x#2"}""")]
    [InlineData("""{"return":[{"fd":3}]}""", """{"return":[{"fd":"3"}]}""")]
    [InlineData("""{"return":[{"fd":3}]}""", """{"return":[]}""")]
    [InlineData("""{"return":{"file":"/a"}}""", """{"return":{"file":null}}""")]
    [InlineData("""{"return":"[3 or more]"}""", """{"return":["a","b"]}""")]
    [InlineData("""{"return":"[3 or more]"}""", """{"return":"[3 or more]"}""")]
    [InlineData("""{"return":"[1 or more]"}""", """{"error":{"class":"GenericError","desc":"no"}}""")]
    [InlineData("""{"return":"* CPU #0: thread_id=1\r\n"}""", """{"return":"  CPU #0: thread_id=1\r\n"}""")]
    [InlineData("""{"event":"STOP","timestamp":{"seconds":1}}""", """{"event":"STOP"}""")]
    public void ADifferenceIsSeen(string recorded, string said) => Assert.NotNull(Difference(recorded, said));

    [Theory]
    [InlineData("""{"return":[{"fd":3,"file":"/a","thread-id":1}]}""", """{"return":[{"fd":4,"file":"/b","thread-id":2}]}""")]
    [InlineData("""{"return":"[2 or more]"}""", """{"return":["a","b","c"]}""")]
    [InlineData("""{"return":"* CPU #0: thread_id=1\r\n"}""", """{"return":"* CPU #0: thread_id=22\r\n"}""")]
    [InlineData("""{"return":"rootfs (rootfs): root (raw)\r\n"}""", """{"return":"rootfs (rootfs): /other (raw)\r\n"}""")]
    public void WhatVariesIsNoDifference(string recorded, string said) => Assert.Null(Difference(recorded, said));

    private static string? Difference(string recorded, string said)
    {
        JsonNode expected = JsonNode.Parse(recorded)!;
        JsonNode actual = JsonNode.Parse(said)!;
        if (expected["return"] is JsonValue value && value.TryGetValue(out string? text) && LongArray().Match(text) is { Success: true } most)
        {
            int least = int.Parse(most.Groups[1].Value, CultureInfo.InvariantCulture);
            return actual["return"] is JsonArray array && array.Count >= least ? null : $"an array of {least} or more is recorded, and the answer is {said}";
        }

        Simplify(expected);
        Simplify(actual);
        return JsonNode.DeepEquals(expected, actual) ? null : $"recorded is {recorded}, and the answer is {said}";
    }

    /// <summary>Puts one value in the place of each that varies, if it is of the type it has to be.</summary>
    private static void Simplify(JsonNode? node)
    {
        if (node is JsonArray array)
        {
            foreach (JsonNode? item in array)
            {
                Simplify(item);
            }
        }
        else if (node is JsonObject members)
        {
            foreach ((string name, JsonNode? value) in members.ToArray())
            {
                if (value is not JsonValue scalar)
                {
                    Simplify(value);
                }
                else if (Numbers.Contains(name) && scalar.TryGetValue(out long _))
                {
                    members[name] = 0;
                }
                else if (scalar.TryGetValue(out string? text))
                {
                    members[name] = Paths.Contains(name) ? "PATH" : name is "return" or "package" or "mac" ? VaryingText().Replace(text, "X") : text;
                }
            }
        }
    }

    private static string FindFolder()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Strato.slnx")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return Path.Combine(folder ?? throw new InvalidOperationException("The tests run outside the repository."), "tests/Unit/Qmp/Transcripts");
    }

    private void Send(string text)
    {
        switch (text)
        {
            case "[descriptor of a file]":
                using (FileDescriptor file = new(Libc.Open(_disk.Path, Libc.O_RDWR)))
                {
                    Pass(file);
                }

                break;
            case "[descriptor of a socket]":
                Libc.CreateSocketPair(out FileDescriptor near, out FileDescriptor far);
                _farEnds.Add(far);
                using (near)
                {
                    Pass(near);
                }

                break;
            case "[end]":
                _client!.Socket.Shutdown(SocketShutdown.Send);
                break;
            default:
                // The library puts nothing between two requests.
                _client!.Send(Encoding.UTF8.GetBytes(text));
                break;
        }
    }

    /// <summary>As the library does: with a space, before the request that the descriptor is for.</summary>
    private void Pass(FileDescriptor file) => Assert.Equal(1, Libc.SendFiles((int)_client!.Socket.Handle, " "u8, [file.Value]));

    private string? End()
    {
        if (_harness.Machine.QuitReason is not null)
        {
            _harness.Server.Dispose();
        }

        string rest = _client!.ReadToEnd();
        return rest.Length == 0 ? null : $"the end is recorded, and the answer is {rest}";
    }

    [GeneratedRegex(@"^\[(\d+) or more\]$", RegexOptions.None, 1000)]
    private static partial Regex LongArray();

    // Of human-monitor-command's texts, of the version, and the addresses of interfaces, which the engine makes up for spare slots.
    [GeneratedRegex(@"(?<=thread_id=)\d+|(?<=\): )\S+(?= \(raw)|(?<=^strato-)[\w.+-]+|^([0-9a-f]{2}:){5}[0-9a-f]{2}$", RegexOptions.None, 1000)]
    private static partial Regex VaryingText();
}
