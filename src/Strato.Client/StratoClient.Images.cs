using System;
using System.Collections.Generic;
using System.IO;
using System.Threading;
using Strato.Client.Images;
using Strato.Client.Store;

namespace Strato.Client;

/// <summary>A root disk with a kernel to make.</summary>
public sealed record GuestImageSettings
{
    /// <summary>Absolute path of a folder, or of an archive (OCI, docker save, a root file system alone); null for a distribution.</summary>
    public string? Path { get; init; }

    /// <summary>Release of Debian's, such as <c>bookworm</c>; null for the host's own.</summary>
    public string? Suite { get; init; }

    /// <summary>Packages beside those that a bootable system needs.</summary>
    public IReadOnlyList<string> Packages { get; init; } = [];

    /// <summary>Absolute path of the folder that the files come to; made where it isn't there.</summary>
    public required string Destination { get; init; }

    /// <summary>Absolute path; null for the host's kernel, or else Debian's.</summary>
    public string? Kernel { get; init; }

    /// <summary>Absolute path of lib/modules/RELEASE of <see cref="Kernel"/>; empty for a kernel that needs none; null to look for it.</summary>
    public string? ModulePath { get; init; }

    /// <summary>Bytes of the root disk; 0 for what is in it and half a gibibyte.</summary>
    public long Size { get; init; }

    /// <summary>Whether files that are there are replaced.</summary>
    public bool Replace { get; init; }

    /// <summary>Told of each step.</summary>
    public Action<string>? Progress { get; init; }
}

/// <summary>A root disk with its kernel and its initial RAM disk.</summary>
public sealed record GuestImageInfo
{
    /// <summary>Absolute path of the kernel.</summary>
    public required string Kernel { get; init; }

    /// <summary>Absolute path of the initial RAM disk.</summary>
    public required string Initrd { get; init; }

    /// <summary>Absolute path of the root disk, a raw ext4 image.</summary>
    public required string Root { get; init; }

    /// <summary>What they were made of.</summary>
    public required string Source { get; init; }

    /// <summary>Digest of an image's manifest or configuration; null where there is none.</summary>
    public string? Digest { get; init; }

    /// <summary>Bytes of the root disk.</summary>
    public long Size { get; init; }

    /// <summary>Entry point and command of the image; empty where it names none.</summary>
    public IReadOnlyList<string> Command => Run.Command;

    internal ImageRun Run { get; init; } = new();

    /// <summary>The kernel's command line with which it boots.</summary>
    public const string CommandLine = $"{StratoClient.DefaultCommandLine} root=/dev/vda rw";
}

public sealed partial class StratoClient
{
    private const string ImagesFolder = "images";
    private const string TemporaryPrefix = ".tmp-";

    /// <summary>What the images that are kept for Invoke take of the disk at most, beside those that VMs use: 16 GiB.</summary>
    internal const long ImageCacheBytes = 16L << 30;

    /// <summary>Folder of the images that <see cref="Invoke"/> has made, and of the kernel that was downloaded for them. It can be removed at any time when no VM runs.</summary>
    public string ImageCache => Path.Combine(Paths.StateRoot, ImagesFolder);

    /// <summary>Makes a root disk, its kernel and its initial RAM disk, without root and without mounting anything. All are there, or none.</summary>
    /// <remarks>
    /// Errors: <c>ImageNotFound</c>, <c>ImageDamaged</c>, <c>ImageUnsafe</c>, <c>ImageDigest</c>, <c>ImageAmbiguous</c>, <c>ImageArchitecture</c>, <c>ImageUser</c>, <c>ImageSize</c>,
    /// <c>KernelNotFound</c>, <c>ModulesNotFound</c>, <c>BusyboxNotFound</c>, <c>ProgramNotFound</c>, <c>ProgramFailed</c>, <c>FileExists</c>, <c>ImageNotWritable</c>.
    /// </remarks>
    public GuestImageInfo CreateImage(GuestImageSettings settings, CancellationToken token = default)
    {
        CheckImage(settings);
        return Guarded(settings.Destination, () =>
        {
            Directory.CreateDirectory(settings.Destination);
            string work = Path.Combine(settings.Destination, TemporaryPrefix + Guid.NewGuid().ToString("N"));
            try
            {
                Directory.CreateDirectory(work, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
                EnsureImageCache();
                new ImageBuilder(settings, ImageCache, work, token).Build(null);
                token.ThrowIfCancellationRequested();
                foreach (string name in ImageFiles.All)
                {
                    File.Move(Path.Combine(work, name), Path.Combine(settings.Destination, name), settings.Replace);
                }

                return ImageFiles.Load(settings.Destination)!;
            }
            finally
            {
                DeleteFolder(work);
            }
        });
    }

    /// <summary>Refuses what <see cref="CreateImage"/> would refuse at once, without making anything (for -WhatIf).</summary>
    public static void CheckImage(GuestImageSettings settings)
    {
        CheckSource(settings, "-Path");
        if (settings.Size != 0 && (settings.Size < 0 || settings.Size % 4096 != 0))
        {
            throw VmRules.Invalid("ImageSize", $"A root disk of {settings.Size} bytes can't be; allowed are multiples of 4096.", "-Size");
        }

        foreach (string name in settings.Replace ? [] : ImageFiles.All)
        {
            Disks.NewFile.RefuseExisting(Path.Combine(settings.Destination, name));
        }
    }

    private static void CheckSource(GuestImageSettings settings, string where)
    {
        if (settings.Path is { } path && !File.Exists(path) && !Directory.Exists(path))
        {
            throw new StratoException(StratoErrorKind.NotFound, "ImageNotFound", $"The image '{path}' does not exist.") { Where = where };
        }

        if (settings.Kernel is { } kernel)
        {
            VmRules.CheckFile(kernel, "kernel", "Kernel", "-Kernel");
        }
    }

    /// <summary>The image of a folder or archive, from the cache where it was made before.</summary>
    internal GuestImageInfo CachedImage(GuestImageSettings source, CancellationToken token)
    {
        CheckSource(source, "-Image");
        EnsureImageCache();
        return Guarded(ImageCache, () =>
        {
            string work = Path.Combine(ImageCache, TemporaryPrefix + Guid.NewGuid().ToString("N"));
            try
            {
                Directory.CreateDirectory(work, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
                ImageBuilder builder = new(source with { Destination = work }, ImageCache, work, token);
                string folder = Path.Combine(ImageCache, builder.Key());
                if (ImageFiles.Load(folder) is { } there)
                {
                    // When it was used last.
                    File.SetLastWriteTimeUtc(Path.Combine(folder, ImageFiles.Description), DateTime.UtcNow);
                    return there;
                }

                string made = Path.Combine(work, "made");
                Directory.CreateDirectory(made, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
                builder.Build(made);
                try
                {
                    Directory.Move(made, folder);
                }
                catch (IOException) when (ImageFiles.Load(folder) is not null)
                {
                    // Another command was faster.
                }

                RemoveOldImages(folder, ImageCacheBytes);
                return ImageFiles.Load(folder) ?? throw RootTree.Damaged($"its files in '{folder}' were removed");
            }
            finally
            {
                DeleteFolder(work);
            }
        });
    }

    /// <summary>Removes the images that weren't used for longest until the rest is small enough, and what builders that died have left.</summary>
    /// <param name="keep">The one that is used now.</param>
    /// <param name="limit">Bytes.</param>
    internal void RemoveOldImages(string keep, long limit)
    {
        HashSet<string> used = [keep];
        foreach (VmDefinition vm in Store.List().Definitions)
        {
            foreach (DriveDefinition drive in vm.Drives)
            {
                used.Add(Path.GetDirectoryName(drive.Path) ?? "");
            }
        }

        List<(DateTime Used, string Folder, long Bytes)> images = [];
        long total = 0;
        foreach (string folder in Directory.EnumerateDirectories(ImageCache))
        {
            DirectoryInfo info = new(folder);
            if (info.Name.StartsWith(TemporaryPrefix, StringComparison.Ordinal))
            {
                if (DateTime.UtcNow - info.LastWriteTimeUtc > TimeSpan.FromDays(1))
                {
                    DeleteFolder(folder);
                }
            }
            else if (File.Exists(Path.Combine(folder, ImageFiles.Description)))
            {
                long bytes = ImageFiles.AllocatedBytes(folder);
                total += bytes;
                images.Add((File.GetLastWriteTimeUtc(Path.Combine(folder, ImageFiles.Description)), folder, bytes));
            }
        }

        images.Sort();
        foreach ((_, string folder, long bytes) in images)
        {
            if (total > limit && !used.Contains(folder))
            {
                DeleteFolder(folder);
                total -= bytes;
            }
        }
    }

    private void EnsureImageCache()
    {
        Store.EnsureDirectories();
        Guarded(ImageCache, () => Directory.CreateDirectory(ImageCache, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute));
    }

    private static void DeleteFolder(string folder)
    {
        try
        {
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A later command removes it.
        }
    }

    private static T Guarded<T>(string folder, Func<T> make)
    {
        try
        {
            return make();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StratoException(e is UnauthorizedAccessException ? StratoErrorKind.Permission : StratoErrorKind.Failed, "ImageNotWritable", $"The image can't be made in '{folder}': {e.Message}", e) { Where = folder };
        }
        catch (InvalidDataException e)
        {
            throw new StratoException(StratoErrorKind.Failed, "ImageFileSystem", $"The file system that mke2fs made can't be read: {e.Message}.", e);
        }
    }
}
