using Strato.Engine.Linux;
using Strato.Protocol;

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

        options.PassedFiles.Add(() =>
        {
            // Programs that the engine starts don't inherit it.
            int own = Libc.fcntl((int)fd, Libc.F_DUPFD_CLOEXEC, 0);
            if (own < 0)
            {
                throw new UserErrorException("DescriptorNotOpen", $"The descriptor {fd} isn't open; whoever starts the engine has to open it and let it be inherited.", parts.Where("fd"));
            }

            _ = FileSets.Add(new FileDescriptor(own), set, opaque);
            return (int)fd;
        });
    }
}
