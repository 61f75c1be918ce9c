using System;
using System.Text;
using System.Threading;
using Strato.Client.Disks;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Strato.Client.Store;

namespace Strato.Client;

/// <summary>A disk's image to make.</summary>
public sealed record DiskSettings
{
    /// <summary>Absolute path.</summary>
    public required string Path { get; init; }

    /// <summary>Bytes, a multiple of 512.</summary>
    public required long Size { get; init; }

    /// <summary>Whether its room is taken from the start.</summary>
    public bool Preallocate { get; init; }

    /// <summary>File system in it, ext4; null for none.</summary>
    public string? Format { get; init; }

    /// <summary>Of the file system; null for none.</summary>
    public string? Label { get; init; }

    /// <summary>Whether it takes the place of a file that is there.</summary>
    public bool Replace { get; init; }
}

public sealed partial class StratoClient
{
    private const int Sector = 512;
    private const int MaximumLabel = 16;

    /// <summary>Makes a raw image: sparse unless it is preallocated. It is there wholly or not at all.</summary>
    /// <remarks>Errors: those of <see cref="CheckDisk"/>, <c>DiskNotWritable</c>, <c>MkfsFailed</c>.</remarks>
    public static void CreateDisk(DiskSettings settings, CancellationToken token = default)
    {
        string? mkfs = CheckDisk(settings);

        // Locked until the new one has its place, so that no engine starts with the old one meanwhile.
        using FileDescriptor? old = settings.Replace ? Claim(settings.Path) : null;
        using NewFile file = new(settings.Path, 0x180);
        file.Check(Libc.ftruncate(file.Fd, settings.Size) == 0);
        if (settings.Preallocate)
        {
            file.Check(Libc.fallocate(file.Fd, 0, 0, settings.Size) == 0);
        }

        if (mkfs is not null)
        {
            // Of a file that has no name yet. Without nodiscard it would punch out what was preallocated.
            string[] label = settings.Label is null ? [] : ["-L", settings.Label];
            Mkfs(mkfs, [.. (ReadOnlySpan<string>)["-q", "-F", "-E", "nodiscard"], .. label, "--", "/proc/self/fd/3"], file.Fd, settings, token);
        }

        token.ThrowIfCancellationRequested();
        file.Keep(settings.Replace);
    }

    /// <summary>Refuses what <see cref="CreateDisk"/> would refuse, without making anything (for -WhatIf). Errors: <c>DiskSize</c>, <c>FileExists</c>, <c>DiskNotFile</c>, <c>DriveInUse</c>, <c>InvalidLabel</c>, <c>MkfsMissing</c>.</summary>
    /// <returns>The program that makes the file system; null where none is wished.</returns>
    public static string? CheckDisk(DiskSettings settings)
    {
        if (settings.Size < Sector || settings.Size % Sector != 0)
        {
            throw VmRules.Invalid("DiskSize", $"A disk of {settings.Size} bytes can't be; allowed are multiples of {Sector}, at least {Sector}.", "-Size");
        }

        if (settings.Label is { } label && Encoding.UTF8.GetByteCount(label) > MaximumLabel)
        {
            throw VmRules.Invalid("InvalidLabel", $"The label '{label}' has {Encoding.UTF8.GetByteCount(label)} bytes; at most {MaximumLabel} are allowed.", "-Label");
        }

        if (!settings.Replace)
        {
            NewFile.RefuseExisting(settings.Path);
        }
        else
        {
            Claim(settings.Path)?.Dispose();
        }

        return settings.Format is null ? null : ProgramPath.Find($"mkfs.{settings.Format}", $"{ProgramPath.Folders}:/usr/sbin:/sbin")
            ?? throw new StratoException(StratoErrorKind.Unavailable, "MkfsMissing", $"mkfs.{settings.Format} isn't installed, which makes the file system.")
            {
                Where = "-Format",
                RecommendedAction = "Install e2fsprogs (Debian's package), or make the disk without -Format and the file system in the guest.",
            };
    }

    /// <summary>Locks a file that no engine has, as an engine does; null where there is none.</summary>
    private static FileDescriptor? Claim(string path)
    {
        if (!Libc.TryStat(path, out Libc.statx_t stat))
        {
            return null;
        }

        if ((stat.stx_mode & Libc.S_IFMT) != Libc.S_IFREG)
        {
            throw new StratoException(StratoErrorKind.AlreadyExists, "DiskNotFile", $"'{path}' is there, and is no file; only a file is replaced.") { Where = path };
        }

        FileDescriptor file = new(Libc.Open(path, Libc.O_RDWR));
        if (file.IsInvalid)
        {
            throw NewFile.Failed(path, Errno.Last);
        }

        if (!DiskCopy.TryLock(file.Value, Libc.F_WRLCK))
        {
            file.Dispose();
            throw new StratoException(StratoErrorKind.Busy, "DriveInUse", $"'{path}' is a disk of a VM that runs.") { Where = path, RecommendedAction = "Stop the VM first." };
        }

        return file;
    }

    private static void Mkfs(string program, string[] arguments, int disk, DiskSettings settings, CancellationToken token)
    {
        HostProgram.Outcome outcome = HostProgram.Run(program, arguments, disk, Deadline.Never, token);
        if (outcome.Status != 0)
        {
            throw new StratoException(StratoErrorKind.Failed, "MkfsFailed", $"{program} failed on the disk '{settings.Path}': {outcome.Problem}") { Where = settings.Path };
        }
    }
}
