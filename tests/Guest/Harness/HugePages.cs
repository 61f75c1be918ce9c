using System;
using System.Globalization;
using System.IO;
using System.Threading;
using Xunit;

namespace Strato.Tests.Guest.Harness;

/// <summary>Huge pages that the host sets aside for one test, and a folder of a hugetlbfs; other processes that test the same wait.</summary>
internal sealed class HugePages : IDisposable
{
    private readonly FileStream _lock;
    private readonly string _pool;
    private readonly long _before;

    private HugePages(FileStream taken, string pool)
    {
        _lock = taken;
        _pool = pool;
        _before = Number("nr_hugepages");
    }

    /// <summary>The folder of a hugetlbfs.</summary>
    public string Folder { get; } = Directory.CreateDirectory(TestHost.NewPath("huge")).FullName;

    /// <summary>Pages that nobody uses and nobody is promised.</summary>
    public long Available => Free - Number("resv_hugepages");

    public long Free => Number("free_hugepages");

    /// <summary>Has the host set aside so many pages more than are in use; skips the test where it can't.</summary>
    /// <param name="pages">How many.</param>
    /// <param name="kibibytes">Size of one.</param>
    public static HugePages Reserve(int pages, int kibibytes = 2048)
    {
        string pool = $"/sys/kernel/mm/hugepages/hugepages-{kibibytes}kB";
        Assert.SkipUnless(Environment.IsPrivilegedProcess && Directory.Exists(pool), "needs root and a kernel with huge pages of that size");
        FileStream? taken = null;
        Assert.True(SpinWait.SpinUntil(() => (taken = TryLock()) is not null, TimeSpan.FromMinutes(4)), "another test has the host's huge pages");
        HugePages made = new(taken!, pool);
        made.SetCount(made._before - made.Available + pages);
        string? fault = made.Available < pages ? $"the host has no {pages} huge pages in one piece each"
            : Command.Run(TimeSpan.FromSeconds(30), "mount", "-t", "hugetlbfs", "-o", $"pagesize={kibibytes}K", "none", made.Folder).ExitCode != 0 ? "this process may not mount"
            : null;
        if (fault is not null)
        {
            made.Dispose();
            Assert.Skip(fault);
        }

        return made;
    }

    public void Dispose()
    {
        Command.Run(TimeSpan.FromSeconds(30), "umount", "-q", Folder);
        SetCount(_before);
        _lock.Dispose();
    }

    private void SetCount(long pages) => File.WriteAllText($"{_pool}/nr_hugepages", pages.ToString(CultureInfo.InvariantCulture));

    private long Number(string file) => long.Parse(File.ReadAllText($"{_pool}/{file}"), CultureInfo.InvariantCulture);

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
