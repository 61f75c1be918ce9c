using System;
using System.Collections.Generic;
using System.Text;

namespace Strato.Protocol.Configuration;

/// <summary>virtio-fs: a folder of the host, served to the guest by another process (vhost-user).</summary>
public sealed class FsConfiguration : DeviceConfiguration
{
    /// <summary>Bytes, as the configuration space of the device has them.</summary>
    public const int MaxTag = 36;

    public override string Kind => "fs";

    /// <summary>By which the guest mounts it: <c>mount -t virtiofs TAG /mnt</c>. Unique among a machine's folders.</summary>
    public required string Tag { get; init; }

    /// <summary>The folder, for which virtiofsd is started; null when <see cref="Socket"/> is given.</summary>
    public string? Source { get; init; }

    /// <summary>The unix socket of a virtiofsd that runs already; null when <see cref="Source"/> is given.</summary>
    public string? Socket { get; set; }

    /// <summary>What it is called in messages: the id, or the tag.</summary>
    public string Label => Id.Length > 0 ? Id : Tag;

    /// <exception cref="UserErrorException">InvalidTag.</exception>
    public static void CheckTag(string tag, string where)
    {
        int length = Encoding.UTF8.GetByteCount(tag);
        if (length is 0 or > MaxTag || tag.Contains('\0'))
        {
            throw new UserErrorException(
                "InvalidTag",
                $"The tag '{ConfigurationLimits.Printable(tag)}' has {length} bytes; a tag has 1 to {MaxTag}, none of them zero.",
                where);
        }
    }

    public override void Check()
    {
        CheckTag(Tag, WhereIs("tag", "tag"));
        if (Source is not null)
        {
            ConfigurationLimits.CheckPath(Source, $"folder '{Label}'", WhereIs("source", "source"));
        }
    }

    /// <summary>Checks how the folders go together, and that their programs can reach the guest's memory.</summary>
    /// <exception cref="UserErrorException">MemShareMissing, DuplicateTag.</exception>
    public static void CheckAll(IReadOnlyList<DeviceConfiguration> devices, bool memShare)
    {
        HashSet<string> tags = new(StringComparer.Ordinal);
        foreach (DeviceConfiguration device in devices)
        {
            if (device is not FsConfiguration fs)
            {
                continue;
            }

            if (!memShare)
            {
                throw new UserErrorException(
                    "MemShareMissing",
                    $"fs '{fs.Label}': the program that serves the folder reads and writes the guest's memory, which has to be shared with it: -machine microvm,mem-share=on.",
                    fs.Where);
            }

            if (!tags.Add(fs.Tag))
            {
                throw new UserErrorException("DuplicateTag", $"The tag '{ConfigurationLimits.Printable(fs.Tag)}' is used by two shared folders; tags are unique.", fs.WhereIs("tag", "tag"));
            }
        }
    }
}
