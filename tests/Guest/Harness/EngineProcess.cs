using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Text.Json;
using System.Text.RegularExpressions;
using Xunit;

namespace Strato.Tests.Guest.Harness;

/// <summary>A running engine: its serial console on a pipe when that is <c>stdio</c>, its log, its readiness pipe, its end.</summary>
internal sealed class EngineProcess : IDisposable
{
    private readonly Process _process;
    private readonly string _readyPath = TestHost.NewPath("ready");

    private EngineProcess(IEnumerable<string> wrapper, IEnumerable<string> arguments)
    {
        // The shell opens the readiness descriptor and becomes the engine: the process is the engine's own.
        List<string> words = ["-c", "exec \"$@\" 3>\"$0\"", _readyPath, .. wrapper, TestHost.Engine, .. arguments, "-ready-fd", "3"];
        ProcessStartInfo start = new("/bin/sh", words) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        Command.MarkRun(start);
        _process = Process.Start(start)!;
        Id = _process.Id;
        Output = new ByteLog("the engine's output", _process.StandardOutput.BaseStream);
        Errors = new ByteLog("the engine's log", _process.StandardError.BaseStream);
    }

    public int Id { get; }

    public ByteLog Output { get; }

    public ByteLog Errors { get; }

    public Stream Input => _process.StandardInput.BaseStream;

    public bool HasExited => _process.HasExited;

    /// <summary>What came through the readiness pipe.</summary>
    public string Ready => File.Exists(_readyPath) ? File.ReadAllText(_readyPath) : "";

    public static EngineProcess Start(params IEnumerable<string> arguments) => new([], arguments);

    /// <summary>Starts the engine by way of other commands, such as <c>unshare -m</c>.</summary>
    public static EngineProcess StartBy(IEnumerable<string> wrapper, params IEnumerable<string> arguments) => new(wrapper, arguments);

    /// <summary>Waits for the end, and asserts how it ends.</summary>
    public void WaitExit(int code, TimeSpan limit)
    {
        Assert.True(_process.WaitForExit(limit), $"the engine still runs after {limit.TotalSeconds} s; its log:\n{Errors.Utf8()}{Tail(Output)}");
        Errors.WaitEnd(limit);
        Output.WaitEnd(limit);
        Assert.True(_process.ExitCode == code, $"exit code {_process.ExitCode} instead of {code}; its log:\n{Errors.Utf8()}{Tail(Output)}");
    }

    /// <summary>Waits for an end by an error of the user's or the host's, and gives what the readiness pipe said of it.</summary>
    public EngineError WaitError(int code = 1)
    {
        WaitExit(code, DebianGuest.Limit);
        Assert.Matches(@"^\{.*\}\n$", Ready);
        using JsonDocument json = JsonDocument.Parse(Ready);
        EngineError error = new(
            json.RootElement.GetProperty("id").GetString()!,
            json.RootElement.GetProperty("message").GetString()!,
            json.RootElement.GetProperty("where").GetString()!);

        // A person at a terminal must be told the same.
        Assert.Contains(error.Message, Errors.Utf8(), StringComparison.Ordinal);
        Assert.Contains($"[{error.Id}]", Errors.Utf8(), StringComparison.Ordinal);
        Assert.DoesNotMatch(new Regex(@"^\s+at |Unhandled|Exception", RegexOptions.Multiline), Errors.Utf8());
        return error;
    }

    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            Kill();
        }

        _process.Dispose();
    }

    private static string Tail(ByteLog log)
    {
        string text = log.Text();
        return $"its output:\n{text[Math.Max(0, text.Length - 2000)..]}";
    }
}

/// <summary>The line of JSON that the readiness pipe gives for an error.</summary>
/// <param name="Id">Stable name.</param>
/// <param name="Message">For a person.</param>
/// <param name="Where">Option, path or place.</param>
internal sealed record EngineError(string Id, string Message, string Where);
