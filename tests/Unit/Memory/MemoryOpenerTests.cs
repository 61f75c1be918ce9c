using System;
using System.Diagnostics;
using System.IO;
using System.Threading.Tasks;
using Strato.Engine.Boot;
using Strato.Engine.Memory;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Memory;

/// <summary>Guest memory as the configuration wishes it.</summary>
public sealed class MemoryOpenerTests
{
    private const long Memory = 256L << 20;
    private const long Pages = Memory / HugePages.Size;

    [Fact]
    public void HugePagesAreReservedBeforeTheGuestStarts()
    {
        using HugePages host = HugePages.Reserve((int)Pages);
        using (GuestMemory memory = Open(machine => UseFolder(machine, host.Folder)))
        {
            Assert.Equal((ulong)HugePages.Size, memory.HostPageSize);
            Assert.Contains("ht", Smaps.Flags(memory.Regions[0].HostAddress));
            Assert.Empty(Directory.EnumerateFileSystemEntries(host.Folder));
            Assert.Equal((Pages, 0L), (HugePages.Pool.Reserved, HugePages.Pool.Available));
            Assert.True(memory.TryWrite(0, 7));
            Assert.Equal((Pages - 1, Pages - 1), (HugePages.Pool.Reserved, HugePages.Pool.Free));
        }

        Assert.Equal((0L, Pages), (HugePages.Pool.Reserved, HugePages.Pool.Free));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void TooFewHugePagesAreAnErrorThatCountsThem(bool folder)
    {
        using HugePages host = HugePages.Reserve(100);
        void Wish(VmConfiguration machine)
        {
            if (folder)
            {
                UseFolder(machine, host.Folder);
            }
            else
            {
                (machine.Backing.HugePageSize, machine.Backing.PathWhere) = (HugePages.Size, "-object hugetlb");
            }
        }

        HugePagePool pool = HugePages.Pool;
        UserErrorException error = Fails(Wish, "HugePagesTooFew");
        Assert.Equal(folder ? "-mem-path" : "-object hugetlb", error.Where);
        Assert.Equal(
            $"The guest's memory of 256 MiB needs 128 huge pages of 2 MiB, and 100 of the host's {pool.Total} are free; 'echo {pool.Total + 28} > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages' as root makes them enough.",
            error.Message);
        Assert.Equal(pool, HugePages.Pool);

        // What others have reserved is no longer there for us.
        using (GuestMemory other = GuestMemory.Allocate([(0, 4 * HugePages.Size)], MemoryFile.Create(4 * HugePages.Size, HugePages.Size)))
        {
            Assert.Contains("100 of the host's", Fails(Wish, "HugePagesTooFew").Message, StringComparison.Ordinal);
            Assert.Contains(" are free, and 4 of those are promised to others; ", Fails(Wish, "HugePagesTooFew").Message, StringComparison.Ordinal);
        }

        Assert.Equal(pool, HugePages.Pool);
    }

    [Fact]
    public void AFailureInTheSecondRangeGivesTheFirstBack()
    {
        using HugePages host = HugePages.Reserve(6);
        HugePagePool pool = HugePages.Pool;
        Assert.Throws<Engine.Linux.LinuxException>(() =>
            GuestMemory.Allocate([(0, 4 * HugePages.Size), (1UL << 32, 4 * HugePages.Size)], MemoryFile.Create(8 * HugePages.Size, HugePages.Size)));
        Assert.Equal(pool, HugePages.Pool);
    }

    [Fact]
    public void HugePagesStayTheGuestsOverAReset()
    {
        using HugePages host = HugePages.Reserve((int)Pages);
        using GuestMemory memory = Open(machine => UseFolder(machine, host.Folder));
        Assert.True(memory.TryWrite(5 * HugePages.Size, 7));
        memory.Discard();
        Assert.True(memory.TryRead(5 * HugePages.Size, out int value));
        Assert.Equal((0, 0L), (value, HugePages.Pool.Available));
    }

    [Fact]
    public void MemoryIsAMultipleOfTheHugePage()
    {
        using HugePages host = HugePages.Reserve(1);
        UserErrorException error = Fails(
            machine =>
            {
                UseFolder(machine, host.Folder);
                machine.Memory = Memory + (1 << 20);
            },
            "InvalidMemory");
        Assert.Equal(("-m", "Memory of 257 MiB is not a multiple of the huge pages of 2 MiB that hold it (-mem-path)."), (error.Where, error.Message));
    }

    /// <summary>That a folder is of huge pages shows only when it is opened.</summary>
    [Fact]
    public void ABalloonAndAnObjectWithHugePagesExcludeEachOther()
    {
        using HugePages host = HugePages.Reserve(1);
        UserErrorException error = Fails(
            machine =>
            {
                (machine.Backing.Path, machine.Backing.PathWhere) = (host.Folder, "-object mem-path");
                machine.Devices.Add(new BalloonConfiguration { Id = "b", Where = "-device" });
            },
            "BalloonWithHugePages");
        Assert.Equal("-device", error.Where);
        Assert.Contains("The balloon 'b' gives memory back by pages of 4096 bytes, and the guest's memory is of huge pages (-object mem-path)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AFolderThatIsNotOfHugePagesIsNamed()
    {
        string folder = Directory.CreateTempSubdirectory("strato-mem-").FullName;
        UserErrorException error = Fails(machine => UseFolder(machine, folder), "MemPathNotHuge");
        Assert.Equal(("-mem-path", $"'{folder}' is not on a hugetlbfs, so it has no huge pages; 'mount -t hugetlbfs hugetlbfs {folder}' as root makes it one."), (error.Where, error.Message));
        Directory.Delete(folder);
        Assert.Equal($"Guest memory can't be a file in '{folder}': No such file or directory.", Fails(machine => UseFolder(machine, folder), "MemPathNotFound").Message);
        using TemporaryFile file = new(4096);
        Assert.Contains("is no folder; guest memory is a file without a name in a folder", Fails(machine => UseFolder(machine, file.Path), "MemPathNotFolder").Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnyFolderCanHoldTheMemoryOfAnObject()
    {
        string folder = Directory.CreateTempSubdirectory("strato-mem-").FullName;
        using (GuestMemory memory = Open(machine => machine.Backing.Path = folder))
        {
            Assert.True(memory.TryWrite(4096, 7));
            Assert.Equal(GuestMemory.PageSize, memory.HostPageSize);
            Assert.Empty(Directory.EnumerateFileSystemEntries(folder));
            memory.Discard();
            Assert.True(memory.TryRead(4096, out int value));
            Assert.Equal(0, value);
        }

        Assert.Contains("The guest's memory of 512 GiB doesn't fit into", Fails(machine => (machine.Backing.Path, machine.Memory) = ("/dev/shm", 512L << 30), "MemPathFull").Message, StringComparison.Ordinal);
        Directory.Delete(folder);
    }

    /// <summary>Opened for reading, a pipe without a writer waits for one.</summary>
    [Fact]
    public async Task APipeIsNoFolder()
    {
        string path = Path.Combine(Directory.CreateTempSubdirectory("strato-mem-").FullName, "pipe");
        Runs("mkfifo", path);
        await Task.Run(() => Fails(machine => UseFolder(machine, path), "MemPathNotFolder"), TestContext.Current.CancellationToken)
            .WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
    }

    /// <summary>It tells no size, and can't take pages out of a file.</summary>
    [Fact]
    public void ARamfsHoldsTheMemoryOverAReset()
    {
        string folder = Directory.CreateTempSubdirectory("strato-mem-").FullName;
        Assert.SkipUnless(Environment.IsPrivilegedProcess && Runs("mount", "-t", "ramfs", "none", folder), "this process may not mount");
        try
        {
            using GuestMemory memory = Open(machine => machine.Backing.Path = folder);
            Assert.True(memory.TryWrite(4096, 7));
            memory.Discard();
            Assert.True(memory.TryRead(4096, out int value));
            Assert.Equal(0, value);
        }
        finally
        {
            Assert.True(Runs("umount", folder));
            Directory.Delete(folder);
        }
    }

    [Fact]
    public void AllMemoryIsThereBeforehandWhereItIsToBe()
    {
        using GuestMemory memory = Open(machine => machine.Backing.Preallocate = true);
        Assert.Equal(Memory, Smaps.Bytes(memory.Regions[0].HostAddress, "Rss"));
        Assert.True(memory.TryWrite(Memory - 4, 7));
        memory.Discard();
        Assert.True(memory.TryRead(Memory - 4, out int value));
        Assert.Equal((0, Memory), (value, Smaps.Bytes(memory.Regions[0].HostAddress, "Rss")));
    }

    [Fact]
    public void MoreThanTheHostHasIsAnErrorOnlyBeforehand()
    {
        UserErrorException error = Fails(machine => (machine.Memory, machine.Backing.Preallocate) = (512L << 30, true), "MemoryUnavailable");
        Assert.Equal("-mem-prealloc", error.Where);
        Assert.Matches("^The guest's memory of 512 GiB is to be allocated before it starts, and the host has [0-9]+ MiB available of its [0-9]+ MiB.$", error.Message);
        Open(machine => machine.Memory = 512L << 30).Dispose();
    }

    [Fact]
    public void MergingAndDumpingAreTheKernelsFlags()
    {
        Assert.SkipUnless(File.Exists("/sys/kernel/mm/ksm/run"), "this kernel has no KSM");
        using GuestMemory plain = Open(_ => { });
        Assert.DoesNotContain("mg", Smaps.Flags(plain.Regions[0].HostAddress));
        using GuestMemory memory = Open(machine => (machine.Backing.Merge, machine.DumpGuestCore) = (true, false));
        Assert.Contains("mg", Smaps.Flags(memory.Regions[0].HostAddress));
        Assert.Contains("dd", Smaps.Flags(memory.Regions[0].HostAddress));
    }

    private static bool Runs(string command, params string[] arguments)
    {
        using Process run = Process.Start(command, arguments);
        run.WaitForExit();
        return run.ExitCode == 0;
    }

    private static void UseFolder(VmConfiguration machine, string folder) =>
        (machine.Backing.Path, machine.Backing.Huge) = (folder, true);

    private static GuestMemory Open(Action<VmConfiguration> wish)
    {
        VmConfiguration machine = new() { Memory = Memory };
        wish(machine);
        return MemoryOpener.Open(machine, Layout.RamRanges((ulong)machine.Memory));
    }

    private static UserErrorException Fails(Action<VmConfiguration> wish, string id)
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => Open(wish).Dispose());
        Assert.Equal(id, error.Id);
        return error;
    }
}
