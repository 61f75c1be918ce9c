using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;

namespace Strato.Client.Images;

/// <summary>A kernel for guests, and where its modules are.</summary>
/// <param name="Image">The bzImage.</param>
/// <param name="Modules">The folder of its modules, lib/modules/RELEASE; null for a kernel that has its drivers built in.</param>
internal sealed record GuestKernel(string Image, string? Modules)
{
    private const string Package = "linux-image-cloud-amd64";

    /// <summary>The kernel that was given, else the host's own, else Debian's cloud kernel, downloaded and unpacked once.</summary>
    /// <param name="image">Absolute path, or null.</param>
    /// <param name="modules">Folder of its modules; null to look beside it and in /lib/modules, empty for none.</param>
    /// <param name="cache">Folder that keeps what is downloaded.</param>
    /// <param name="token">Ends it.</param>
    /// <exception cref="StratoException">ModulesNotFound, KernelNotFound, ProgramNotFound, ProgramFailed.</exception>
    internal static GuestKernel Find(string? image, string? modules, string cache, CancellationToken token)
    {
        if (image is null)
        {
            return FindOnHost("/boot", "/lib/modules") ?? Download(cache, token);
        }

        if (modules is not null)
        {
            return new GuestKernel(image, modules.Length == 0 ? null : modules);
        }

        string release = ReadRelease(image) ?? "";
        string folder = Path.GetDirectoryName(image)!;
        foreach (string place in release.Length == 0 ? [] : (string[])[$"{folder}/../lib/modules/{release}", $"/lib/modules/{release}", $"/usr/lib/modules/{release}"])
        {
            if (Directory.Exists(Path.Combine(place, "kernel")))
            {
                return new GuestKernel(image, Path.GetFullPath(place));
            }
        }

        throw new StratoException(StratoErrorKind.NotFound, "ModulesNotFound", $"The modules of the kernel '{image}'{(release.Length == 0 ? "" : $" ({release})")} aren't beside it in ../lib/modules, nor in /lib/modules.")
        {
            Where = "-Kernel",
            RecommendedAction = "Give their folder by -ModulePath; an empty one ('') says that the kernel has its virtio and ext4 drivers built in.",
        };
    }

    /// <summary>The newest kernel of the host that can be read and has its modules; null if there is none.</summary>
    internal static GuestKernel? FindOnHost(string boot, string modules)
    {
        if (!Directory.Exists(boot))
        {
            return null;
        }

        IEnumerable<(string Image, string Release)> kernels = Directory.EnumerateFiles(boot, "vmlinuz-*")
            .Select(path => (path, Path.GetFileName(path)["vmlinuz-".Length..]))
            .OrderByDescending(kernel => kernel.Item2, Comparer<string>.Create(CompareReleases));
        foreach ((string image, string release) in kernels)
        {
            string folder = Path.Combine(modules, release);
            if (Directory.Exists(Path.Combine(folder, "kernel")) && MayRead(image))
            {
                return new GuestKernel(image, folder);
            }
        }

        return null;
    }

    /// <summary>The release that a bzImage says it is (setup header, kernel_version at 0x20e); null for another file.</summary>
    internal static string? ReadRelease(string image)
    {
        byte[] start = new byte[64 * 1024];
        using FileStream file = File.OpenRead(image);
        int length = file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        if (length < 0x210 || !start.AsSpan(0x202, 4).SequenceEqual("HdrS"u8))
        {
            return null;
        }

        int at = (start[0x20e] | (start[0x20f] << 8)) + 0x200;
        int end = at;
        while (end < length && start[end] > ' ')
        {
            end++;
        }

        string release = at >= length ? "" : Encoding.ASCII.GetString(start, at, end - at);
        return release.Length is 0 or > 200 || release.Contains('/', StringComparison.Ordinal) ? null : release;
    }

    /// <summary>By their numbers, and else by their letters: 6.10.0 is newer than 6.9.0.</summary>
    internal static int CompareReleases(string a, string b)
    {
        int i = 0, j = 0;
        while (i < a.Length && j < b.Length)
        {
            if (char.IsAsciiDigit(a[i]) && char.IsAsciiDigit(b[j]))
            {
                int order = Number(a, ref i).CompareTo(Number(b, ref j));
                if (order != 0)
                {
                    return order;
                }
            }
            else if (a[i] != b[j])
            {
                return a[i].CompareTo(b[j]);
            }
            else
            {
                i++;
                j++;
            }
        }

        return (a.Length - i).CompareTo(b.Length - j);

        static decimal Number(string text, ref int at)
        {
            int first = at;
            while (at < text.Length && at - first < 20 && char.IsAsciiDigit(text[at]))
            {
                at++;
            }

            return decimal.Parse(text.AsSpan(first, at - first), CultureInfo.InvariantCulture);
        }
    }

    /// <summary>As tests/Guest does: downloaded by apt and unpacked, never installed.</summary>
    private static GuestKernel Download(string cache, CancellationToken token)
    {
        string folder = Path.Combine(cache, "kernel");
        if (FindUnpacked(folder) is { } there)
        {
            return there;
        }

        string shell;
        try
        {
            HostTool.Find("apt-get", "apt");
            HostTool.Find("dpkg-deb", "dpkg");
            shell = HostTool.Find("sh", "dash");
        }
        catch (StratoException e)
        {
            throw new StratoException(StratoErrorKind.NotFound, "KernelNotFound", "There is no kernel for the guest: the host has none in /boot that can be read, with its modules in /lib/modules, and no apt to download Debian's.", e)
            {
                Where = "-Kernel",
                RecommendedAction = "Give a kernel by -Kernel, and its modules by -ModulePath.",
            };
        }

        using WorkFolder work = WorkFolder.Make(cache, token);
        const string script = """
            set -e
            cd "$1"
            package=$(apt-cache depends --important "$2" | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1)
            [ -n "$package" ] || { echo "the package lists have no $2; 'apt-get update' as root fetches them" >&2; exit 1; }
            apt-get download -qq "$package"
            dpkg-deb -x ./*.deb tree
            rm ./*.deb
            """;
        HostTool.Run(shell, ["-c", script, "sh", work.Path, Package], $"Downloading the kernel of {Package}", token);
        work.Place(work.PathOf("tree"), folder, () => FindUnpacked(folder) is not null);
        return FindUnpacked(folder) ?? throw new StratoException(StratoErrorKind.Failed, "KernelNotFound", $"The package {Package} had no kernel with modules in it.") { Where = "-Kernel" };
    }

    private static GuestKernel? FindUnpacked(string folder) =>
        FindOnHost(Path.Combine(folder, "boot"), Path.Combine(folder, "lib/modules")) ?? FindOnHost(Path.Combine(folder, "boot"), Path.Combine(folder, "usr/lib/modules"));

    private static bool MayRead(string path)
    {
        try
        {
            File.OpenRead(path).Dispose();
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
