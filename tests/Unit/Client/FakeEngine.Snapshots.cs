using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using Strato.Protocol.Configuration;
using Strato.Protocol.Snapshots;
using EngineLibc = Strato.Engine.Linux.Libc;

namespace Strato.Tests.Unit.Client;

/// <summary>Snapshots of the stand-in: real files by the format's own writers, whose memory is a text and zeros.</summary>
internal sealed partial class FakeEngine
{
    private const string Unsaveable = "unsaveable";
    private const string Busy = "busy";
    private const string Held = "pre-switchover";

    private string[] _arguments = [];
    private string _migration = "none";
    private string? _migrationError;
    private bool _ran;
    private bool _staysPaused;
    private FileReceiver? _migrator;

    /// <summary>What its memory holds, which it prints after it was restored.</summary>
    private string Contents => $"memory of {_options["-name"]}";

    /// <returns>Null for a command that isn't of snapshots.</returns>
    private string? ExecuteSnapshot(string name, JsonElement command, FileReceiver files)
    {
        switch (name)
        {
            case "getfd" when Word("dump=") is null && files.HasFile:
                files.Name(command.GetProperty("arguments").GetProperty("fdname").GetString()!);
                Print($"{name}\r\n");
                return "{}";
            case "migrate" when Word("save=") is { } how && how.StartsWith("never", StringComparison.Ordinal):
                return Unsaveable;
            case "migrate":
                JsonElement arguments = command.GetProperty("arguments");
                Print($"migrate {arguments.GetRawText()}\r\n");
                Migrate(arguments, files);
                return "{}";
            case "query-migrate":
                string error = _migrationError is null ? "" : $"\"error-desc\":\"{_migrationError}\",";
                string ram = _migration == "active" ? "\"ram\":{\"remaining\":3145728,\"total\":4194304,\"transferred\":1048576}," : "";
                Print("query-migrate\r\n");
                return $"{{{error}{ram}\"status\":\"{_migration}\"}}";
            case "migrate_cancel":
                Print("migrate_cancel\r\n");
                EndMigration("cancelled");
                return "{}";
            case "migrate-continue":
                Print("migrate-continue\r\n");
                bool holds = _migration == Held;
                EndMigration("completed");
                return holds ? "{}" : Busy;
            case "cont" or "system_reset" when IsMigrating:
                return Busy;
            case "stop":
                _ran = false;
                return null;
            default:
                return null;
        }
    }

    /// <summary>What stands behind a word of the command line, to its end; null when it isn't there.</summary>
    private string? Word(string name)
    {
        int at = _options["-append"].IndexOf(name, StringComparison.Ordinal);
        return at < 0 ? null : _options["-append"][(at + name.Length)..];
    }

    private void Migrate(JsonElement arguments, FileReceiver files)
    {
        bool ran = _status == "running";
        _ran = ran;
        _staysPaused = arguments.TryGetProperty("stay-paused", out JsonElement given) && given.GetBoolean();
        _migrator = files;
        _status = "paused";
        _migrationError = null;
        Enter("setup");
        Enter("active");
        string how = Word("save=") ?? "";
        if (how.StartsWith("slow", StringComparison.Ordinal))
        {
            return;
        }

        if (how.StartsWith("die", StringComparison.Ordinal))
        {
            Environment.Exit(3);
        }

        if (how.StartsWith("full", StringComparison.Ordinal))
        {
            _migrationError = "write of the snapshot's memory: No space left on device";
            EndMigration("failed");
            return;
        }

        string[] names = arguments.GetProperty("uri").GetString()!["fd:".Length..].Split(',');
        Save(files.Take(names[0]), files.Take(names[1]), ran);
        if (arguments.TryGetProperty("hold", out JsonElement hold) && hold.GetBoolean())
        {
            Enter(Held);
        }
        else
        {
            EndMigration("completed");
        }
    }

    private void EndMigration(string state)
    {
        if (IsMigrating)
        {
            _migrator = null;
            _status = _ran && !(_staysPaused && state == "completed") ? "running" : "paused";
            Enter(state);
        }
    }

    /// <summary>Who has gone saves nothing more.</summary>
    private void EndConnection(FileReceiver files)
    {
        if (_migrator == files)
        {
            EndMigration("cancelled");
        }
    }

    private bool IsMigrating => _migration is "setup" or "active" or Held;

    private void Enter(string state)
    {
        _migration = state;
        Event("MIGRATION", $"{{\"status\":\"{state}\"}}");
    }

    private void Save(SafeFileHandle state, SafeFileHandle memory, bool ran)
    {
        Guid id = Guid.NewGuid();
        long size = long.Parse(_options["-m"], CultureInfo.InvariantCulture);
        uint[] checksums = new uint[MemoryMap.ChunksOf(size)];
        Array.Fill(checksums, Checksum.OfZeros(MemoryMap.ChunkBytes));
        byte[] first = new byte[MemoryMap.ChunkBytes];
        Encoding.UTF8.GetBytes(Contents, first);
        checksums[0] = Checksum.Of(first);
        using (state)
        using (memory)
        {
            RandomAccess.SetLength(memory, size + MemoryMap.TrailerBytes);
            RandomAccess.Write(memory, first.AsSpan(0, 4096), 0);
            RandomAccess.Write(memory, MemoryMap.Trailer(id), size);
            SnapshotSection description = new(SnapshotDescription.SectionName, 1, Describe(size, ran));
            RandomAccess.Write(state, new StateFile(id, [description, new MemoryMap([(0, (ulong)size)], checksums).ToSection()]).ToBytes(), 0);
        }
    }

    private byte[] Describe(long size, bool ran)
    {
        string name = _options["-name"];
        int cpus = int.Parse(_options["-smp"].Split(',')[0], CultureInfo.InvariantCulture) + _plugged.Count;
        IEnumerable<string> drives = _disks.Where(disk => disk is not null).Select(disk => $"{{\"id\":\"{disk}\",\"file\":\"/hot/{disk}\",\"read-only\":false,\"size\":512}}");
        IEnumerable<string> nets = _nets.Where(net => net is not null).Select((net, i) => $"{{\"id\":\"{net}\",\"mac\":\"{MacAddress.Format(MacAddress.Generate(name, i))}\",\"netdev\":\"{net}\"}}");
        return Encoding.UTF8.GetBytes(
            $"{{\"engine\":\"9.9\",\"saved\":\"{DateTimeOffset.UtcNow:O}\",\"host-kernel\":\"6\",\"name\":\"{name}\",\"machine\":\"microvm\",\"running\":{(ran ? "true" : "false")},\"memory\":{size},\"cpus\":{cpus},\"max-cpus\":{cpus},\"drives\":[{string.Join(',', drives)}],\"nets\":[{string.Join(',', nets)}]}}");
    }

    /// <summary>Of a restored machine: what its memory holds, and how its clock goes.</summary>
    private void PrintIncoming()
    {
        if (!_options.TryGetValue("-incoming", out string? incoming))
        {
            return;
        }

        string memory = OpenedPath(Between(incoming, ",memory=", "\n"));
        byte[] text = new byte[4096];
        using (SafeFileHandle file = File.OpenHandle(memory))
        {
            RandomAccess.Read(file, text, 0);
        }

        _ = StateFile.Parse(File.ReadAllBytes(OpenedPath(Between(incoming, "state=", ","))));
        Print($"restored: {Encoding.UTF8.GetString(text).TrimEnd('\0')}; time {_options.GetValueOrDefault("-incoming-time", "real")}\r\n");
    }

    private string OpenedPath(string path)
    {
        if (!path.StartsWith("/dev/fdset/", StringComparison.Ordinal))
        {
            return path;
        }

        string set = $",set={path["/dev/fdset/".Length..]},";
        return $"/proc/self/fd/{Between(_arguments.First(argument => argument.StartsWith("fd=", StringComparison.Ordinal) && argument.Contains(set, StringComparison.Ordinal)), "fd=", ",")}";
    }

    /// <summary>A connection's bytes, and the descriptors that come with them.</summary>
    private sealed class FileReceiver(Socket socket) : Stream
    {
        private readonly Queue<SafeFileHandle> _unnamed = new();
        private readonly Dictionary<string, SafeFileHandle> _named = new(StringComparer.Ordinal);

        public bool HasFile => _unnamed.Count > 0;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public void Name(string name) => _named[name] = _unnamed.Dequeue();

        public SafeFileHandle Take(string name) => _named.Remove(name, out SafeFileHandle? file) ? file : throw new InvalidOperationException($"There is no file '{name}'.");

        public override int Read(byte[] buffer, int offset, int count)
        {
            Span<int> files = stackalloc int[4];
            nint read = EngineLibc.ReceiveFiles((int)socket.Handle, buffer.AsSpan(offset, count), files, out int came);
            for (int i = 0; i < came; i++)
            {
                _unnamed.Enqueue(new SafeFileHandle(files[i], ownsHandle: true));
            }

            return Math.Max(0, (int)read);
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
