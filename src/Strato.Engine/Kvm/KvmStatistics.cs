using System;
using System.Runtime.InteropServices;
using System.Text;
using Strato.Engine.Linux;

namespace Strato.Engine.Kvm;

/// <summary>struct kvm_stats_header of <c>linux/kvm.h</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmStatsHeader
{
    public uint Flags;
    public uint NameSize;
    public uint Count;
    public uint IdOffset;
    public uint DescriptorOffset;
    public uint DataOffset;
}

/// <summary>struct kvm_stats_desc, without the name behind it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmStatsDescriptor
{
    public uint Flags;
    public short Exponent;
    public ushort Size;
    public uint Offset;
    public uint BucketSize;
}

/// <summary>One figure that KVM counts.</summary>
/// <param name="Name">KVM's name of it, such as <c>exits</c>.</param>
/// <param name="Index">Where its first value stands, in values.</param>
/// <param name="Count">How many values it has; more than one of histograms only.</param>
/// <param name="IsHistogram">Whether its values are a histogram's.</param>
/// <param name="IsFlag">Whether it is a truth value.</param>
internal readonly record struct KvmFigure(string Name, int Index, int Count, bool IsHistogram, bool IsFlag);

/// <summary>What KVM counts for a VM or a vCPU (api.rst, KVM_GET_STATS_FD; Linux 5.14 and later).</summary>
/// <remarks>
/// Reading waits for nobody, also while the vCPU runs. Getting the descriptor of a vCPU does: as all its requests, it waits until the vCPU
/// has left the guest. So it is got when the vCPU is made.
/// </remarks>
internal sealed unsafe class KvmStatistics : IDisposable
{
    // The kernel's are below 4 KiB. What is longer isn't what this knows.
    private const uint MostBytes = 1 << 20;

    private readonly FileDescriptor _file;
    private uint _dataOffset;
    private byte[] _data = [];

    private KvmStatistics(FileDescriptor file)
    {
        _file = file;
    }

    /// <summary>The statistics of a VM or a vCPU; null where the kernel has none, or gives no descriptor.</summary>
    public static KvmStatistics? TryOpen(int fd)
    {
        int file = Libc.ioctl(fd, KvmAbi.KVM_GET_STATS_FD, 0);
        return file < 0 ? null : new KvmStatistics(new FileDescriptor(file));
    }

    /// <summary>Which figures there are: the same for all vCPUs of a host. Empty where it isn't told as the header says.</summary>
    public KvmFigure[] ReadFigures()
    {
        KvmStatsHeader header = ReadHeader();
        ulong length = (ulong)header.Count * ((ulong)sizeof(KvmStatsDescriptor) + header.NameSize);
        if (length > MostBytes)
        {
            return [];
        }

        byte[] bytes = new byte[length];
        if (Libc.PRead(_file.Value, bytes, header.DescriptorOffset) != bytes.Length)
        {
            return [];
        }

        KvmFigure[] figures = new KvmFigure[header.Count];
        int each = bytes.Length / Math.Max(1, figures.Length);
        for (int i = 0; i < figures.Length; i++)
        {
            ReadOnlySpan<byte> one = bytes.AsSpan(i * each, each);
            KvmStatsDescriptor descriptor = MemoryMarshal.Read<KvmStatsDescriptor>(one);
            ReadOnlySpan<byte> name = one[sizeof(KvmStatsDescriptor)..];
            int end = name.IndexOf((byte)0);
            figures[i] = new KvmFigure(
                Encoding.UTF8.GetString(end < 0 ? name : name[..end]),
                (int)(descriptor.Offset / sizeof(ulong)),
                descriptor.Size,
                (descriptor.Flags & KvmAbi.KVM_STATS_TYPE_MASK) >= KvmAbi.KVM_STATS_TYPE_LINEAR_HIST,
                (descriptor.Flags & KvmAbi.KVM_STATS_UNIT_MASK) == KvmAbi.KVM_STATS_UNIT_BOOLEAN);
        }

        return figures;
    }

    /// <summary>The values of all figures as they are now, valid until the next call; empty where they can't be read.</summary>
    /// <param name="figures">As <see cref="ReadFigures"/> gave them, of this or another vCPU.</param>
    public ReadOnlySpan<ulong> ReadValues(ReadOnlySpan<KvmFigure> figures)
    {
        if (_data.Length == 0)
        {
            int count = 0;
            foreach (KvmFigure figure in figures)
            {
                count = Math.Max(count, figure.Index + figure.Count);
            }

            _dataOffset = ReadHeader().DataOffset;
            _data = new byte[count * sizeof(ulong)];
        }

        nint read = Libc.PRead(_file.Value, _data, _dataOffset);
        return read == _data.Length ? MemoryMarshal.Cast<byte, ulong>(_data) : default;
    }

    public void Dispose() => _file.Dispose();

    private KvmStatsHeader ReadHeader()
    {
        KvmStatsHeader header;
        return Libc.PRead(_file.Value, new Span<byte>(&header, sizeof(KvmStatsHeader)), 0) == sizeof(KvmStatsHeader) ? header : default;
    }
}
