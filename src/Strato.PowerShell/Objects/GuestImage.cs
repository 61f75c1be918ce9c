using Strato.Client;

namespace Strato;

/// <summary>A root disk with its kernel and its initial RAM disk, as New-StratoGuestImage makes them.</summary>
/// <remarks>Kernel, Initrd and CommandLine are New-StratoVm's parameters of these names.</remarks>
public sealed class GuestImage
{
    private readonly GuestImageInfo _info;

    internal GuestImage(GuestImageInfo info)
    {
        _info = info;
    }

    /// <summary>Path of the kernel.</summary>
    public string Kernel => _info.Kernel;

    /// <summary>Path of the initial RAM disk.</summary>
    public string Initrd => _info.Initrd;

    /// <summary>Path of the root disk, a raw ext4 image, which a guest sees as /dev/vda when it is its first.</summary>
    public string Root => _info.Root;

    /// <summary>The kernel's command line with which it boots.</summary>
    public string CommandLine => GuestImageInfo.CommandLine;

    /// <summary>What it was made of: a path, or debian:SUITE.</summary>
    public string Source => _info.Source;

    /// <summary>Digest of an image's manifest or configuration; null where there is none.</summary>
    public string? Digest => _info.Digest;

    /// <summary>Bytes of the root disk; its file has holes and takes less.</summary>
    public long Size => _info.Size;

    /// <summary>Entry point and command that the image names; empty where it names none.</summary>
    public string[] Command => [.. _info.Command];

    /// <summary>The folder of the three files.</summary>
    public string Folder => System.IO.Path.GetDirectoryName(_info.Root) ?? "";

    public override string ToString() => Folder;
}
