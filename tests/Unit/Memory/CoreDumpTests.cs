using System;
using System.IO;
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
        Assert.DoesNotContain("dd", Smaps.Flags(memory.Regions[0].HostAddress));
        memory.ExcludeFromCoreDump();
        Assert.Contains("dd", Smaps.Flags(memory.Regions[0].HostAddress));
    }
}
