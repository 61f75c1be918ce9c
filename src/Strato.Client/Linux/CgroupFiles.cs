using System.Globalization;
using System.Text;

namespace Strato.Client.Linux;

/// <summary>The files of the kernel's control groups. Tests put a tree of their own in their place.</summary>
internal class CgroupFiles
{
    /// <summary>What the client uses.</summary>
    internal static CgroupFiles Current { get; set; } = new();

    /// <summary>/proc/self/mountinfo.</summary>
    internal virtual string Mounts => Procfs.ReadText("/proc/self/mountinfo") ?? "";

    /// <summary>/proc/PID/cgroup; null where there is no such process.</summary>
    /// <param name="pid">Null for this process.</param>
    internal virtual string? GroupOf(int? pid) => Procfs.ReadText($"/proc/{pid?.ToString(CultureInfo.InvariantCulture) ?? "self"}/cgroup");

    /// <summary>A file whole; null where it isn't there.</summary>
    internal virtual string? Read(string path) => Procfs.ReadText(path);

    /// <summary>Whether groups can be made in a folder, and processes moved below it.</summary>
    internal virtual bool MayFill(string folder) => Libc.MayFill(folder) && Libc.MayWrite($"{folder}/cgroup.procs");

    /// <summary>Writes a file that is there: 0, or errno.</summary>
    internal virtual int Write(string path, string text)
    {
        using FileDescriptor file = new(Libc.Open(path, Libc.O_WRONLY));
        return file.IsInvalid || Libc.Write(file.Value, Encoding.ASCII.GetBytes(text)) < 0 ? Errno.Last : 0;
    }

    /// <summary>0, or errno.</summary>
    internal virtual int MakeFolder(string path) => Libc.MakeDirectory(path, 0x1ed) ? 0 : Errno.Last;

    /// <summary>0, or errno.</summary>
    internal virtual int RemoveFolder(string path) => Libc.RemoveDirectory(path) ? 0 : Errno.Last;
}
