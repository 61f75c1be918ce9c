using System;
using System.IO;
using Strato.Engine.Memory;
using Xunit;

namespace Strato.Tests.Unit.Memory;

public sealed class CgroupRoomTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("strato-cgroup-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void TheTightestGroupCounts()
    {
        Write("a/b/c/hugetlb.2MB.max", "max\n");
        Write("a/b/hugetlb.2MB.max", "20971520\n");
        Write("a/b/hugetlb.2MB.current", "4194304\n");
        Write("a/hugetlb.2MB.max", "41943040\n");
        Write("a/hugetlb.2MB.current", "31457280\n");
        Assert.Equal(new CgroupRoom(10 << 20, "/a"), Read("hugetlb.2MB", "9:name=systemd:/x\n0::/a/b/c\n"));
        Assert.Equal(new CgroupRoom(10 << 20, "/a"), Read("hugetlb.2MB", "0::/a\n"));
        Assert.Null(Read("hugetlb.1GB", "0::/a/b/c\n"));
        Assert.Null(Read("hugetlb.2MB", "9:name=systemd:/a\n"));
    }

    /// <summary>In a namespace of its own a container's group is the root.</summary>
    [Fact]
    public void FilesInMemoryAreNoUse()
    {
        Write("memory.max", "1000000\n");
        Write("memory.current", "900000\n");
        Write("memory.stat", "anon 100000\nfile 800000\ninactive_file 300000\nactive_file 400000\n");
        Assert.Equal(new CgroupRoom(800_000, "/"), Read("memory", "0::/\n"));
        Write("memory.current", "2000000\n");
        Assert.Equal(new CgroupRoom(0, "/"), Read("memory", "0::/\n"));
    }

    private CgroupRoom? Read(string resource, string own)
    {
        Write("self", own);
        return CgroupRoom.Read(resource, _root, Path.Combine(_root, "self"));
    }

    private void Write(string file, string text)
    {
        string path = Path.Combine(_root, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }
}
