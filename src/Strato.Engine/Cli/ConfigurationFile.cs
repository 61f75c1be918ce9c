using System;
using Strato.Engine.Linux;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary>The file of <c>-config</c>.</summary>
internal static class ConfigurationFile
{
    /// <summary>Bytes. Far above any real configuration, and small enough to be read at once.</summary>
    private const int MaxLength = 1 << 20;

    /// <param name="path">The file.</param>
    /// <param name="text">What it holds, for <see cref="Locate"/>.</param>
    /// <exception cref="UserErrorException">ConfigurationNotFound, ConfigurationUnreadable, ConfigurationTooLarge, or the reader's.</exception>
    public static VmConfiguration Read(string path, out byte[] text)
    {
        ConfigurationLimits.CheckPath(path, "configuration", "-config");
        int fd = Libc.Open(path, Libc.O_RDONLY);
        if (fd < 0)
        {
            int errno = Errno.Last;
            throw new UserErrorException(
                errno == Errno.ENOENT ? "ConfigurationNotFound" : "ConfigurationUnreadable",
                $"The configuration '{path}' can't be opened: {Errno.Text(errno)}.",
                "-config");
        }

        using FileDescriptor file = new(fd);
        byte[] bytes = new byte[4096];
        int length = 0;
        while (true)
        {
            nint count = Libc.Read(fd, bytes.AsSpan(length));
            if (count < 0)
            {
                throw new UserErrorException("ConfigurationUnreadable", $"The configuration '{path}' can't be read: {Errno.Text(Errno.Last)}.", "-config");
            }

            if (count == 0)
            {
                text = bytes[..length];
                try
                {
                    return ConfigurationReader.Read(text);
                }
                catch (UserErrorException error)
                {
                    throw Locate(error, path, text) ?? error;
                }
            }

            length += (int)count;
            if (length > MaxLength)
            {
                throw new UserErrorException("ConfigurationTooLarge", $"The configuration '{path}' has more than {MaxLength} bytes, which is the most that is read.", "-config");
            }

            if (length == bytes.Length)
            {
                Array.Resize(ref bytes, bytes.Length * 2);
            }
        }
    }

    /// <summary>An error about a value of the file, with the file's name and the line; null when it is about something else.</summary>
    public static UserErrorException? Locate(UserErrorException error, string path, byte[] text)
    {
        if (error.Id == "InvalidJson" || error.Where == "(document)")
        {
            // These say line and column themselves, or are about all of it.
            return new UserErrorException(error.Id, $"{error.Message} ({path})", error.Where, error);
        }

        int line = JsonPlace.LineOf(text, error.Where);
        return line == 0 ? null
            : new UserErrorException(error.Id, $"{error.Message} ({path}, line {line})", error.Where, error) { Advice = error.Advice };
    }
}
