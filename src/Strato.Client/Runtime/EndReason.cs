using System.Globalization;
using System.IO;
using System.Linq;
using Strato.Client.Linux;
using Strato.Protocol;

namespace Strato.Client.Runtime;

/// <summary>Says why an engine that ran is not there any more.</summary>
internal static class EndReason
{
    /// <summary>Null if it ended as it should: the guest powered off, or it was told to quit.</summary>
    internal static string? Describe(RunRecord run, ExitRecord? exit, string log)
    {
        if (exit?.Signal is { } signal)
        {
            return $"The engine ended unexpectedly by signal {signal} ({SignalName(signal)}); see '{log}'.";
        }

        if (exit?.Code is { } code)
        {
            return code == EngineExit.Success ? null : $"The engine ended with exit code {code} ({Meaning(code)}){LastWords(log)}";
        }

        if (run.BootId != Procfs.BootId)
        {
            return "The host was restarted while the VM ran.";
        }

        // An engine that ends in order removes its sockets, and its log's last line says why.
        if (File.Exists(run.QmpSocket))
        {
            return $"The engine ended unexpectedly: its process {run.Pid} is gone{LastWords(log)}";
        }

        // The farewells of console and QMP may be logged behind it.
        string? end = TextTail.Read(log, 10).Select(EngineLog.FindEnd).LastOrDefault(found => found is not null);
        return end == EngineLog.HostError ? $"The guest or KVM failed{LastWords(log)}" : null;
    }

    internal static string Meaning(int code) => code switch
    {
        EngineExit.Success => "no error",
        EngineExit.Error => "an error in options, files or host",
        EngineExit.Usage => "wrong usage",
        EngineExit.Failure => "the guest or KVM failed while running",
        EngineExit.Forbidden => "a system call that its filter forbids",
        >= 128 and < 128 + 65 => $"as by signal {code - 128}, {SignalName(code - 128)}",
        _ => "unknown",
    };

    /// <summary>"; its log '…' says: …", the last error of its last lines or else the last line; or only where the log is.</summary>
    internal static string LastWords(string log)
    {
        // The line with which a log begins is ours: an engine that has written nothing has said nothing.
        string[] lines = [.. TextTail.Read(log, 10).Where(line => !EngineLog.BeginsRun(line))];
        if (lines.Length == 0)
        {
            return $"; see '{log}'.";
        }

        string said = lines[^1];
        for (int i = lines.Length - 1; i >= 0; i--)
        {
            if (EngineLog.IsError(lines[i]))
            {
                said = lines[i];
                break;
            }
        }

        return $"; its log '{log}' says: {said.Trim()}";
    }

    internal static string SignalName(int signal) => signal switch
    {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => string.Create(CultureInfo.InvariantCulture, $"SIG{signal}"),
    };
}
