using System;
using System.Text;
using System.Text.Json;
using System.Threading;
using Strato.Client.Linux;

namespace Strato.Client.Runtime;

/// <summary>Runs <c>strato-engine -probe</c> and reads its line.</summary>
internal static class ProbeRunner
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    internal readonly record struct Answer(string Verdict, string Reason, double? Mips, long? FirstRunMicroseconds, int? ApiVersion);

    internal static Answer Run(string engine, CancellationToken token)
    {
        using ReadinessPipe pipe = new();
        int pid = Spawn.Start(engine, ["-probe"], pipe.WriteEnd, "/dev/null", ready: -1);
        long startTime = Procfs.TryReadStat(pid)?.StartTime ?? 0;
        using FileDescriptor pidfd = new(Libc.PidfdOpen(pid));
        ChildWatch child = ChildWatch.Begin(pid, startTime, exitFile: null);
        bool ended = false;
        try
        {
            pipe.CloseWriteEnd();
            string? line = pipe.ReadLine(pidfd.Value, Deadline.After(Limit), token);
            if (line is null)
            {
                return Unknown($"The engine's probe did not answer within {Limit.TotalSeconds} seconds.");
            }

            ended = child.Wait(TimeSpan.FromSeconds(5));
            return Parse(line) ?? Unknown(line.Length > 0 ? $"The engine's probe said '{line}'." : child.Exit switch
            {
                { Signal: { } signal } => $"The engine's probe was ended by signal {signal} ({EndReason.SignalName(signal)}).",
                { Code: { } code } => $"The engine's probe ended with exit code {code} and said nothing.",
                _ => "The engine's probe said nothing.",
            });
        }
        finally
        {
            if (!ended)
            {
                Libc.PidfdSendSignal(pidfd.Value, Libc.SIGKILL);
            }
        }
    }

    internal static Answer Unknown(string reason) => new("unknown", reason, null, null, null);

    internal static Answer? Parse(string line)
    {
        try
        {
            JsonElement root = Qmp.ReceivedJson.Parse(Encoding.UTF8.GetBytes(line));
            return Qmp.QmpCommand.Text(root, "verdict") is { } verdict
                ? new Answer(verdict, Qmp.QmpCommand.Text(root, "reason") ?? "", Number("mips"), (long?)Number("firstRunMicroseconds"), (int?)Number("apiVersion"))
                : null;

            double? Number(string name) => root.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) ? number : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
