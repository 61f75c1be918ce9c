using System.Runtime.InteropServices;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Security;

/// <summary>The seccomp filters of this process: which system calls its threads may make. docs/security.md lists them.</summary>
/// <remarks>
/// The process's filter allows what any thread needs, and each thread adds the shorter list of its kind when it starts. A call
/// that isn't allowed ends the process with <see cref="EngineExit.Forbidden"/> and a line in the log (<see cref="NativeStubs.ReportForbiddenCall"/>).
/// </remarks>
internal static class Seccomp
{
    // By kind, as they are needed. Two threads may make the same one at once.
    private static volatile Libc.sock_filter[]?[]? _filters;
    private static SeccompRule[] _rules = [];

    /// <summary>Whether the process's calls are filtered.</summary>
    public static bool IsOn => _filters is not null;

    /// <summary>Filters the calls of all threads of the process from here on. When all that only a start needs is done.</summary>
    /// <exception cref="UserErrorException">SeccompFailed: the kernel refuses.</exception>
    public static void EnterProcess()
    {
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64)
        {
            Log.Warning("engine", "system calls aren't filtered: the lists are those of x86-64");
            return;
        }

        // Terminals that come late ask for it; there is no call for it then.
        _ = Libc.ProcessGroup;
        _rules = SeccompRules.All(Libc.getpid());
        try
        {
            Libc.SetFinalHandler(Libc.SIGSYS, NativeStubs.ReportForbiddenCall(Log.Descriptor));
            Libc.FilterProcess(Assemble(ThreadKinds.Main));
        }
        catch (LinuxException error)
        {
            throw new UserErrorException("SeccompFailed", $"The host refuses to filter the engine's system calls: {error.Message}.", "", error)
            {
                Advice = "-disable-seccomp starts without the filter",
            };
        }

        _filters = new Libc.sock_filter[]?[(int)ThreadKinds.Every + 1];
    }

    /// <summary>Where the process's calls are filtered, adds the filter of a kind of thread for the calling one.</summary>
    /// <exception cref="LinuxException">The kernel refuses.</exception>
    public static void EnterThread(ThreadKinds kind)
    {
        if (_filters is { } filters)
        {
            Libc.FilterThread(filters[(int)kind] ??= Assemble(kind));
        }
    }

    private static Libc.sock_filter[] Assemble(ThreadKinds kind) => SeccompAssembler.Assemble(SeccompRules.For(kind, _rules));
}
