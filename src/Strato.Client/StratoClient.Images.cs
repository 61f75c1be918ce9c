using System;
using System.Collections.Generic;
using System.IO;
using System.Threading;
using Strato.Client.Images;
using Strato.Client.Linux;
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

    /// <summary>What the images that are kept for Invoke take of the disk at most, beside those that VMs use: 16 GiB.</summary>
    internal const long ImageCacheBytes = 16L << 30;

    /// <summary>Folder of the images that <see cref="Invoke"/> has made, and of the kernel that was downloaded for them. It can be removed at any time when no VM runs.</summary>
    public string ImageCache => Path.Combine(Paths.StateRoot, ImagesFolder);

    /// <summary>Makes a root disk, its kernel and its initial RAM disk, without root and without mounting anything. All are there, or none.</summary>
    /// <remarks>
    /// Errors: <c>ImageNotFound</c>, <c>ImageDamaged</c>, <c>ImageUnsafe</c>, <c>ImageDigest</c>, <c>ImageAmbiguous</c>, <c>ImageArchitecture</c>, <c>ImageUser</c>, <c>ImageSize</c>,
    /// <c>KernelNotFound</c>, <c>ModulesNotFound</c>, <c>BusyboxNotFound</c>, <c>ProgramNotFound</c>, <c>ProgramFailed</c>, <c>FileExists</c>, <c>ImageNotWritable</c>, <c>ImageBusy</c>.
    /// </remarks>
    public GuestImageInfo CreateImage(GuestImageSettings settings, CancellationToken token = default)
    {
        CheckImage(settings);
        return Guarded(settings.Destination, () =>
        {
            Directory.CreateDirectory(settings.Destination);
            using WorkFolder work = WorkFolder.Make(settings.Destination, token);
            EnsureImageCache();
            string made = new ImageBuilder(settings, ImageCache, work, token).Build();
            token.ThrowIfCancellationRequested();
            ImageFiles.Publish(made, settings.Destination, work.MakeFolder("before"), settings.Replace, token);
            return ImageFiles.Load(settings.Destination)!;
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
    /// <param name="source">What it is made of.</param>
    /// <param name="use">Uses it; until that is done it isn't removed. What a VM has stays longer.</param>
    /// <param name="token">Ends it.</param>
    internal T UseCachedImage<T>(GuestImageSettings source, Func<GuestImageInfo, T> use, CancellationToken token)
    {
        CheckSource(source, "-Image");
        EnsureImageCache();
        return Guarded(ImageCache, () =>
        {
            using WorkFolder work = WorkFolder.Make(ImageCache, token);
            ImageBuilder builder = new(source with { Destination = work.Path }, ImageCache, work, token);
            string folder = Path.Combine(ImageCache, builder.Key());
            using (LockImages(token))
            {
                if (ImageFiles.TryLoad(folder) is { } there)
                {
                    // When it was used last.
                    File.SetLastWriteTimeUtc(Path.Combine(folder, ImageFiles.Description), DateTime.UtcNow);
                    return use(there);
                }
            }

            string made = builder.Build();
            using (LockImages(token))
            {
                work.Place(made, folder, () => ImageFiles.TryLoad(folder) is not null);
                RemoveOldImages(folder, ImageCacheBytes);
                return use(ImageFiles.Load(folder) ?? throw RootTree.Damaged($"its files in '{folder}' were removed"));
            }
        });
    }

    private FileLock LockImages(CancellationToken token) => FileLock.TryTake(Path.Combine(ImageCache, ".lock"), Deadline.After(TimeSpan.FromSeconds(30)), token)
        ?? throw new StratoException(StratoErrorKind.Busy, "ImageBusy", $"Another command has held the images in '{ImageCache}' for 30 seconds.") { Where = ImageCache };

    /// <summary>Removes the images that weren't used for longest until the rest is small enough. Under the lock of images.</summary>
    /// <param name="keep">The one that is used now.</param>
    /// <param name="limit">Bytes.</param>
    internal void RemoveOldImages(string keep, long limit)
    {
        VmListing vms = Store.List();
        HashSet<string> used = [keep];
        foreach (VmDefinition vm in vms.Definitions)
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
            string description = Path.Combine(folder, ImageFiles.Description);
            if (File.Exists(description))
            {
                long bytes = ImageFiles.AllocatedBytes(folder);
                total += bytes;
                images.Add((File.GetLastWriteTimeUtc(description), folder, bytes));
            }
        }

        // What a VM has whose definition can't be read isn't known.
        images.Sort();
        foreach ((_, string folder, long bytes) in vms.Damaged.Count > 0 ? [] : images)
        {
            if (total > limit && !used.Contains(folder))
            {
                WorkFolder.Delete(folder);
                total -= bytes;
            }
        }
    }

    private void EnsureImageCache()
    {
        Store.EnsureDirectories();
        Guarded(ImageCache, () => Directory.CreateDirectory(ImageCache, WorkFolder.OwnerOnly));
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
