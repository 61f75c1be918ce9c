using System;
using System.Globalization;
using System.IO;
using System.Linq;

namespace Strato.Tests.Unit.Memory;

/// <summary>What the kernel tells of a map of this process (proc(5), /proc/pid/smaps).</summary>
internal static class Smaps
{
    /// <summary>The VmFlags of the map at an address.</summary>
    public static string[] Flags(nint address) => Line(address, "VmFlags:").Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..];

    /// <summary>Bytes of a field of the map at an address, such as Rss.</summary>
    public static long Bytes(nint address, string field) =>
        long.Parse(Line(address, field + ":").Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;

    private static string Line(nint address, string start) => File.ReadLines("/proc/self/smaps")
        .SkipWhile(line => !Holds(line, (ulong)address))
        .First(line => line.StartsWith(start, StringComparison.Ordinal));

    private static bool Holds(string line, ulong address)
    {
        string[] range = line.Split(' ')[0].Split('-');
        return range.Length == 2
            && ulong.TryParse(range[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out ulong start)
            && ulong.TryParse(range[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out ulong end)
            && address >= start
            && address < end;
    }
}
