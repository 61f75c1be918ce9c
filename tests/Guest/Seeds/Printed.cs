using System;
using System.Collections.Generic;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Seeds;

/// <summary>Does what a seed prints: its commands with other paths, its exchanges over QMP.</summary>
internal static partial class Printed
{
    /// <summary>The arguments of a printed command, divided as a shell divides them, its prompt and program left out.</summary>
    /// <param name="command">As printed: <c>$ /path/to/stratovirt \ …</c>.</param>
    /// <param name="paths">What stands here for what is printed there.</param>
    public static List<string> Arguments(string command, params (string There, string Here)[] paths)
    {
        string text = Adapt(command.Replace("\\\n", " ", StringComparison.Ordinal), paths);
        List<string> words = [];
        foreach (Match word in Words().Matches(text))
        {
            words.Add(word.Groups[1].Success ? word.Groups[1].Value : word.Value);
        }

        Assert.Equal("$", words[0]);
        Assert.EndsWith("stratovirt", words[1], StringComparison.Ordinal);
        return words[2..];
    }

    /// <summary>A printed text with other paths, each of which it must have.</summary>
    public static string Adapt(string text, params (string There, string Here)[] paths)
    {
        foreach ((string there, string here) in paths)
        {
            Assert.Contains(there, text, StringComparison.Ordinal);
            text = text.Replace(there, here, StringComparison.Ordinal);
        }

        return text;
    }

    /// <summary>What isn't the seed's to say: the tests' readiness pipe is the harness's, and the virtual host's KVM has to be forced.</summary>
    public static EngineProcess Start(IEnumerable<string> arguments) =>
        EngineProcess.Start(TestHost.InVirtualHost ? [.. arguments, "-force"] : arguments);

    // A word of the shell: in quotes, or without spaces.
    [GeneratedRegex("\"([^\"]*)\"|\\S+", RegexOptions.None, 1000)]
    private static partial Regex Words();
}

/// <summary>A plain connection to QMP, as <c>ncat -U</c> makes one: lines as they are.</summary>
internal sealed partial class PrintedExchange : IDisposable
{
    private readonly NetworkStream _stream;
    private readonly ByteLog _lines;
    private int _read;

    /// <summary>Connects as soon as the engine listens.</summary>
    public PrintedExchange(string path, EngineProcess engine)
    {
        QmpConnection.Open(path, engine).Dispose();
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(path));
        _stream = new NetworkStream(socket, ownsSocket: true);
        _lines = new ByteLog("QMP", _stream);
    }

    /// <summary>Plays a printed exchange: sends each line behind <c>&lt;-</c>, and compares each behind <c>-&gt;</c> with the next line that comes.</summary>
    /// <param name="exchange">As printed. What is another each time (times, threads) is compared by its form.</param>
    /// <param name="paths">What stands here for what is printed there.</param>
    public void Play(string exchange, params (string There, string Here)[] paths)
    {
        foreach (string line in Printed.Adapt(exchange, paths).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (line.StartsWith("<-", StringComparison.Ordinal))
            {
                _stream.Write(Encoding.UTF8.GetBytes(line[2..].Trim() + "\n"));
            }
            else
            {
                Assert.StartsWith("->", line, StringComparison.Ordinal);
                Assert.Equal(Form(line[2..]), Form(ReadLine()));
            }
        }
    }

    public string ReadLine()
    {
        Match line = _lines.WaitFor(LineEnd(), _read, DebianGuest.Limit);
        _read += line.Length;
        return line.Groups[1].Value;
    }

    public void WaitEnd() => _lines.WaitEnd(DebianGuest.Limit);

    public void Dispose() => _stream.Dispose();

    /// <summary>Without the white space between JSON's parts, which the seeds print now and then, and with names for what is another each time.</summary>
    private static string Form(string json)
    {
        string text = JsonNode.Parse(json)!.ToJsonString(new JsonSerializerOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        return ThreadNumber().Replace(Time().Replace(text, "\"timestamp\":TIME"), "\"thread_id\":N");
    }

    [GeneratedRegex("(.*)\r\n", RegexOptions.None, 1000)]
    private static partial Regex LineEnd();

    [GeneratedRegex("\"timestamp\":\\{\"(?:seconds|ds)\":[0-9]+,\"microseconds\":[0-9]+\\}", RegexOptions.None, 1000)]
    private static partial Regex Time();

    [GeneratedRegex("\"thread_id\":[0-9]+", RegexOptions.None, 1000)]
    private static partial Regex ThreadNumber();
}
