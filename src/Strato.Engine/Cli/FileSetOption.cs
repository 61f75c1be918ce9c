using System.Collections.Generic;
using Strato.Engine.Linux;
using Strato.Protocol;
using Strato.Protocol.CommandLine;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary><c>-add-fd</c>: a descriptor that whoever starts the engine has opened for it; <c>/dev/fdset/SET</c> stands for it.</summary>
internal static class FileSetOption
{
    public const string Usage = "fd=N,set=N[,opaque=TEXT][,keep=on|off]";

    public const string Help =
        """
        A descriptor that the engine inherits, for a set: the path /dev/fdset/SET then stands for it, wherever a file is opened,
                and messages call it TEXT. keep=off (on) closes it as soon as the machine is built, which needs it no more.
        """;

    private const int FirstAllowed = 3;

    public static void Add(Options options, string value)
    {
        SubOptions parts = new("-add-fd", value);
        long fd = parts.TakeNumber("fd") ?? throw parts.Invalid("'fd' is missing: fd=N", "fd");
        long set = parts.TakeNumber("set") ?? throw parts.Invalid("'set' is missing: set=N", "set");
        string? opaque = parts.Take("opaque");
        bool keep = parts.TakeBoolean("keep") ?? true;
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

        options.PassedFiles.Add(new PassedFile((int)fd, set, opaque, keep));
    }

    /// <summary>Puts the descriptors into their sets, in the process that opens files.</summary>
    /// <exception cref="UserErrorException">DescriptorNotOpen, or InvalidOption: it is another option's.</exception>
    public static void Take(Options options)
    {
        HashSet<int> others = options.ReadyDescriptor is { } ready ? [ready] : [];
        AddNetdevs(others, options);
        foreach (PassedFile file in options.PassedFiles)
        {
            // What the engine opened itself is closed at an exec; what it inherits isn't.
            int flags = Libc.fcntl(file.Descriptor, Libc.F_GETFD, 0);
            if (flags < 0 || (flags & Libc.FD_CLOEXEC) != 0)
            {
                throw new UserErrorException("DescriptorNotOpen", $"The descriptor {file.Descriptor} isn't open; whoever starts the engine has to open it and let it be inherited.", "-add-fd fd");
            }

            if (others.Contains(file.Descriptor))
            {
                throw new UserErrorException("InvalidOption", $"The descriptor {file.Descriptor} is given to another option as well; it belongs to one.", "-add-fd fd");
            }

            _ = Libc.fcntl(file.Descriptor, Libc.F_SETFD, Libc.FD_CLOEXEC);
            _ = FileSets.Add(new FileDescriptor(file.Descriptor), file.Set, file.Opaque);
        }
    }

    /// <summary>Closes those that were for building the machine alone; what was opened by them stays open.</summary>
    public static void Leave(Options options)
    {
        foreach (PassedFile file in options.PassedFiles)
        {
            if (!file.Keep)
            {
                _ = FileSets.Remove(file.Set, file.Descriptor);
            }
        }
    }

    /// <summary>All descriptors that options name, but for the readiness pipe's.</summary>
    public static HashSet<int> Named(Options options)
    {
        HashSet<int> named = [];
        options.PassedFiles.ForEach(file => named.Add(file.Descriptor));
        AddNetdevs(named, options);
        return named;
    }

    private static void AddNetdevs(HashSet<int> named, Options options)
    {
        foreach (DeviceConfiguration device in options.Configuration.Devices)
        {
            if (device is NetConfiguration net)
            {
                AddAll(named, net.Netdev.Descriptors);
                AddAll(named, net.Netdev.VhostDescriptors);
            }
        }
    }

    private static void AddAll(HashSet<int> named, IReadOnlyList<long> descriptors)
    {
        foreach (long descriptor in descriptors)
        {
            named.Add((int)descriptor);
        }
    }
}

/// <summary>What one <c>-add-fd</c> gives.</summary>
internal sealed record PassedFile(int Descriptor, long Set, string? Opaque, bool Keep);
