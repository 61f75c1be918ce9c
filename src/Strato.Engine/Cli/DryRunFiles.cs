using System.IO;
using Strato.Engine.Linux;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary>What <c>-dry-run</c> looks at instead of making it: files that a start empties hold what the last run said, and a pid file says that an engine runs.</summary>
internal static class DryRunFiles
{
    /// <summary>Refuses what a start would refuse, and leaves in the configuration nothing that would be made or emptied.</summary>
    /// <exception cref="UserErrorException">PidFileExists, PidFileNotWritable, SerialFileFailed.</exception>
    public static void Check(VmConfiguration configuration)
    {
        if (configuration.PidFile is { } pidFile)
        {
            PidFile.CheckFree(pidFile);
            if (TryFolder(pidFile) is var errno and not 0)
            {
                throw new UserErrorException("PidFileNotWritable", $"The pid file '{pidFile}' can't be made: {Errno.Text(errno)}.", "-pidfile");
            }

            configuration.PidFile = null;
        }

        configuration.Serial = Instead(configuration.Serial, "-serial");
        foreach (DeviceConfiguration device in configuration.Devices)
        {
            if (device is ConsoleConfiguration console)
            {
                console.Ports.ForEach(static port => port.Backend = Instead(port.Backend, port.Where));
            }
        }
    }

    private static SerialConfiguration Instead(SerialConfiguration serial, string where)
    {
        switch (serial.Backend)
        {
            case SerialBackend.File:
                CheckFile(serial.Path!, where);
                return serial with { Backend = SerialBackend.Null, Path = null };
            case SerialBackend.Console when serial.LogFile is { } log:
                CheckFile(log, where);
                return serial with { LogFile = null };
            default:
                return serial;
        }
    }

    private static void CheckFile(string path, string where)
    {
        int fd = FileSets.Open(path, Libc.O_WRONLY | Libc.O_NONBLOCK | Libc.O_NOCTTY);
        int errno = fd >= 0 ? 0 : Errno.Last == Errno.ENOENT ? TryFolder(path) : Errno.Last;
        new FileDescriptor(fd).Dispose();
        if (errno != 0)
        {
            throw new UserErrorException("SerialFileFailed", $"The file '{path}' can't be opened for output: {Errno.Text(errno)}.", where);
        }
    }

    /// <summary>Why no file can be made in a path's folder, an errno; 0 if one can.</summary>
    private static int TryFolder(string path) => Libc.MayMakeFiles(Path.GetDirectoryName(Path.GetFullPath(path)) ?? "/") ? 0 : Errno.Last;
}
