using System;
using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Text;
using System.Text.Unicode;

namespace Strato.Protocol.Snapshots;

/// <summary>A snapshot's file <c>state</c>: everything but the guest's memory. docs/snapshot-format.md tells it from the outside.</summary>
/// <remarks>
/// <code>
///   0  magic "STRATOVM"
///   8  version of the format, 32 bits
///  12  number of sections, 32 bits
///  16  bytes of the whole file, 64 bits
///  24  id of the snapshot, 16 bytes, which its memory has as well
///  40  CRC-32C of the 40 bytes before
///  44  the sections, each
///        0  bytes of the contents, 32 bits     4  version, 16 bits     6  bytes of the name, 16 bits
///        8  name in UTF-8, contents, CRC-32C of all of the section before
/// </code>
/// </remarks>
public sealed class StateFile
{
    /// <summary>Its name in a snapshot's folder.</summary>
    public const string FileName = "state";

    /// <summary>Of the layout above.</summary>
    public const uint FormatVersion = 1;

    /// <summary>No state is larger: 254 CPUs take 4 MB, the checksums of 512 GiB of memory 2.</summary>
    public const int MaximumBytes = 64 << 20;

    /// <summary>Bytes before the first section.</summary>
    public const int HeaderBytes = 44;

    private const int SectionHeaderBytes = 8;
    private const int ChecksumBytes = sizeof(uint);

    private readonly List<SnapshotSection> _sections;

    /// <param name="id">The snapshot's.</param>
    /// <param name="sections">With names of their own.</param>
    public StateFile(Guid id, IReadOnlyList<SnapshotSection> sections)
    {
        Id = id;
        _sections = [.. sections];
    }

    private static ReadOnlySpan<byte> Magic => "STRATOVM"u8;

    /// <summary>What joins state and memory.</summary>
    public Guid Id { get; }

    /// <summary>In the order in which they were saved.</summary>
    public IReadOnlyList<SnapshotSection> Sections => _sections;

    /// <summary>The section of a name; null when there is none.</summary>
    public SnapshotSection? Find(string name) => _sections.Find(section => section.Name == name);

    /// <summary>The section of a name.</summary>
    /// <exception cref="UserErrorException">SnapshotDamaged: there is none.</exception>
    public SnapshotSection Require(string name) => Find(name) ?? throw Damaged($"it has no section '{name}'");

    /// <summary>The file's bytes.</summary>
    public byte[] ToBytes()
    {
        ArrayBufferWriter<byte> file = new();
        file.GetSpan(HeaderBytes);
        file.Advance(HeaderBytes);
        foreach (SnapshotSection section in _sections)
        {
            int start = file.WrittenCount;
            byte[] name = Encoding.UTF8.GetBytes(section.Name);
            Span<byte> head = file.GetSpan(SectionHeaderBytes);
            BinaryPrimitives.WriteInt32LittleEndian(head, section.Data.Length);
            BinaryPrimitives.WriteUInt16LittleEndian(head[4..], section.Version);
            BinaryPrimitives.WriteUInt16LittleEndian(head[6..], (ushort)name.Length);
            file.Advance(SectionHeaderBytes);
            file.Write(name);
            file.Write(section.Data.Span);
            uint sum = Checksum.Of(file.WrittenSpan[start..]);
            BinaryPrimitives.WriteUInt32LittleEndian(file.GetSpan(ChecksumBytes), sum);
            file.Advance(ChecksumBytes);
        }

        byte[] bytes = file.WrittenSpan.ToArray();
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), FormatVersion);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), _sections.Count);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(16), bytes.Length);
        Id.TryWriteBytes(bytes.AsSpan(24));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(40), Checksum.Of(bytes.AsSpan(0, 40)));
        return bytes;
    }

    /// <summary>Whose state begins with these bytes, of whatever version; null when they are none's.</summary>
    public static Guid? IdOf(ReadOnlySpan<byte> beginning) =>
        beginning.Length >= HeaderBytes && beginning[..Magic.Length].SequenceEqual(Magic)
        && BinaryPrimitives.ReadUInt32LittleEndian(beginning[40..]) == Checksum.Of(beginning[..40])
            ? new Guid(beginning.Slice(24, 16))
            : null;

    /// <summary>Reads a file's bytes; all its checksums are verified.</summary>
    /// <exception cref="UserErrorException">SnapshotDamaged says where; SnapshotVersion: it was saved by a newer engine.</exception>
    public static StateFile Parse(ReadOnlyMemory<byte> file)
    {
        ReadOnlySpan<byte> bytes = file.Span;
        if (bytes.Length < HeaderBytes)
        {
            throw Damaged($"it has {bytes.Length} bytes, fewer than its header");
        }

        if (!bytes[..Magic.Length].SequenceEqual(Magic))
        {
            throw Damaged("it doesn't begin as the state of a snapshot does");
        }

        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[40..]) != Checksum.Of(bytes[..40]))
        {
            throw Damaged("the checksum of its header is wrong");
        }

        // Before all else that a newer format may have changed.
        uint version = BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]);
        if (version == 0)
        {
            throw Damaged("its format has no version 0");
        }

        if (version > FormatVersion)
        {
            throw new UserErrorException("SnapshotVersion", $"The snapshot's state has format {version}; this engine reads {FormatVersion}. It was saved by a newer one.");
        }

        long length = BinaryPrimitives.ReadInt64LittleEndian(bytes[16..]);
        if (length != bytes.Length)
        {
            throw Damaged($"it has {bytes.Length} bytes, and {length} were saved");
        }

        int count = BinaryPrimitives.ReadInt32LittleEndian(bytes[12..]);
        List<SnapshotSection> sections = [];
        HashSet<string> names = new(StringComparer.Ordinal);
        int at = HeaderBytes;
        string before = "the header";
        while (at < bytes.Length)
        {
            SnapshotSection section = ParseSection(file[at..], before, out int size);
            if (!names.Add(section.Name))
            {
                throw Damaged($"it has two sections '{section.Name}'");
            }

            sections.Add(section);
            at += size;
            before = $"section '{section.Name}'";
        }

        return sections.Count == count
            ? new StateFile(new Guid(bytes.Slice(24, 16)), sections)
            : throw Damaged($"it has {sections.Count} sections, and {count} were saved");
    }

    private static SnapshotSection ParseSection(ReadOnlyMemory<byte> rest, string before, out int size)
    {
        ReadOnlySpan<byte> bytes = rest.Span;
        if (bytes.Length < SectionHeaderBytes + ChecksumBytes)
        {
            throw Damaged($"it ends within the section after {before}");
        }

        uint contents = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        ushort version = BinaryPrimitives.ReadUInt16LittleEndian(bytes[4..]);
        int name = BinaryPrimitives.ReadUInt16LittleEndian(bytes[6..]);
        if (contents > MaximumBytes || SectionHeaderBytes + name + (long)contents + ChecksumBytes > bytes.Length)
        {
            throw Damaged($"the section after {before} reaches beyond the end");
        }

        int end = SectionHeaderBytes + name + (int)contents;
        size = end + ChecksumBytes;
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[end..]) != Checksum.Of(bytes[..end]))
        {
            string which = Encoding.UTF8.GetString(bytes.Slice(SectionHeaderBytes, name));
            throw Damaged($"the checksum of section '{Configuration.ConfigurationLimits.Printable(which)}', after {before}, is wrong");
        }

        if (!Utf8.IsValid(bytes.Slice(SectionHeaderBytes, name)))
        {
            throw Damaged($"the name of the section after {before} is no text");
        }

        return new SnapshotSection(
            Encoding.UTF8.GetString(bytes.Slice(SectionHeaderBytes, name)), version, rest.Slice(SectionHeaderBytes + name, (int)contents));
    }

    private static UserErrorException Damaged(string what) => new("SnapshotDamaged", $"The snapshot's state is damaged: {what}.");
}
