using System;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Memory;

/// <summary>Gets guest memory from the host as the configuration wishes: plain, shared, or of huge pages.</summary>
internal static class MemoryOpener
{
    private const string KsmFile = "/sys/kernel/mm/ksm/run";

    /// <param name="machine">Validated.</param>
    /// <param name="ranges">Start and length of each range of RAM, as many bytes in all as the configuration says.</param>
    /// <param name="image">A file that begins with what the memory is to hold; null for zeros. Stays the caller's, and may be closed.</param>
    /// <remarks>
    /// Memory that is this process's alone is mapped from the image, so it is there at once, and those who map the same share what they don't
    /// change. What others can map as well, or has huge pages, is a copy.
    /// </remarks>
    /// <exception cref="UserErrorException">
    /// MemPathNotFound, MemPathNotFolder, MemPathPermission, MemPathFailed, MemPathNotHuge, MemPathFull: the folder; HugePagesTooFew,
    /// HugePageSizeUnavailable, InvalidMemory, BalloonWithHugePages: huge pages; MemoryUnavailable: what is to be allocated
    /// beforehand; KsmUnavailable.
    /// </exception>
    /// <exception cref="LinuxException">The host refuses for another reason.</exception>
    public static GuestMemory Open(VmConfiguration machine, ReadOnlySpan<(ulong Start, ulong Length)> ranges, FileDescriptor? image = null)
    {
        MemoryBacking wish = machine.Backing;
        MemoryFile? file = OpenFile(machine);
        if (wish.Preallocate && file is not { IsHuge: true })
        {
            CheckAvailable(machine.Memory, file);
        }

        GuestMemory memory = image is not null && file is null ? GuestMemory.MapImage(ranges, image) : Allocate(machine, ranges, file);
        try
        {
            if (!machine.DumpGuestCore)
            {
                memory.ExcludeFromCoreDump();
            }

            if (wish.Merge)
            {
                AllowMerging(memory, wish.MergeWhere);
            }

            if (wish.Preallocate)
            {
                memory.Populate();
            }

            if (image is not null && file is not null)
            {
                Fill(memory, image);
            }

            return memory;
        }
        catch (LinuxException error) when (wish.Preallocate)
        {
            memory.Dispose();
            throw new UserErrorException("MemoryUnavailable", $"The guest's memory of {ByteSize.Describe(machine.Memory)} can't be allocated before it starts: {error.Message}.", "-mem-prealloc", error);
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    private static void Fill(GuestMemory memory, FileDescriptor image)
    {
        try
        {
            memory.Fill(image);
        }
        catch (LinuxException error)
        {
            throw new UserErrorException("SnapshotNotReadable", $"The snapshot's memory can't be read: {error.Message}.", "-incoming", error);
        }
    }

    private static MemoryFile? OpenFile(VmConfiguration machine)
    {
        MemoryBacking wish = machine.Backing;
        if (wish.Path is { } path)
        {
            return OpenFolder(path, machine);
        }

        if (wish.HugePageSize is not { } size)
        {
            return machine.MemShare ? MemoryFile.Create((ulong)machine.Memory) : null;
        }

        try
        {
            return SizeHuge(machine, MemoryFile.Open(size));
        }
        catch (LinuxException error) when (error.Errno is Errno.EINVAL or Errno.ENODEV or Errno.ENOENT)
        {
            string which = size == 0 ? "no huge pages" : $"no huge pages of {ByteSize.Describe(size)}";
            throw new UserErrorException("HugePageSizeUnavailable", $"The host has {which}: {error.Message}. /sys/kernel/mm/hugepages has a folder for each size.", wish.PathWhere, error);
        }
    }

    private static MemoryFile OpenFolder(string path, VmConfiguration machine)
    {
        string where = machine.Backing.PathWhere;
        int fd = Libc.Open(path, Libc.O_RDONLY | Libc.O_DIRECTORY);
        if (fd < 0 && Errno.Last is var errno)
        {
            throw errno != Errno.ENOTDIR ? Refused(path, where, new LinuxException("open", errno)) : new UserErrorException("MemPathNotFolder", $"'{path}' is no folder; guest memory is a file without a name in a folder, for huge pages that of a mounted hugetlbfs.", where);
        }

        using FileDescriptor folder = new(fd);
        if (Libc.FileSystem(fd, out Libc.statfs_t system) < 0)
        {
            throw Refused(path, where, LinuxException.Last("fstatfs"));
        }

        bool isHuge = system.f_type == Libc.HUGETLBFS_MAGIC;
        if (!isHuge && machine.Backing.Huge)
        {
            throw new UserErrorException("MemPathNotHuge", $"'{path}' is not on a hugetlbfs, so it has no huge pages; 'mount -t hugetlbfs hugetlbfs {path}' as root makes it one.", where);
        }

        // A ramfs has no number of blocks: it takes what the host has.
        if (!isHuge && system.f_blocks != 0 && (ulong)machine.Memory / (ulong)system.f_bsize > system.f_bavail)
        {
            throw new UserErrorException(
                "MemPathFull",
                $"The guest's memory of {ByteSize.Describe(machine.Memory)} doesn't fit into '{path}', which has {ByteSize.Describe((long)system.f_bavail * system.f_bsize)} free.",
                where);
        }

        try
        {
            MemoryFile file = MemoryFile.OpenIn(path, isHuge);
            if (isHuge)
            {
                return SizeHuge(machine, file);
            }

            file.SetSize((ulong)machine.Memory);
            return file;
        }
        catch (LinuxException error)
        {
            throw Refused(path, where, error);
        }
    }

    /// <summary>Checks what can be checked only when the pages' size is known, and gives the file its own.</summary>
    private static MemoryFile SizeHuge(VmConfiguration machine, MemoryFile file)
    {
        try
        {
            MemoryBacking.CheckBalloon(machine.Devices, machine.Backing.PathWhere);
            if ((ulong)machine.Memory % file.PageSize != 0)
            {
                throw new UserErrorException(
                    "InvalidMemory",
                    $"Memory of {ByteSize.Describe(machine.Memory)} is not a multiple of the huge pages of {ByteSize.Describe((long)file.PageSize)} that hold it ({machine.Backing.PathWhere}).",
                    "-m");
            }

            CheckCgroup(machine, (long)file.PageSize);
            file.SetSize((ulong)machine.Memory);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static GuestMemory Allocate(VmConfiguration machine, ReadOnlySpan<(ulong Start, ulong Length)> ranges, MemoryFile? file)
    {
        try
        {
            return GuestMemory.Allocate(ranges, file);
        }
        catch (LinuxException error) when (error.Errno == Errno.ENOMEM && file is { IsHuge: true })
        {
            // Asked now, when what was reserved in part is given back.
            HugePagePool pool = HugePagePool.Read((long)file.PageSize) ?? default;
            long needed = machine.Memory / (long)file.PageSize;
            string reserved = pool.Reserved > 0 ? $", and {pool.Reserved} of those are promised to others" : "";
            string remedy = needed > pool.Available
                ? $"'echo {pool.Total + needed - pool.Available} > {pool.CountFile}' as root makes them enough"
                : "the limit is that of the mount (size=), or of a cgroup";
            throw new UserErrorException(
                "HugePagesTooFew",
                $"The guest's memory of {ByteSize.Describe(machine.Memory)} needs {needed} huge pages of {ByteSize.Describe((long)file.PageSize)}, and {pool.Free} of the host's {pool.Total} are free{reserved}; {remedy}.",
                machine.Backing.PathWhere,
                error);
        }
    }

    /// <summary>A cgroup's limit of pages in use shows only when they are touched: by a SIGBUS.</summary>
    private static void CheckCgroup(VmConfiguration machine, long pageSize)
    {
        string size = ByteSize.Format(pageSize) + "B";
        foreach (string resource in (ReadOnlySpan<string>)[$"hugetlb.{size}", $"hugetlb.{size}.rsvd"])
        {
            if (CgroupRoom.Read(resource) is { } room && room.Bytes < machine.Memory)
            {
                throw new UserErrorException(
                    "HugePagesTooFew",
                    $"The guest's memory of {ByteSize.Describe(machine.Memory)} needs {machine.Memory / pageSize} huge pages of {ByteSize.Describe(pageSize)}, and the cgroup '{room.Group}' has {room.Bytes / pageSize} left ({resource}.max).",
                    machine.Backing.PathWhere);
            }
        }
    }

    private static void AllowMerging(GuestMemory memory, string where)
    {
        try
        {
            memory.AllowMerging();
        }
        catch (LinuxException error)
        {
            throw new UserErrorException("KsmUnavailable", $"The host's kernel can't merge equal pages (KSM): {error.Message}.", where, error);
        }

        if (KernelFile.ReadNumber(KsmFile) != 1)
        {
            Log.Warning("memory", $"equal pages may be merged, but KSM doesn't run: 'echo 1 > {KsmFile}' as root starts it");
        }
    }

    /// <summary>Without this the kernel would end processes until there is enough, this one among them.</summary>
    private static void CheckAvailable(long memory, MemoryFile? file)
    {
        long available = (KernelFile.ReadField("/proc/meminfo", "MemAvailable:") ?? long.MaxValue >> 10) << 10;
        CgroupRoom? room = CgroupRoom.Read("memory");
        bool isFull = memory > available;
        if (isFull || memory > room?.Bytes)
        {
            file?.Dispose();
            string there = isFull
                ? $"the host has {available >> 20} MiB available of its {Libc.PhysicalMemory() >> 20} MiB"
                : $"the cgroup '{room!.Value.Group}' has {room.Value.Bytes >> 20} MiB left";
            throw new UserErrorException("MemoryUnavailable", $"The guest's memory of {ByteSize.Describe(memory)} is to be allocated before it starts, and {there}.", "-mem-prealloc");
        }
    }

    private static UserErrorException Refused(string path, string where, LinuxException error)
    {
        string id = error.Errno switch
        {
            Errno.ENOENT => "MemPathNotFound",
            Errno.ENOTDIR => "MemPathNotFolder",
            Errno.EACCES or Errno.EPERM or Errno.EROFS => "MemPathPermission",
            _ => "MemPathFailed",
        };
        return new UserErrorException(id, $"Guest memory can't be a file in '{path}': {Errno.Text(error.Errno)}.", where, error);
    }
}
