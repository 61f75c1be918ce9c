using System;
using System.Buffers;
using System.Diagnostics;
using System.Text.Json;
using Strato.Engine.Kvm;
using Strato.Engine.Linux;
using Strato.Engine.Machine;

namespace Strato.Engine.Cli;

/// <summary><c>-probe</c>: prints what this host's KVM is worth as one line of JSON.</summary>
internal static class ProbeCommand
{
    /// <returns>0 usable, 10 present but emulated, 11 no permission, 12 absent.</returns>
    public static int Run()
    {
        KvmVerdict verdict;
        int maxCpus = 0;
        double? microseconds = null;
        try
        {
            using KvmSystem system = KvmSystem.Open();
            maxCpus = system.CheckExtension(KvmAbi.KVM_CAP_MAX_VCPUS);
            long start = Stopwatch.GetTimestamp();
            verdict = KvmVerdict.Measure(system, out long? firstRunAt);
            microseconds = firstRunAt is { } at ? Stopwatch.GetElapsedTime(start, at).TotalMicroseconds : null;
        }
        catch (LinuxException error)
        {
            verdict = KvmVerdict.OfOpenError(error);
        }

        ArrayBufferWriter<byte> line = new();
        using (Utf8JsonWriter writer = new(line))
        {
            writer.WriteStartObject();
            writer.WriteString("verdict", verdict.Verdict);
            writer.WriteString("reason", verdict.Reason);
            if (verdict.Mips is { } mips)
            {
                writer.WriteNumber("mips", Math.Round(mips, 1));
            }

            if (microseconds is { } spent)
            {
                // From an open /dev/kvm to the first KVM_RUN of a small VM.
                writer.WriteNumber("firstRunMicroseconds", (long)spent);
                writer.WriteNumber("apiVersion", KvmAbi.KVM_API_VERSION);
                writer.WriteNumber("maxCpus", maxCpus);
            }

            writer.WriteEndObject();
        }

        line.Write("\n"u8);
        _ = Libc.Write(1, line.WrittenSpan);
        return verdict.Verdict switch
        {
            KvmVerdict.Usable => 0,
            KvmVerdict.Emulated => 10,
            KvmVerdict.NoPermission => 11,
            _ => 12,
        };
    }
}
