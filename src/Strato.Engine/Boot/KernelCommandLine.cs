using System;
using System.Text;
using Strato.Engine.Memory;
using Strato.Protocol;

namespace Strato.Engine.Boot;

/// <summary>The words a kernel is given: the user's, and where nothing else tells it of the devices, theirs.</summary>
/// <remarks>
/// Words are split as Linux does (lib/cmdline.c, next_arg): at blanks outside of double quotes; what follows the word
/// "--" belongs to init.
/// </remarks>
internal static class KernelCommandLine
{
    private const string DeviceWord = "virtio_mmio.device=";

    /// <summary>Whether a kernel word is exactly <paramref name="word"/>.</summary>
    public static bool Has(string commandLine, string word) => Find(commandLine, candidate => candidate.SequenceEqual(word));

    /// <summary>Adds a word for each virtio-mmio slot, before those of init; nothing if the user names such devices himself.</summary>
    public static string WithDevices(string commandLine, ReadOnlySpan<int> slots)
    {
        if (Find(commandLine, candidate => candidate.StartsWith(DeviceWord)))
        {
            return commandLine;
        }

        StringBuilder words = new();
        foreach (int slot in slots)
        {
            words.Append(' ').Append(DeviceWord)
                .Append(Layout.VirtioMmioLength).Append("@0x").Append($"{Layout.VirtioMmioBase(slot):x}")
                .Append(':').Append(Layout.VirtioMmioGsi(slot));
        }

        int kernelEnd = commandLine.Length;
        int position = 0;
        while (Next(commandLine, ref position, out Range word))
        {
            if (commandLine.AsSpan(word) is "--")
            {
                kernelEnd = word.Start.Value;
                words.Append(' ');
                break;
            }
        }

        string before = commandLine[..kernelEnd].TrimEnd(' ');
        string added = before.Length == 0 ? words.ToString().TrimStart(' ') : words.ToString();
        return before + added + commandLine[kernelEnd..];
    }

    /// <summary>Writes the line and its null to where the kernel finds it.</summary>
    /// <param name="memory">The guest.</param>
    /// <param name="commandLine">What the kernel is given.</param>
    /// <param name="given">What the user wrote.</param>
    /// <param name="kernel">Says how much it takes.</param>
    /// <param name="where">The option or JSON path of what the user wrote.</param>
    /// <exception cref="UserErrorException">CommandLineFormat or CommandLineTooLong.</exception>
    public static void Write(GuestMemory memory, string commandLine, string given, LoadedKernel kernel, string where)
    {
        int nul = given.IndexOf('\0', StringComparison.Ordinal);
        if (nul >= 0)
        {
            throw new UserErrorException("CommandLineFormat", $"the kernel command line has a null character at position {nul}, where it would end", where);
        }

        // Never longer than the room: every kernel's limit was cut to it.
        int length = Encoding.UTF8.GetByteCount(commandLine);
        if ((uint)length > kernel.CommandLineMax)
        {
            string added = given.Length == commandLine.Length ? "" : $" ({length - Encoding.UTF8.GetByteCount(given)} of them to announce its devices)";
            throw new UserErrorException(
                "CommandLineTooLong", $"the kernel command line has {length} bytes{added}; this kernel takes {kernel.CommandLineMax}", where);
        }

        if (!memory.TryGetSpan(Layout.CommandLine, length + 1, out Span<byte> room))
        {
            throw new InvalidOperationException("no RAM at the command line's address");
        }

        Encoding.UTF8.GetBytes(commandLine, room);
        room[length] = 0;
    }

    private delegate bool WordTest(ReadOnlySpan<char> word);

    private static bool Find(string commandLine, WordTest test)
    {
        int position = 0;
        while (Next(commandLine, ref position, out Range word))
        {
            ReadOnlySpan<char> text = commandLine.AsSpan(word);
            if (text is "--")
            {
                return false;
            }

            if (test(text))
            {
                return true;
            }
        }

        return false;
    }

    private static bool Next(ReadOnlySpan<char> line, ref int position, out Range word)
    {
        while (position < line.Length && char.IsWhiteSpace(line[position]))
        {
            position++;
        }

        int start = position;
        bool quoted = false;
        while (position < line.Length && (quoted || !char.IsWhiteSpace(line[position])))
        {
            quoted ^= line[position] == '"';
            position++;
        }

        word = start..position;
        return position > start;
    }
}
