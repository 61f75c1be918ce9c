using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.ComponentModel;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;

namespace Strato.Tests.Unit.Client;

/// <summary>A guest agent for tests, behind the port's socket of a VM that runs: its guest is this host, so programs run and files are there.</summary>
/// <remarks>As QEMU's: a byte 0xFF ends what came before it with an error, guest-sync-delimited answers behind one, one connection at a time.</remarks>
internal sealed class FakeAgent : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly Dictionary<long, (Process Process, Task<byte[]> Output, Task<byte[]> Error)> _programs = [];
    private readonly Dictionary<long, FileStream> _files = [];
    private readonly CancellationTokenSource _stop = new();
    private long _lastHandle = 1000;
    private byte[] _held = [];

    internal FakeAgent(ClientFixture fixture, string vmId, bool open = true)
    {
        string path = Path.Combine(fixture.Paths.RuntimeDirectory(vmId), "port-org.qemu.guest_agent.0.sock");
        _listener.Bind(new UnixDomainSocketEndPoint(path));
        _listener.Listen(8);
        if (open)
        {
            Opened.Set();
        }

        new Thread(Serve) { IsBackground = true, Name = "fake agent" }.Start();
    }

    /// <summary>Nothing is read before that, as when nobody in the guest has the port open.</summary>
    internal ManualResetEventSlim Opened { get; } = new();

    /// <summary>Names of the commands that came.</summary>
    internal ConcurrentQueue<string> Commands { get; } = new();

    /// <summary>Commands that are refused.</summary>
    internal HashSet<string> Disabled { get; } = new(StringComparer.Ordinal);

    /// <summary>Says what is answered, bytes and newline; null for what an agent would. Empty is no answer.</summary>
    internal Func<string, byte[]?> Answer { get; set; } = _ => null;

    /// <summary>Sent at the beginning of each connection.</summary>
    internal byte[] Stale { get; set; } = [];

    /// <summary>The first synchronisation is answered together with the second.</summary>
    internal bool HoldsFirst { get; set; }

    /// <summary>The command at which the connection is cut.</summary>
    internal string? CutAt { get; set; }

    /// <summary>Programs that were started and run.</summary>
    internal int Running => _programs.Values.Count(program => !program.Process.HasExited);

    public void Dispose()
    {
        _stop.Cancel();
        _listener.Dispose();
        foreach ((Process process, _, _) in _programs.Values)
        {
            if (!process.HasExited)
            {
                process.Kill();
            }

            process.Dispose();
        }

        foreach (FileStream file in _files.Values)
        {
            file.Dispose();
        }
    }

    private void Serve()
    {
        try
        {
            while (true)
            {
                using Socket client = _listener.Accept();
                Opened.Wait(_stop.Token);
                try
                {
                    Serve(client);
                }
                catch (SocketException)
                {
                    // It left.
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // The test is over.
        }
    }

    private void Serve(Socket client)
    {
        Send(client, Stale);
        byte[] buffer = new byte[65536];
        List<byte> line = [];
        while (client.Receive(buffer) is int count and > 0)
        {
            foreach (byte value in buffer.AsSpan(0, count))
            {
                if (value == 0xff)
                {
                    line.Clear();
                    Send(client, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error, stray\"}}\n"u8);
                }
                else if (value != (byte)'\n')
                {
                    line.Add(value);
                }
                else
                {
                    using JsonDocument request = JsonDocument.Parse(line.ToArray());
                    line.Clear();
                    string name = request.RootElement.GetProperty("execute").GetString()!;
                    Commands.Enqueue(name);
                    if (name == CutAt)
                    {
                        return;
                    }

                    Send(client, Answer(name) ?? Execute(name, request.RootElement.TryGetProperty("arguments", out JsonElement arguments) ? arguments : default));
                }
            }
        }
    }

    /// <summary>What was sent before its sender went is done all the same, as behind the engine's port.</summary>
    private static void Send(Socket client, ReadOnlySpan<byte> bytes)
    {
        try
        {
            client.Send(bytes);
        }
        catch (SocketException)
        {
            // Nobody hears it.
        }
    }

    private byte[] Execute(string name, JsonElement arguments)
    {
        if (name == "guest-sync-delimited")
        {
            byte[] answer = [0xff, .. Return(arguments.GetProperty("id").GetRawText())];
            if (!HoldsFirst)
            {
                return answer;
            }

            byte[] held = _held;
            _held = answer;
            HoldsFirst = held.Length == 0;
            return HoldsFirst ? [] : [.. held, .. answer];
        }

        if (Disabled.Contains(name))
        {
            return Encoding.UTF8.GetBytes($"{{\"error\": {{\"class\": \"CommandNotFound\", \"desc\": \"Command {name} has been disabled\"}}}}\n");
        }

        try
        {
            return Return(name switch
            {
                "guest-ping" => "{}",
                "guest-exec" => Start(arguments),
                "guest-exec-status" => Status(arguments.GetProperty("pid").GetInt64()),
                "guest-file-open" => OpenFile(arguments),
                "guest-file-read" => Read(arguments),
                "guest-file-write" => Write(arguments),
                "guest-file-seek" => Seek(arguments),
                "guest-file-flush" => Done(() => FileOf(arguments).Flush()),
                "guest-file-close" => Done(() =>
                {
                    FileOf(arguments).Dispose();
                    _files.Remove(arguments.GetProperty("handle").GetInt64());
                }),
                _ => throw new NotSupportedException(),
            });
        }
        catch (NotSupportedException)
        {
            return Encoding.UTF8.GetBytes($"{{\"error\": {{\"class\": \"CommandNotFound\", \"desc\": \"The command {name} has not been found\"}}}}\n");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or Win32Exception or KeyNotFoundException)
        {
            string text = e is FileNotFoundException or DirectoryNotFoundException ? "failed to open file: No such file or directory" : e.Message;
            return Encoding.UTF8.GetBytes($"{{\"error\": {{\"class\": \"GenericError\", \"desc\": {JsonSerializer.Serialize(text)}}}}}\n");
        }
    }

    private static byte[] Return(string value) => Encoding.UTF8.GetBytes($"{{\"return\": {value}}}\n");

    private static string Done(Action work)
    {
        work();
        return "{}";
    }

    private string Start(JsonElement arguments)
    {
        ProcessStartInfo start = new(arguments.GetProperty("path").GetString()!) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (JsonElement argument in arguments.GetProperty("arg").EnumerateArray())
        {
            start.ArgumentList.Add(argument.GetString()!);
        }

        Process process = Process.Start(start)!;
        Task<byte[]> output = ReadAll(process.StandardOutput.BaseStream);
        Task<byte[]> error = ReadAll(process.StandardError.BaseStream);
        try
        {
            process.StandardInput.BaseStream.Write(arguments.TryGetProperty("input-data", out JsonElement input) ? input.GetBytesFromBase64() : []);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It reads nothing.
        }

        _programs[process.Id] = (process, output, error);
        return $"{{\"pid\": {process.Id}}}";
    }

    private string Status(long pid)
    {
        (Process process, Task<byte[]> output, Task<byte[]> error) = _programs[pid];
        if (!process.HasExited || !output.IsCompleted || !error.IsCompleted)
        {
            return "{\"exited\": false}";
        }

        // What .NET makes of a signal.
        string how = process.ExitCode > 128 ? $"\"signal\": {process.ExitCode - 128}" : $"\"exitcode\": {process.ExitCode}";
        return $"{{\"exited\": true, {how}{Data("out-data", output.Result)}{Data("err-data", error.Result)}}}";

        static string Data(string name, byte[] bytes) => bytes.Length == 0 ? "" : $", \"{name}\": \"{Convert.ToBase64String(bytes)}\"";
    }

    private FileStream FileOf(JsonElement arguments) => _files[arguments.GetProperty("handle").GetInt64()];

    private string OpenFile(JsonElement arguments)
    {
        string path = arguments.GetProperty("path").GetString()!;
        bool write = arguments.GetProperty("mode").GetString() == "wb";
        bool made = write && !File.Exists(path);
        _files[++_lastHandle] = new FileStream(path, write ? FileMode.Create : FileMode.Open, write ? FileAccess.Write : FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        if (made)
        {
            // As QEMU's, whatever the umask.
            File.SetUnixFileMode(path, (UnixFileMode)0x1b6);
        }

        return $"{_lastHandle}";
    }

    private string Read(JsonElement arguments)
    {
        byte[] bytes = new byte[arguments.GetProperty("count").GetInt32()];
        int count = FileOf(arguments).ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return $"{{\"count\": {count}, \"buf-b64\": \"{Convert.ToBase64String(bytes, 0, count)}\", \"eof\": {(count < bytes.Length ? "true" : "false")}}}";
    }

    private string Write(JsonElement arguments)
    {
        byte[] bytes = arguments.GetProperty("buf-b64").GetBytesFromBase64();
        FileOf(arguments).Write(bytes);
        return $"{{\"count\": {bytes.Length}, \"eof\": false}}";
    }

    private string Seek(JsonElement arguments)
    {
        FileStream file = FileOf(arguments);
        file.Seek(arguments.GetProperty("offset").GetInt64(), arguments.GetProperty("whence").GetString() == "end" ? SeekOrigin.End : SeekOrigin.Begin);
        return $"{{\"position\": {file.Position}, \"eof\": false}}";
    }

    private static Task<byte[]> ReadAll(Stream stream) => Task.Factory.StartNew(
        () =>
        {
            using MemoryStream all = new();
            stream.CopyTo(all);
            return all.ToArray();
        },
        CancellationToken.None,
        TaskCreationOptions.LongRunning,
        TaskScheduler.Default);
}
