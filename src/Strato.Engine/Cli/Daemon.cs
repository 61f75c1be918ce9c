using System;
using System.Collections.Generic;
using System.Globalization;
using Strato.Engine.Linux;
using Strato.Engine.Security;
using Strato.Protocol;

namespace Strato.Engine.Cli;

/// <summary><c>-daemonize</c>: the engine starts itself again in a session of its own and returns when that machine runs.</summary>
/// <remarks>A fork without exec is unsafe under a managed runtime; a spawn of the same program is not.</remarks>
internal static class Daemon
{
    /// <summary>Tells the spawned engine that it is the one in the background; its value is the readiness pipe's descriptor.</summary>
    private const string Variable = "STRATO_DAEMON_READY";

    private const int FirstDescriptor = 3;

    /// <summary>Whether this process is the one in the background; the variable is taken out of the environment.</summary>
    public static bool IsChild(out int readyDescriptor)
    {
        string? value = Environment.GetEnvironmentVariable(Variable);
        if (value is not null)
        {
            Environment.SetEnvironmentVariable(Variable, null);
        }

        return int.TryParse(value, out readyDescriptor);
    }

    /// <summary>Starts the engine in the background and waits until its machine runs.</summary>
    /// <param name="args">The engine's own arguments.</param>
    /// <param name="named">Descriptors that options name, which the engine in the background inherits; all others that would be inherited are closed.</param>
    /// <param name="ready">The readiness pipe, which stays this process's own; null for none.</param>
    /// <param name="failure">What the engine in the background reported, or how it ended without a word.</param>
    /// <returns>0 when the machine runs and QMP answers; else the exit code of the engine in the background, or 128 and the signal that ended it.</returns>
    /// <exception cref="LinuxException">It can't be started.</exception>
    public static int Launch(string[] args, IReadOnlySet<int> named, int? ready, out UserErrorException? failure)
    {
        if (ready is { } pipe)
        {
            _ = Libc.fcntl(pipe, Libc.F_SETFD, Libc.FD_CLOEXEC);
        }

        InheritedDescriptors.CloseOthers(named);

        // Not one of theirs, were it open or not.
        int own = FirstDescriptor;
        while (named.Contains(own))
        {
            own++;
        }

        Libc.CreatePipe(out FileDescriptor read, out FileDescriptor write);
        using FileDescriptor reader = read;
        int child;
        using (write)
        {
            string[] environment = [.. ChildRun.Environment(), string.Create(CultureInfo.InvariantCulture, $"{Variable}={own}")];
            child = Libc.SpawnSession("/proc/self/exe", ["strato-engine", .. args], environment, write.Value, own, keepsOthers: true);
        }

        byte[] buffer = new byte[4096];
        int length = 0;
        nint count;
        while ((count = Libc.Read(reader.Value, buffer.AsSpan(length))) > 0)
        {
            length += (int)count;
            if (length == buffer.Length)
            {
                Array.Resize(ref buffer, buffer.Length * 2);
            }
        }

        ReadOnlySpan<byte> line = buffer.AsSpan(0, length);
        if (line.SequenceEqual("ok\n"u8))
        {
            failure = null;
            return EngineExit.Success;
        }

        // When the error is told, nothing is left of the attempt.
        int status = Libc.WaitChild(child);
        failure = length > 0
            ? UserErrorException.FromJsonLine(line)
            : new UserErrorException("EngineDied", $"The engine in the background ended before its machine ran ({ChildRun.DescribeEnd(status)}), and said nothing.", "-daemonize");
        int code = ChildRun.ExitCode(status);
        return code == EngineExit.Success ? EngineExit.Error : code;
    }
}
