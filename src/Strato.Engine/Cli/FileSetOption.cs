using System.Collections.Generic;
using Strato.Engine.Linux;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary><c>-add-fd</c>: a descriptor that whoever starts the engine has opened for it; <c>/dev/fdset/SET</c> stands for it.</summary>
internal static class FileSetOption
{
    public const string Usage = "fd=N,set=N[,opaque=TEXT]";

    public const string Help = "A descriptor that the engine inherits, for a set: the path /dev/fdset/SET then stands for it, wherever a file is opened.";

    private const int FirstAllowed = 3;

    public static void Add(Options options, string value)
    {
        SubOptions parts = new("-add-fd", value);
        long fd = parts.TakeNumber("fd") ?? throw parts.Invalid("'fd' is missing: fd=N", "fd");
        long set = parts.TakeNumber("set") ?? throw parts.Invalid("'set' is missing: set=N", "set");
        string? opaque = parts.Take("opaque");
        parts.End();
        if (fd is < FirstAllowed or > int.MaxValue)
        {
            throw parts.Invalid($"'fd={fd}' can't be given away; allowed are descriptors from {FirstAllowed} on that are open.", "fd");
        }

        if (set < 0)
        {
            throw parts.Invalid($"'set={set}' is no number of a set; allowed are numbers from 0 on.", "set");
        }

        if (options.PassedFiles.Exists(file => file.Descriptor == fd))
        {
            throw parts.Invalid($"'fd={fd}' is given twice; a descriptor belongs to one set.", "fd");
        }

        options.PassedFiles.Add(new PassedFile((int)fd, set, opaque));
    }

    /// <summary>Puts the descriptors into their sets, in the process that opens files.</summary>
    /// <exception cref="UserErrorException">DescriptorNotOpen, or InvalidOption: it is another option's.</exception>
    public static void Take(Options options)
    {
        foreach (PassedFile file in options.PassedFiles)
        {
            // What the engine opened itself is closed at an exec; what it inherits isn't.
            int flags = Libc.fcntl(file.Descriptor, Libc.F_GETFD, 0);
            if (flags < 0 || (flags & Libc.FD_CLOEXEC) != 0)
            {
                throw new UserErrorException("DescriptorNotOpen", $"The descriptor {file.Descriptor} isn't open; whoever starts the engine has to open it and let it be inherited.", "-add-fd fd");
            }

            if (IsUsed(options, file.Descriptor))
            {
                throw new UserErrorException("InvalidOption", $"The descriptor {file.Descriptor} is given to another option as well; it belongs to one.", "-add-fd fd");
            }

            _ = Libc.fcntl(file.Descriptor, Libc.F_SETFD, Libc.FD_CLOEXEC);
            _ = FileSets.Add(new FileDescriptor(file.Descriptor), file.Set, file.Opaque);
        }
    }

    private static bool IsUsed(Options options, int descriptor)
    {
        foreach (DeviceConfiguration device in options.Configuration.Devices)
        {
            if (device is NetConfiguration net && (Has(net.Netdev.Descriptors, descriptor) || Has(net.Netdev.VhostDescriptors, descriptor)))
            {
                return true;
            }
        }

        return options.ReadyDescriptor == descriptor;
    }

    private static bool Has(IReadOnlyList<long> descriptors, int descriptor)
    {
        foreach (long one in descriptors)
        {
            if (one == descriptor)
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>What one <c>-add-fd</c> gives.</summary>
internal sealed record PassedFile(int Descriptor, long Set, string? Opaque);
