using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Threading;
using Strato.Engine.Memory;
using Xunit;

namespace Strato.Tests.Unit.Memory;

/// <summary>Huge pages of 2 MiB that the host sets aside for one test, and a folder of a hugetlbfs; other processes that test the same wait.</summary>
internal sealed class HugePages : IDisposable
{
    public const long Size = 2 << 20;

    private const string CountFile = "/proc/sys/vm/nr_hugepages";

    private readonly FileStream _lock;
    private readonly long _before;

    private HugePages(FileStream taken, long before) => (_lock, _before) = (taken, before);

    /// <summary>The folder of a hugetlbfs.</summary>
    public string Folder { get; } = Directory.CreateTempSubdirectory("strato-huge-").FullName;

    /// <summary>As the host has them now.</summary>
    public static HugePagePool Pool => HugePagePool.Read(Size)!.Value;

    /// <summary>Has the host set aside so many pages more than are in use; skips the test where it can't.</summary>
    public static HugePages Reserve(int pages)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess && HugePagePool.Read(Size) is not null, "needs root and a kernel with huge pages");
        FileStream? taken = null;
        SpinWait.SpinUntil(() => (taken = TryLock()) is not null, TimeSpan.FromMinutes(2));
        Assert.NotNull(taken);
        HugePages made = new(taken, Pool.Total);
        SetCount(Pool.Total - Pool.Available + pages);
        bool enough = Pool.Available == pages;
        using Process? mount = enough ? Process.Start("mount", ["-t", "hugetlbfs", "none", made.Folder]) : null;
        mount?.WaitForExit();
        if (mount is not { ExitCode: 0 })
        {
            made.Dispose();
            Assert.Skip(enough ? "this process may not mount" : $"the host has no {pages} huge pages in one piece each");
        }

        return made;
    }

    public void Dispose()
    {
        using (Process? unmount = Process.Start("umount", ["-q", Folder]))
        {
            unmount?.WaitForExit();
        }

        Directory.Delete(Folder);
        SetCount(_before);
        _lock.Dispose();
    }

    private static void SetCount(long pages) => File.WriteAllText(CountFile, pages.ToString(CultureInfo.InvariantCulture));

    private static FileStream? TryLock()
    {
        try
        {
            return new FileStream("/tmp/strato-test-hugepages.lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            return null;
        }
    }
}
