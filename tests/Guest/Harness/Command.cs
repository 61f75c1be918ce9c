using System;
using System.ComponentModel;
using System.Diagnostics;
using System.Threading.Tasks;
using Xunit;

namespace Strato.Tests.Guest.Harness;

/// <summary>A short command of the host, run to its end.</summary>
internal static class Command
{
    /// <summary>How it ended and what it wrote.</summary>
    internal sealed record Result(int ExitCode, string Output, string Errors)
    {
        public override string ToString() => $"exit code {ExitCode}\n{Output}{Errors}";
    }

    /// <summary>Runs a command; one that takes longer than <paramref name="limit"/> is killed, and the test fails.</summary>
    public static Result Run(TimeSpan limit, string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        MarkRun(start);
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(limit))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{program} {string.Join(' ', arguments)} took longer than {limit.TotalSeconds} s\n{output.Result}{errors.Result}");
        }

        return new Result(process.ExitCode, output.Result, errors.Result);
    }

    /// <summary>Runs a command that must succeed, and gives its output.</summary>
    public static string Check(string program, params string[] arguments)
    {
        Result result = Run(TimeSpan.FromSeconds(120), program, arguments);
        Assert.True(result.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {result}");
        return result.Output;
    }

    /// <summary>Whether a command is there and succeeds.</summary>
    public static bool Works(string program, params string[] arguments)
    {
        try
        {
            return Run(TimeSpan.FromSeconds(30), program, arguments).ExitCode == 0;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }

    /// <summary>Puts the run's mark into the environment, by which what is left over is found.</summary>
    public static void MarkRun(ProcessStartInfo start)
    {
        string[] mark = TestHost.RunMark.Split('=');
        start.Environment[mark[0]] = mark[1];
    }
}
