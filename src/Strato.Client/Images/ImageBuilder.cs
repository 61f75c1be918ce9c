using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.IO.Enumeration;
using System.Security.Cryptography;
using System.Text;
using System.Threading;
using Strato.Client.Linux;

namespace Strato.Client.Images;

/// <summary>Makes the files of one image.</summary>
/// <param name="settings">Checked.</param>
/// <param name="cache">Folder that keeps a kernel that is downloaded.</param>
/// <param name="work">A folder of our own.</param>
/// <param name="token">Ends it.</param>
internal sealed class ImageBuilder(GuestImageSettings settings, string cache, WorkFolder work, CancellationToken token)
{
    /// <summary>What a Debian that boots by itself has: an init, names, the power button, addresses by DHCP.</summary>
    private const string DebianPackages = "systemd-sysv,dbus,udev,iproute2,ifupdown,isc-dhcp-client,netbase";

    private GuestKernel? _kernel;
    private ImageArchive? _archive;
    private OciImage? _image;

    private GuestKernel Kernel => _kernel ??= GuestKernel.Find(settings.Kernel, settings.ModulePath, cache, token);

    /// <summary>What tells this image from every other: the source's content, the kernel, busybox, and this code.</summary>
    /// <remarks>Of a folder it is the names, kinds, owners, sizes and times of all that is in it, as make goes by them.</remarks>
    internal string Key()
    {
        StringBuilder text = new();
        text.AppendLine(typeof(ImageBuilder).Module.ModuleVersionId.ToString());
        text.AppendLine(Identity(Kernel.Image)).AppendLine(Kernel.Modules).AppendLine(Identity(Busybox.Find()));
        text.AppendLine(CultureInfo.InvariantCulture, $"{settings.Size} {Libc.geteuid()}");
        if (Directory.Exists(settings.Path))
        {
            List(settings.Path, text);
        }
        else
        {
            OpenArchive();
            text.AppendLine(_image!.Digest ?? FileHash(_archive!.TarPath));
        }

        return OciImage.Hex(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())))[..32];
    }

    /// <returns>The folder with the files, in the work folder.</returns>
    internal string Build()
    {
        string target = work.MakeFolder("made"), staged = work.PathOf("staged"), root = Path.Combine(target, ImageFiles.Root);

        // Found out first, since it is done at once where it fails.
        GuestKernel kernel = Kernel;
        ImageRun run = new();
        string source = settings.Path ?? "";
        string entry = "";
        if (settings.Path is { } folder && Directory.Exists(folder))
        {
            settings.Progress?.Invoke("Making the root disk");
            BuildFolder(folder, root);
        }
        else
        {
            settings.Progress?.Invoke("Reading the image");
            RootTree tree = Unpack(ref source);
            settings.Progress?.Invoke("Making the root disk");
            run = ImageRun.Of(_image!.Config, tree.ReadLines);
            entry = run.Command.Count == 0 ? "" : run.Script(run.Command);
            StagedTree tool = new(token);
            tool.Write(tree.Root, staged);
            Ext4Image.Make(staged, root, tool.Bytes, tool.Count, settings.Size, token);
            Directory.Delete(staged, recursive: true);
            Directory.Delete(work.PathOf("contents"), recursive: true);
            using Ext4Owners owners = new(root, token);
            owners.Apply(tree.Root);
        }

        token.ThrowIfCancellationRequested();
        settings.Progress?.Invoke("Making the initial RAM disk");
        File.Copy(kernel.Image, Path.Combine(target, ImageFiles.Kernel));
        InitrdImage.Make(Path.Combine(target, ImageFiles.Initrd), kernel, entry, work.Path, token);
        ImageFiles.Describe(target, source, _image?.Digest, run);
        ImageFiles.Sync(target, token);
        return target;
    }

    private RootTree Unpack(ref string source)
    {
        string contents = work.PathOf("contents");
        Directory.CreateDirectory(contents);
        RootTree tree = new(contents);
        if (settings.Path is null)
        {
            source = Debootstrap();
        }

        OpenArchive();
        _image!.Unpack(tree, work.Path, token);
        return tree.Root.Children.Count > 0 ? tree : throw RootTree.Damaged("there is nothing in it");
    }

    private void OpenArchive()
    {
        _archive ??= new ImageArchive(settings.Path ?? DebianArchive, work.Path, token);
        _image ??= OciImage.Read(_archive);
    }

    private string DebianArchive => work.PathOf("debian.tar");

    /// <summary>Debian's packages as an archive with owners, which mmdebstrap makes without root where user namespaces are allowed.</summary>
    private string Debootstrap()
    {
        string mmdebstrap = HostTool.Find("mmdebstrap", "mmdebstrap");
        string suite = settings.Suite ?? HostSuite();
        List<string> packages = [DebianPackages, .. settings.Packages];

        // A guest has names and addresses from its host, and nobody has set a password.
        List<string> arguments =
        [
            mmdebstrap, "--quiet", "--variant=minbase", $"--include={string.Join(',', packages)}",
            "--customize-hook=printf 'auto lo\\niface lo inet loopback\\nallow-hotplug eth0\\niface eth0 inet dhcp\\n' >\"$1/etc/network/interfaces\"",
            "--customize-hook=printf '/dev/vda / ext4 defaults 0 0\\n' >\"$1/etc/fstab\"",
            "--customize-hook=echo strato >\"$1/etc/hostname\"",
            "--customize-hook=mkdir -p \"$1/etc/systemd/system/serial-getty@ttyS0.service.d\" && printf '[Service]\\nExecStart=\\nExecStart=-/sbin/agetty --autologin root -8 --keep-baud 115200 - $TERM\\n' >\"$1/etc/systemd/system/serial-getty@ttyS0.service.d/autologin.conf\"",
            suite, DebianArchive,
        ];
        if (Libc.geteuid() == 0)
        {
            // What is left of one that is killed goes with the work folder. Without root it works as users that may not go in there.
            arguments.Insert(0, $"TMPDIR={work.MakeFolder("chroot")}");
        }

        // It removes its folder when it is asked to end; much of that belongs to users that only it can be.
        HostTool.Run(HostTool.Find("env", "coreutils"), arguments, $"Making a root file system of Debian {suite}", token, work.Leave);
        return $"debian:{suite}";
    }

    private static string HostSuite()
    {
        foreach (string line in File.Exists("/etc/os-release") ? File.ReadAllLines("/etc/os-release") : [])
        {
            if (line.StartsWith("VERSION_CODENAME=", StringComparison.Ordinal) && line.Trim().Length > "VERSION_CODENAME=".Length)
            {
                return line["VERSION_CODENAME=".Length..].Trim().Trim('"');
            }
        }

        throw new StratoException(StratoErrorKind.InvalidArgument, "SuiteUnknown", "The host's /etc/os-release doesn't say which release it is.") { Where = "-Suite" };
    }

    private void BuildFolder(string folder, string root)
    {
        long bytes = 0, count = 1;
        foreach (FileSystemInfo item in Items(folder))
        {
            token.ThrowIfCancellationRequested();
            count++;
            bytes += Ext4Image.BlockSize;
            bytes += item is FileInfo { LinkTarget: null } file ? (file.Length + Ext4Image.BlockSize - 1) / Ext4Image.BlockSize * Ext4Image.BlockSize : 0;
        }

        Ext4Image.Make(folder, root, bytes, count, settings.Size, token);
        uint uid = Libc.geteuid();
        if (uid != 0)
        {
            // As in a container without root: what is the user's is the guest's root's.
            using Ext4Owners owners = new(root, token);
            owners.GiveToRoot(uid, Libc.getegid());
        }
    }

    /// <summary>All that is below a folder; links are told and not followed, for they may lead out of it, or round in a circle.</summary>
    private static FileSystemEnumerable<FileSystemInfo> Items(string folder) => new(
        folder,
        static (ref FileSystemEntry entry) => entry.ToFileSystemInfo(),
        new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0, IgnoreInaccessible = false })
    {
        ShouldRecursePredicate = static (ref FileSystemEntry entry) => (entry.Attributes & FileAttributes.ReparsePoint) == 0,
    };

    private void List(string folder, StringBuilder text)
    {
        List<string> lines = [];
        foreach (FileSystemInfo item in Items(folder))
        {
            token.ThrowIfCancellationRequested();
            _ = Libc.TryStat(item.FullName, out Libc.statx_t stat);
            lines.Add(string.Create(CultureInfo.InvariantCulture, $"{item.FullName} {stat.stx_mode} {stat.stx_uid} {stat.stx_gid} {stat.stx_size} {item.LastWriteTimeUtc.Ticks} {item.LinkTarget}"));
        }

        lines.Sort(StringComparer.Ordinal);
        lines.ForEach(line => text.AppendLine(line));
    }

    private static string Identity(string path)
    {
        FileInfo file = new(path);
        return string.Create(CultureInfo.InvariantCulture, $"{path} {file.Length} {file.LastWriteTimeUtc.Ticks}");
    }

    private string FileHash(string path)
    {
        using FileStream file = File.OpenRead(path);
        return OciImage.HashOf(file, token);
    }
}
