using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Threading;

namespace Strato.Client.Images;

/// <summary>Makes an ext4 image of a folder, without mounting it and without root.</summary>
internal static class Ext4Image
{
    internal const int BlockSize = 4096;

    /// <summary>Free room in an image where nobody says how large it is to be. It is a hole in a sparse file.</summary>
    private const long FreeBytes = 512L << 20;

    private const long Megabyte = 1L << 20;

    // Named one by one, since the defaults differ between versions. No checksums of inodes: owners are written into them afterwards.
    private const string Features = "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize";

    /// <param name="folder">What is to be in it.</param>
    /// <param name="image">The file, which isn't there yet.</param>
    /// <param name="bytes">Of the contents, in whole blocks.</param>
    /// <param name="count">Folders, files and links.</param>
    /// <param name="size">Bytes of the image; 0 for the contents and half a gibibyte.</param>
    /// <param name="token">Ends it.</param>
    /// <exception cref="StratoException">ImageSize, ProgramNotFound, ProgramFailed.</exception>
    internal static void Make(string folder, string image, long bytes, long count, long size, CancellationToken token)
    {
        // Inodes of 256 bytes, a journal of at most 1/16 up to 128 MiB, and what the file system's own tables take.
        long inodes = count + (count / 4) + 16384;
        long least = bytes + (bytes / 32) + (inodes * 256) + (64 * Megabyte);
        if (size != 0 && size < least)
        {
            throw new StratoException(StratoErrorKind.InvalidArgument, "ImageSize", $"The root disk of {size >> 20} MiB is too small for the image, which needs {(least + Megabyte - 1) >> 20} MiB.") { Where = "-Size" };
        }

        long total = size != 0 ? size : (least + FreeBytes + Megabyte - 1) / Megabyte * Megabyte;
        using (FileStream file = new(image, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
        {
            file.SetLength(total);
        }

        string mke2fs = HostTool.Find("mke2fs", "e2fsprogs");
        List<string> arguments =
        [
            "-q", "-F", "-t", "ext4", "-b", BlockSize.ToString(CultureInfo.InvariantCulture), "-I", "256", "-m", "0", "-O", Features,
            "-N", inodes.ToString(CultureInfo.InvariantCulture), "-E", "root_owner=0:0", "-d", folder, "--", image,
        ];
        HostTool.Run(mke2fs, arguments, "Making the root disk", token);
    }
}
