using System;
using Strato.Engine.Cli;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Xunit;

namespace Strato.Tests.Unit.Cli;

public class MemoryOptionsTests
{
    [Fact]
    public void MemoryIsPlainByDefault()
    {
        MemoryBacking backing = Parse("").Backing;
        Assert.Equal((null, false, null, false, false), (backing.Path, backing.Huge, backing.HugePageSize, backing.Preallocate, backing.Merge));
    }

    [Fact]
    public void ThePathIsOfHugePages()
    {
        VmConfiguration vm = Parse("-mem-path /dev/hugepages -mem-prealloc -m 1G");
        Assert.Equal(("/dev/hugepages", true, true), (vm.Backing.Path, vm.Backing.Huge, vm.Backing.Preallocate));
    }

    [Fact]
    public void AnObjectIsTheMachinesMemory()
    {
        VmConfiguration ram = Parse("-machine microvm,memory-backend=m -object memory-backend-ram,id=m,size=1G,merge=on,dump=off,prealloc=on");
        Assert.Equal((1L << 30, false, false), (ram.Memory, ram.DumpGuestCore, ram.MemShare));
        Assert.True(ram.Backing.Merge && ram.Backing.Preallocate);
        VmConfiguration file = Parse("-m 1G -object memory-backend-file,id=m,size=1024M,mem-path=/dev/shm,share=on -machine memory-backend=m");
        Assert.Equal(("/dev/shm", false, true, true), (file.Backing.Path, file.Backing.Huge, file.MemShare, file.DumpGuestCore));
        VmConfiguration memfd = Parse("-machine microvm,memory-backend=m -object memory-backend-memfd,id=m,size=1G,hugetlb=on,hugetlbsize=1G,share=off");
        Assert.Equal((1L << 30, false), (memfd.Backing.HugePageSize, memfd.MemShare));
        Assert.Equal(0, Parse("-machine microvm,memory-backend=m -object memory-backend-memfd,id=m,size=1G,hugetlb=on").Backing.HugePageSize);
        Assert.True(Parse("-machine microvm,memory-backend=m -object memory-backend-memfd,id=m,size=1G").MemShare);
    }

    /// <summary>StratoVirt's names of what QEMU calls prealloc and dump.</summary>
    [Fact]
    public void StratoVirtsNamesAreTaken()
    {
        VmConfiguration vm = Parse("-machine memory-backend=m -object memory-backend-ram,size=1G,id=m,mem-prealloc=true,dump-guest-core=off");
        Assert.Equal((true, false), (vm.Backing.Preallocate, vm.DumpGuestCore));
    }

    [Fact]
    public void FoldersWithShare() =>
        Assert.True(Parse("-machine microvm,memory-backend=m -object memory-backend-memfd,id=m,size=1G -device vhost-user-fs-device,tag=t,source=/srv").MemShare);

    [Theory]
    [InlineData("-mem-path hugepages", "InvalidPath", "-mem-path", "The path of the memory's folder, 'hugepages', is not absolute.")]
    [InlineData("-mem-path /h -device virtio-balloon-device,id=b", "BalloonWithHugePages", "-device", "The balloon 'b' gives memory back by pages of 4096 bytes, and the guest's memory is of huge pages (-mem-path); give the machine one of both.")]
    [InlineData("-balloon deflate-on-oom=true -mem-path /h", "BalloonWithHugePages", "-balloon", "The balloon 'balloon' gives memory back by pages of 4096 bytes")]
    [InlineData("-balloon deflate-on-oom=true -machine memory-backend=m -object memory-backend-memfd,id=m,size=1G,hugetlb=on", "BalloonWithHugePages", "-balloon", "is of huge pages (-object hugetlb)")]
    [InlineData("-mem-path /h -machine mem-merge=on", "InvalidOption", "-machine mem-merge", "Equal pages can't be merged in memory that is in a file (-mem-path): the kernel merges only those of plain memory; give one of both.")]
    [InlineData("-machine mem-merge=on,mem-share=on", "InvalidOption", "-machine mem-merge", "that is shared with other processes (mem-share=on)")]
    [InlineData("-machine memory-backend=m -object memory-backend-ram,id=m,size=1G,merge=on,share=on", "InvalidOption", "-object merge", "that is shared with other processes (mem-share=on)")]
    [InlineData("-object memory-backend-ram,id=m,size=1G", "MemoryBackendUnused", "-object id", "The memory 'm' is the machine's only by -machine memory-backend=m.")]
    [InlineData("-machine memory-backend=n -object memory-backend-ram,id=m,size=1G", "UnknownBackend", "-machine memory-backend", "No memory has the id 'n'; allowed is one of: m.")]
    [InlineData("-m 2G -machine memory-backend=m -object memory-backend-ram,id=m,size=1G", "InvalidMemory", "-object size", "The object 'm' has 1 GiB, and -m 2 GiB; a machine has all of its memory in one object.")]
    [InlineData("-mem-path /h -machine memory-backend=m -object memory-backend-ram,id=m,size=1G", "InvalidOption", "-machine memory-backend", "The machine's memory is given twice, by -mem-path and by the object 'm'; give one of both.")]
    [InlineData("-machine memory-backend=m -object memory-backend-file,id=m,size=1G", "InvalidOption", "-object mem-path", "'mem-path' is missing: mem-path=…")]
    [InlineData("-machine memory-backend=m -object memory-backend-ram,id=m", "InvalidOption", "-object size", "'size' is missing: size=…")]
    [InlineData("-machine memory-backend=m -object memory-backend-ram,id=m,size=1G,policy=bind", "InvalidOption", "-object policy", "'policy' is unknown; allowed: type, merge, id, size, share, prealloc, ")]
    [InlineData("-machine memory-backend=m -object memory-backend-memfd,id=m,size=1G,hugetlb=on,hugetlbsize=3M", "InvalidOption", "-object hugetlbsize", "'hugetlbsize=3M' is no size of a huge page; allowed are those of the host, such as 2M and 1G.")]
    [InlineData("-machine memory-backend=m -object memory-backend-memfd,id=m,size=1G,hugetlbsize=2M", "InvalidOption", "-object hugetlbsize", "'hugetlbsize=2M' is given without hugetlb=on.")]
    public void MistakesAreNamed(string options, string id, string where, string message)
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => Parse(options));
        Assert.Equal((id, where), (error.Id, error.Where));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnObjectOfAnotherSizeThanTheFilesIsRefused()
    {
        string folder = System.IO.Directory.CreateTempSubdirectory("strato-mem-").FullName;
        string file = $"{folder}/vm.json";
        System.IO.File.WriteAllText(file, """{"machine-config": {"mem_size": 2147483648}}""");
        const string Object = "-machine memory-backend=m -object memory-backend-ram,id=m,size=";
        UserErrorException error = Assert.Throws<UserErrorException>(() => Parse($"-config {file} {Object}1G"));
        Assert.Equal(
            ("InvalidMemory", "-object size", "The object 'm' has 1 GiB, and machine-config.mem_size 2 GiB; a machine has all of its memory in one object."),
            (error.Id, error.Where, error.Message));
        Assert.Equal(2L << 30, Parse($"-config {file} {Object}2G").Memory);
        Assert.Equal(1L << 30, Parse($"-config {file} -m 1G {Object}1G").Memory);
        System.IO.Directory.Delete(folder, recursive: true);
    }

    private static VmConfiguration Parse(string options) =>
        Options.Parse([.. $"-kernel k {options}".Split(' ', StringSplitOptions.RemoveEmptyEntries)]).Configuration;
}
