using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Cli;

/// <summary>The file of <c>-D</c>.</summary>
internal static class LogFile
{
    /// <summary>Sends the log to the end of a file, made readable by its owner alone; without one it stays on standard error.</summary>
    /// <exception cref="UserErrorException">LogFileNotWritable.</exception>
    public static void Open(string? path)
    {
        if (path is null)
        {
            return;
        }

        int fd = Libc.Open(path, Libc.O_WRONLY | Libc.O_CREAT | Libc.O_APPEND | Libc.O_NOCTTY, 0x180);
        if (fd < 0)
        {
            throw new UserErrorException("LogFileNotWritable", $"The log file '{path}' can't be opened: {Errno.Text(Errno.Last)}.", "-D");
        }

        Log.Redirect(fd);
    }
}
