using System;
using System.Globalization;
using System.IO;
using System.Linq;
using Strato.Engine.Memory;
using Xunit;

namespace Strato.Tests.Unit.Memory;

public class CoreDumpTests
{
    [Fact]
    public void GuestMemoryIsLeftOutOfACoreDumpWhenToldSo()
    {
        Assert.SkipUnless(File.ReadAllText("/proc/self/smaps").Contains("VmFlags:", StringComparison.Ordinal), "this kernel's smaps tell no VmFlags");
        using GuestMemory memory = GuestMemory.Allocate([(0, 1 << 20)]);
        Assert.True(Array.IndexOf(Flags(memory.Regions[0].HostAddress), "dd") < 0);
        memory.ExcludeFromCoreDump();
        Assert.True(Array.IndexOf(Flags(memory.Regions[0].HostAddress), "dd") >= 0);
    }

    /// <summary>The VmFlags of the map at an address (proc(5), /proc/pid/smaps).</summary>
    private static string[] Flags(nint address) => File.ReadLines("/proc/self/smaps")
        .SkipWhile(line => !Holds(line, (ulong)address))
        .First(line => line.StartsWith("VmFlags:", StringComparison.Ordinal))
        .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..];

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
