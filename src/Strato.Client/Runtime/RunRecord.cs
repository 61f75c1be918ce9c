using System;
using System.Buffers;
using System.Globalization;
using System.IO;
using System.Text;
using System.Text.Json;
using Strato.Client.Store;

namespace Strato.Client.Runtime;

/// <summary>The engine that was started last: <c>run.json</c> beside the definition.</summary>
/// <remarks>
/// It lies with the definition, not with the sockets, since it must be found by shells whose environment gives another runtime folder,
/// and after a log-out. Pid, start time and boot id together name one process and never another one.
/// </remarks>
/// <param name="Pid">Process id.</param>
/// <param name="StartTime">Field 22 of /proc/PID/stat.</param>
/// <param name="BootId">/proc/sys/kernel/random/boot_id.</param>
/// <param name="Runtime">Folder of its sockets.</param>
/// <param name="Ready">False until it said that the guest runs.</param>
/// <param name="Force">Whether it was started to run even where KVM only emulates: a restart does the same.</param>
/// <param name="Sandboxed">Whether it is shut in, so that it takes descriptors and no paths.</param>
internal sealed record RunRecord(int Pid, long StartTime, string BootId, string Runtime, bool Ready, bool Force = false, bool Sandboxed = false)
{
    /// <summary>Folder of the control group that was made for it; null for none.</summary>
    internal string? Cgroup { get; init; }

    internal string QmpSocket => Path.Combine(Runtime, "qmp.sock");

    internal string ConsoleSocket => Path.Combine(Runtime, "console.sock");

    internal void Write(string path)
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter writer = new(buffer))
        {
            writer.WriteStartObject();
            writer.WriteNumber("pid", Pid);
            writer.WriteNumber("startTime", StartTime);
            writer.WriteString("bootId", BootId);
            writer.WriteString("runtime", Runtime);
            writer.WriteBoolean("ready", Ready);
            writer.WriteBoolean("force", Force);
            writer.WriteBoolean("sandboxed", Sandboxed);
            if (Cgroup is not null)
            {
                writer.WriteString("cgroup", Cgroup);
            }

            writer.WriteEndObject();
        }

        buffer.Write("\n"u8);
        AtomicFile.Write(path, buffer.WrittenSpan);
    }

    /// <summary>RUNTIME/pid: three lines, pid, start time, boot id. For scripts; the client itself goes by run.json.</summary>
    internal void WritePidFile() => AtomicFile.Write(
        Path.Combine(Runtime, "pid"), Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Pid}\n{StartTime}\n{BootId}\n")));

    /// <summary>Null if there is none, or none that can be understood.</summary>
    internal static RunRecord? TryRead(string path)
    {
        if (TryReadJson(path) is not { } document)
        {
            return null;
        }

        using (document)
        {
            JsonElement root = document.RootElement;
            return root.ValueKind == JsonValueKind.Object
                && root.TryGetProperty("pid", out JsonElement pid) && pid.ValueKind == JsonValueKind.Number && pid.TryGetInt32(out int number) && number > 1
                && root.TryGetProperty("startTime", out JsonElement start) && start.ValueKind == JsonValueKind.Number && start.TryGetInt64(out long ticks)
                && root.TryGetProperty("bootId", out JsonElement boot) && boot.ValueKind == JsonValueKind.String
                && root.TryGetProperty("runtime", out JsonElement runtime) && runtime.ValueKind == JsonValueKind.String
                ? new RunRecord(number, ticks, boot.GetString()!, runtime.GetString()!, Flag("ready"), Flag("force"), Flag("sandboxed"))
                {
                    Cgroup = root.TryGetProperty("cgroup", out JsonElement cgroup) && cgroup.ValueKind == JsonValueKind.String ? cgroup.GetString() : null,
                }
                : null;

            bool Flag(string name) => root.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.True;
        }
    }

    internal static JsonDocument? TryReadJson(string path)
    {
        try
        {
            return JsonDocument.Parse(File.ReadAllBytes(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }
}

/// <summary>How an engine ended: <c>exit.json</c>, written by the process that started it, if that was still there to see it.</summary>
/// <param name="Pid">Of the engine.</param>
/// <param name="StartTime">Of the engine.</param>
/// <param name="Code">Its exit code, or null if a signal ended it.</param>
/// <param name="Signal">The signal, or null.</param>
internal sealed record ExitRecord(int Pid, long StartTime, int? Code, int? Signal)
{
    internal void Write(string path)
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter writer = new(buffer))
        {
            writer.WriteStartObject();
            writer.WriteNumber("pid", Pid);
            writer.WriteNumber("startTime", StartTime);
            if (Code is { } code)
            {
                writer.WriteNumber("code", code);
            }

            if (Signal is { } signal)
            {
                writer.WriteNumber("signal", signal);
            }

            writer.WriteString("time", DateTime.UtcNow);
            writer.WriteEndObject();
        }

        buffer.Write("\n"u8);
        AtomicFile.Write(path, buffer.WrittenSpan);
    }

    /// <summary>The record of exactly that engine, or null.</summary>
    internal static ExitRecord? TryRead(string path, RunRecord run)
    {
        if (RunRecord.TryReadJson(path) is not { } document)
        {
            return null;
        }

        using (document)
        {
            JsonElement root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object || Number("pid") != run.Pid || Number("startTime") != run.StartTime)
            {
                return null;
            }

            return new ExitRecord(run.Pid, run.StartTime, (int?)Number("code"), (int?)Number("signal"));

            long? Number(string name) =>
                root.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number) ? number : null;
        }
    }
}
