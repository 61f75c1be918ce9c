using System;
using System.Collections.Generic;
using System.Text;
using System.Text.Json;
using System.Threading;
using Strato.Client.Linux;
using Strato.Protocol;

namespace Strato.Client.Consoles;

/// <summary>A connection to <c>console.sock</c>: a line of JSON each way, then raw bytes.</summary>
/// <remarks>
/// <code>
/// → {"mode":"follow"|"attach","from":"start"|"boot"|"end","take":true}\n
/// ← {"offset":N,"dropped":M,"writer":true|false}\n  or  {"id":"…","error":"…"}\n
/// ← console bytes from offset N on, until the engine ends; → (attach) bytes for the guest's serial input
/// </code>
/// </remarks>
internal sealed class ConsoleConnection : IDisposable
{
    private const int MaximumHeader = 4096;
    private readonly UnixStream _stream;
    private byte[] _early = [];

    private ConsoleConnection(UnixStream stream)
    {
        _stream = stream;
    }

    internal int Fd => _stream.Fd;

    internal UnixStream Stream => _stream;

    /// <summary>Absolute offset of the first byte that comes.</summary>
    internal long Offset { get; private set; }

    /// <summary>Absolute offset of the first byte that was asked for; what lies before <see cref="Offset"/> the engine holds no more.</summary>
    internal long Asked { get; private set; }

    internal static ConsoleConnection Open(string path, string vmName, bool attach, ConsoleStart from, bool take, CancellationToken token)
    {
        Deadline deadline = Deadline.After(QmpConnection.QuickLimit);
        switch (UnixStream.TryConnect(path, out UnixStream? stream))
        {
            case ConnectOutcome.Nobody:
                throw new StratoException(StratoErrorKind.Connection, "ConsoleDisconnected", $"No engine answers on '{path}'.") { VmName = vmName };
            case ConnectOutcome.Busy:
                throw Silent(vmName);
        }

        ConsoleConnection connection = new(stream!);
        try
        {
            using Waiter waiter = new(token);
            string start = from switch
            {
                ConsoleStart.Beginning => "start",
                ConsoleStart.Boot => "boot",
                _ => "end",
            };
            string request = $"{{\"mode\":\"{(attach ? "attach" : "follow")}\",\"from\":\"{start}\"{(take ? ",\"take\":true" : "")}}}\n";
            try
            {
                stream!.SendAll(Encoding.ASCII.GetBytes(request), waiter, deadline);
            }
            catch (TimeoutException)
            {
                throw Silent(vmName);
            }

            connection.ReadHeader(waiter, deadline, vmName);
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Takes what is there: 0 at the end, -1 when there is nothing yet.</summary>
    internal int Receive(Span<byte> buffer)
    {
        if (_early.Length == 0)
        {
            return _stream.Receive(buffer);
        }

        int count = Math.Min(_early.Length, buffer.Length);
        _early.AsSpan(0, count).CopyTo(buffer);
        _early = _early[count..];
        return count;
    }

    public void Dispose() => _stream.Dispose();

    private void ReadHeader(Waiter waiter, Deadline deadline, string vmName)
    {
        List<byte> header = [];
        Span<byte> buffer = stackalloc byte[MaximumHeader];
        while (true)
        {
            int count = _stream.Receive(buffer);
            if (count == 0 || header.Count > MaximumHeader)
            {
                throw new StratoException(StratoErrorKind.Connection, "ConsoleDisconnected", "The engine closed the console's connection.") { VmName = vmName };
            }

            if (count < 0)
            {
                if (waiter.WaitReadable(deadline, _stream.Fd) < 0)
                {
                    throw Silent(vmName);
                }

                continue;
            }

            int newline = buffer[..count].IndexOf((byte)'\n');
            header.AddRange(newline < 0 ? buffer[..count] : buffer[..newline]);
            if (newline >= 0)
            {
                _early = buffer[(newline + 1)..count].ToArray();
                Parse([.. header], vmName);
                return;
            }
        }
    }

    private void Parse(byte[] header, string vmName)
    {
        try
        {
            JsonElement root = Qmp.ReceivedJson.Parse(header);
            if (Qmp.QmpCommand.Text(root, "error") is { } error)
            {
                throw Refused(Qmp.QmpCommand.Text(root, "id"), error, vmName);
            }

            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("offset", out JsonElement offset) && offset.TryGetInt64(out long value))
            {
                Offset = value;
                Asked = value - (root.TryGetProperty("dropped", out JsonElement dropped) && dropped.TryGetInt64(out long before) ? before : 0);
                return;
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Said below.
        }

        throw new StratoException(StratoErrorKind.Connection, "ConsoleProtocol", $"The engine's console answers '{Encoding.UTF8.GetString(header)}'.") { VmName = vmName };
    }

    private static StratoException Refused(string? id, string error, string vmName) => id switch
    {
        ConsoleRefusal.Busy => new(StratoErrorKind.Busy, id, $"The console of VM '{vmName}' can't be written to: {error}")
        {
            VmName = vmName,
            RecommendedAction = "Leave the other session with Ctrl-], or take the keyboard from it with -Take.",
        },
        ConsoleRefusal.InputFull => new(StratoErrorKind.Busy, id, $"The console of VM '{vmName}' can't be written to: {error}")
        {
            VmName = vmName,
            RecommendedAction = "With -Take the input that waits is dropped.",
        },
        ConsoleRefusal.TooManyClients => new(StratoErrorKind.Busy, id, $"The console of VM '{vmName}' can't be opened: {error}") { VmName = vmName },
        _ => new(StratoErrorKind.Connection, id ?? "ConsoleRefused", $"The console of VM '{vmName}' can't be opened: {error}") { VmName = vmName },
    };

    private static StratoException Silent(string vmName) =>
        new(StratoErrorKind.Timeout, "ConsoleTimeout", $"The engine of VM '{vmName}' did not answer on its console within {QmpConnection.QuickLimit.TotalSeconds:0} second.") { VmName = vmName };
}
