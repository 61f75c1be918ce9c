using System;
using System.Threading;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;

namespace Strato.Engine.Net;

/// <summary>A program that is run with an interface's name when the interface goes.</summary>
/// <remarks>
/// No program can be started once the engine's system calls are filtered. So a shell is started before, which waits for a line, and
/// becomes the program; an engine that is killed never writes it.
/// </remarks>
internal sealed class DownScript : IDisposable
{
    private const string Shell = "/bin/sh";
    private const string Wait = "read -r go <&3 && exec \"$0\" \"$1\" 3<&-";

    private readonly string _name;
    private readonly FileDescriptor _write;
    private readonly ChildProcess _child;

    /// <param name="script">The program's path.</param>
    /// <param name="name">The interface's.</param>
    /// <exception cref="LinuxException">The host can't start the shell.</exception>
    public DownScript(string script, string name)
    {
        _name = $"{script} {name}";
        Libc.CreatePipe(out FileDescriptor read, out _write);
        using (read)
        {
            try
            {
                _child = ChildProcess.Start(Shell, [Shell, "-c", Wait, script, name], read, Timeout.InfiniteTimeSpan);
            }
            catch
            {
                _write.Dispose();
                throw;
            }
        }
    }

    /// <summary>Runs the program, and waits for its end; what goes wrong is logged.</summary>
    public void Dispose()
    {
        if (_write.IsClosed)
        {
            return;
        }

        _ = Libc.Write(_write.Value, "\n"u8);
        _write.Dispose();
        string end = _child.WaitForEnd();
        if (end != ChildRun.DescribeEnd(0))
        {
            Log.Warning("net", $"'{_name}' failed: {end}{(_child.LastLine is { } last ? $": {last}" : "")}");
        }

        _child.Dispose();
    }
}
