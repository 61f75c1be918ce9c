using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Anywhere;

/// <summary>What the host holds for a running engine's guest memory, and what is left of it.</summary>
[Trait("Where", "both")]
public sealed class MemoryTests
{
    private const long Memory = 256L << 20;
    private const int Pages = 128;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(240) * TestHost.Patience;

    public MemoryTests()
    {
        TestHost.RequireKvm();
    }

    [Theory]
    [InlineData(2048, 128, false)]
    [InlineData(2048, 128, true)]
    [InlineData(1 << 20, 1, false)]
    [InlineData(1 << 20, 1, true)]
    public void Huge_pages_are_the_guests_and_come_back_however_it_ends(int kibibytes, int pages, bool killed)
    {
        Assert.SkipWhen(kibibytes > 2048 && TestHost.InVirtualHost, "software CPUs take over a minute to clear a page of 1 GiB");
        using HugePages host = HugePages.Reserve(pages, kibibytes);
        using (EngineProcess engine = Start("-m", $"{(long)kibibytes * pages}K", "-mem-path", host.Folder))
        {
            Assert.Equal(0, host.Available);
            Assert.InRange(host.Free, 0, pages - 1);
            Assert.Empty(Directory.EnumerateFileSystemEntries(host.Folder));
            if (killed)
            {
                engine.Kill();
            }
            else
            {
                Command.Check("kill", "-TERM", $"{engine.Id}");
                engine.WaitExit(0, Limit);
            }
        }

        Assert.True(SpinWait.SpinUntil(() => host.Available == pages, Limit), $"{host.Available} of {pages} came back");
    }

    [Fact]
    public void Too_few_huge_pages_are_told_before_the_guest_starts()
    {
        using HugePages host = HugePages.Reserve(Pages - 1);
        using EngineProcess engine = EngineProcess.Start(Options("-m", "256M", "-mem-path", host.Folder));
        EngineError error = engine.WaitError();
        Assert.Equal(("HugePagesTooFew", "-mem-path"), (error.Id, error.Where));
        Assert.StartsWith($"The guest's memory of 256 MiB needs 128 huge pages of 2 MiB, and {host.Free} of the host's ", error.Message, StringComparison.Ordinal);
        Assert.Equal("", engine.Output.Text());
        Assert.Equal(Pages - 1, host.Available);
    }

    /// <summary>The kernel would give the pages, and end the engine when the guest touches them.</summary>
    [Fact]
    public void A_cgroups_limit_is_told_before_the_guest_starts()
    {
        const string Root = "/sys/fs/cgroup";
        Assert.SkipUnless(
            Environment.IsPrivilegedProcess && File.Exists($"{Root}/cgroup.controllers") && File.ReadAllText($"{Root}/cgroup.controllers").Contains("hugetlb", StringComparison.Ordinal),
            "needs root and a cgroup of version 2 with hugetlb");
        using HugePages host = HugePages.Reserve(Pages);
        File.WriteAllText($"{Root}/cgroup.subtree_control", "+hugetlb");
        string group = Directory.CreateDirectory($"{Root}/strato-test-{Environment.ProcessId}").FullName;
        try
        {
            File.WriteAllText($"{group}/hugetlb.2MB.max", $"{100L << 21}");
            using EngineProcess engine = EngineProcess.StartBy(
                ["sh", "-c", $"echo $$ >{group}/cgroup.procs && exec \"$@\"", "sh"], Options("-m", "256M", "-mem-path", host.Folder));
            EngineError error = engine.WaitError();
            Assert.Equal("HugePagesTooFew", error.Id);
            Assert.Equal(
                $"The guest's memory of 256 MiB needs 128 huge pages of 2 MiB, and the cgroup '/{Path.GetFileName(group)}' has 100 left (hugetlb.2MB.max).",
                error.Message);
        }
        finally
        {
            Directory.Delete(group);
        }
    }

    [Fact]
    public void Qmp_tells_what_the_memory_is_made_of()
    {
        string socket = TestHost.NewPath("qmp");
        using EngineProcess engine = Start("-m", "4G", "-machine", "microvm,mem-share=on,dump-guest-core=off", "-qmp", $"unix:{socket},server,nowait");
        using QmpConnection qmp = QmpConnection.Open(socket, engine);
        Assert.Equal("""{"base-memory":4294967296,"plugged-memory":0}""", qmp.Call("query-memory-size-summary").ToJsonString());
        JsonNode memory = qmp.Call("query-mem");
        Assert.Equal(("memory-backend-memfd", 4096, true, false), ((string)memory["backend"]!, (int)memory["page-size"]!, (bool)memory["share"]!, (bool)memory["dump"]!));
        Assert.Equal([(0L, 3L << 30), (4L << 30, 1L << 30)], memory["ranges"]!.AsArray().Select(range => ((long)range!["start"]!, (long)range["size"]!)));
        qmp.Call("quit");
        engine.WaitExit(0, Limit);
    }

    [Fact]
    public void Memory_that_is_allocated_beforehand_is_the_hosts_to_give()
    {
        using (EngineProcess engine = Start("-m", "256M", "-mem-prealloc"))
        {
            Assert.InRange(Resident(engine), Memory, Memory + (32 << 20));
        }

        using EngineProcess much = EngineProcess.Start(Options("-m", "512G", "-mem-prealloc"));
        EngineError error = much.WaitError();
        Assert.Equal(("MemoryUnavailable", "-mem-prealloc"), (error.Id, error.Where));
        Assert.Matches("^The guest's memory of 512 GiB is to be allocated before it starts, and the host has [0-9]+ MiB available of its [0-9]+ MiB.$", error.Message);
    }

    private static string[] Options(params string[] more) => ["-force", "-kernel", Payload.Make(PayloadEnd.Halt), "-serial", "stdio", .. more];

    private static EngineProcess Start(params string[] more)
    {
        EngineProcess engine = EngineProcess.Start(Options(more));
        engine.Output.WaitFor("hello", 0, Limit);
        return engine;
    }

    private static long Resident(EngineProcess engine) => long.Parse(
        File.ReadLines($"/proc/{engine.Id}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
        CultureInfo.InvariantCulture) << 10;
}
