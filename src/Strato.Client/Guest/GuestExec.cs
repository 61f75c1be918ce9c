using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text.Json;
using Strato.Client.Linux;

namespace Strato.Client.Guest;

/// <summary>Runs programs in a guest: guest-exec and guest-exec-status.</summary>
internal static class GuestExec
{
    // Twice the 16 MiB that an agent keeps of output, as base64, and a little.
    private const int MostOutput = 48 << 20;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan LongPause = TimeSpan.FromMilliseconds(500);

    // Pauses from here on are the turn of others.
    private static readonly TimeSpan SharedPause = TimeSpan.FromMilliseconds(150);

    internal static GuestCommandOutcome Run(AgentSession agent, GuestCommand command)
    {
        Check(command);
        Deadline limit = Deadline.After(command.Timeout);
        long pid = Start(agent, command, limit);
        bool ended = false;
        try
        {
            // The agent has no event for the end of a program: it has to be asked, soon at first, for most are short.
            TimeSpan pause = FirstPause;
            while (true)
            {
                // The last look comes when the time is over, so it has a little time of its own.
                JsonElement status = agent.Execute("guest-exec-status", json => json.WriteNumber("pid", pid), Deadline.Never, MostOutput);
                if (status.Flag("exited"))
                {
                    ended = true;
                    return Outcome(agent, pid, status);
                }

                if (limit.Passed)
                {
                    throw new StratoException(
                        StratoErrorKind.Timeout,
                        "GuestCommandTimeout",
                        string.Create(CultureInfo.InvariantCulture, $"The command in the guest of VM '{agent.VmName}' (process {pid}) did not end within {command.Timeout!.Value.TotalSeconds:0.###} seconds; SIGTERM was sent to it."))
                    {
                        VmName = agent.VmName,
                    };
                }

                if (pause >= SharedPause)
                {
                    agent.Release();
                }

                agent.Pause(pause, limit);
                pause = pause * 1.5 < LongPause ? pause * 1.5 : LongPause;
            }
        }
        catch (Exception e) when (!ended && (e is OperationCanceledException || e is StratoException { Id: "GuestCommandTimeout" }))
        {
            // kill is built into every shell, and not every guest has it as a program.
            agent.Tell("guest-exec", json => WriteCommand(json, GuestCommand.Shell(string.Create(CultureInfo.InvariantCulture, $"kill -TERM {pid}")), capture: false));
            throw;
        }
    }

    private static void Check(GuestCommand command)
    {
        if (command.Input is { Length: > GuestCommand.MaximumInput })
        {
            throw new StratoException(StratoErrorKind.InvalidArgument, "GuestInputTooLarge", $"{command.Input.Length} bytes of input are more than the {GuestCommand.MaximumInput} that fit into one request.")
            {
                Where = "-InputText",
                RecommendedAction = "Copy-StratoGuestFile -ToGuest takes files of any length.",
            };
        }

        foreach ((string name, _) in command.Environment)
        {
            if (name.Length == 0 || name[0] == '-' || name.Contains('=', StringComparison.Ordinal) || name.Contains('\0', StringComparison.Ordinal))
            {
                throw new StratoException(StratoErrorKind.InvalidArgument, "InvalidEnvironment", $"'{name}' can't be the name of a variable.") { Where = "-Environment" };
            }
        }
    }

    private static long Start(AgentSession agent, GuestCommand command, Deadline limit)
    {
        JsonElement started;
        try
        {
            started = agent.Execute("guest-exec", json => WriteCommand(json, command, capture: true), limit);
        }
        catch (StratoException e) when (e.Id == "GuestAgentError")
        {
            throw new StratoException(StratoErrorKind.Failed, "GuestCommandNotStarted", $"The guest of VM '{agent.VmName}' can't run '{command.Path}': {e.Message}", e) { VmName = agent.VmName };
        }

        return started.Number("pid") ?? throw AgentJson.Malformed(agent.VmName, "guest-exec gives no pid");
    }

    private static void WriteCommand(Utf8JsonWriter json, GuestCommand command, bool capture)
    {
        // guest-exec's own env takes the place of all variables, PATH too; env(1) adds to them.
        List<string> words = [];
        foreach ((string name, string value) in command.Environment)
        {
            words.Add($"{name}={value}");
        }

        if (words.Count > 0)
        {
            words.Insert(0, "env");
        }

        words.Add(command.Path);
        words.AddRange(command.Arguments);
        json.WriteString("path", words[0]);
        json.WriteStartArray("arg");
        for (int i = 1; i < words.Count; i++)
        {
            json.WriteStringValue(words[i]);
        }

        json.WriteEndArray();
        if (command.Input is not null)
        {
            json.WriteBase64String("input-data", command.Input);
        }

        json.WriteBoolean("capture-output", capture);
    }

    private static GuestCommandOutcome Outcome(AgentSession agent, long pid, JsonElement status) => new(
        pid,
        status.Small("exitcode"),
        status.Small("signal"),
        status.Bytes("out-data", agent.VmName),
        status.Bytes("err-data", agent.VmName),
        status.Flag("out-truncated"),
        status.Flag("err-truncated"));
}
