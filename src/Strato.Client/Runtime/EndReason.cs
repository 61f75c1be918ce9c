using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
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
        EngineExit.Error => "an error in options, files or host",
        EngineExit.Usage => "wrong usage",
        EngineExit.Failure => "the guest or KVM failed while running",
        >= 128 and < 128 + 65 => $"as by signal {code - 128}, {SignalName(code - 128)}",
        _ => "unknown",
    };

    /// <summary>"; its log '…' says: …", the last error of its last lines or else the last line; or only where the log is.</summary>
    internal static string LastWords(string log)
    {
        IReadOnlyList<string> lines = TextTail.Read(log, 10);
        if (lines.Count == 0)
        {
            return $"; see '{log}'.";
        }

        string said = lines[^1];
        for (int i = lines.Count - 1; i >= 0; i--)
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

/// <summary>The last lines of a file, without reading all of it.</summary>
internal static class TextTail
{
    private const int Block = 16384;

    /// <param name="path">Not there is empty.</param>
    /// <param name="lines">How many; null for all.</param>
    /// <returns>Lines without their ends (LF or CR LF); bytes that are not UTF-8 become U+FFFD.</returns>
    internal static IReadOnlyList<string> Read(string path, int? lines)
    {
        if (lines <= 0)
        {
            return [];
        }

        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            file.Seek(lines is null ? 0 : StartOf(file, lines.Value), SeekOrigin.Begin);
            using StreamReader reader = new(file, Encoding.UTF8, detectEncodingFromByteOrderMarks: false);
            List<string> result = [];
            StringBuilder current = new();
            char[] buffer = new char[Block];
            for (int count = reader.Read(buffer); count > 0; count = reader.Read(buffer))
            {
                // ReadLine takes a lone CR for an end of line as well; consoles send those to begin a line anew.
                foreach (char c in buffer.AsSpan(0, count))
                {
                    if (c == '\n')
                    {
                        Add();
                    }
                    else
                    {
                        current.Append(c);
                    }
                }
            }

            if (current.Length > 0)
            {
                Add();
            }

            return lines is { } most && result.Count > most ? result.GetRange(result.Count - most, most) : result;

            void Add()
            {
                while (current.Length > 0 && current[^1] == '\r')
                {
                    current.Length--;
                }

                result.Add(current.ToString());
                current.Clear();
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>Offset where the last so many lines begin; 0 if the file is not there.</summary>
    internal static long Find(string path, int lines)
    {
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return lines <= 0 ? file.Length : StartOf(file, lines);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }

    /// <summary>Offset where the last so many lines begin; a newline at the very end doesn't begin another.</summary>
    private static long StartOf(FileStream file, int lines)
    {
        byte[] block = new byte[Block];
        long end = file.Length;
        int newlines = 0;
        for (long position = end; position > 0;)
        {
            int size = (int)Math.Min(Block, position);
            position -= size;
            file.Seek(position, SeekOrigin.Begin);
            file.ReadExactly(block, 0, size);
            for (int i = size - 1; i >= 0; i--)
            {
                if (block[i] == '\n' && position + i != end - 1 && ++newlines == lines)
                {
                    return position + i + 1;
                }
            }
        }

        return 0;
    }
}
