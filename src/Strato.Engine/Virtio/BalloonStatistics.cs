using System;
using System.Buffers.Binary;
using Strato.Engine.Linux;
using Strato.Engine.Virtio.Queue;

namespace Strato.Engine.Virtio;

/// <summary>What a balloon's guest tells of its memory (VIRTIO 1.2, 5.5.6.3): a buffer that goes to and fro.</summary>
/// <remarks>The driver gives a buffer with its figures; giving it back asks for new ones. So nothing is asked for unless a period is set.</remarks>
internal sealed class BalloonStatistics(Action ring) : IDisposable
{
    /// <summary>struct virtio_balloon_stat: tag, value, packed.</summary>
    internal const int EntryBytes = 10;

    /// <summary>QEMU's names of the tags, by their numbers.</summary>
    public static readonly string[] Names =
    [
        "stat-swap-in", "stat-swap-out", "stat-major-faults", "stat-minor-faults", "stat-free-memory", "stat-total-memory",
        "stat-available-memory", "stat-disk-caches", "stat-htlb-pgalloc", "stat-htlb-pgfail",
    ];

    private readonly ulong[] _values = Unknown();
    private LoopTimer? _timer;
    private ushort _head;
    private bool _due;

    /// <summary>The figures by their tags; all bits set for one that the guest doesn't tell.</summary>
    public ReadOnlySpan<ulong> Values => _values;

    /// <summary>When the last figures came, in seconds since 1970; 0 for never.</summary>
    public long UpdatedAt { get; private set; }

    /// <summary>How often new figures are asked for; zero for never.</summary>
    public TimeSpan Period { get; private set; }

    /// <summary>Whether the driver's buffer is here.</summary>
    public bool HasBuffer { get; private set; }

    public void Plug(EventLoop loop) => _timer = new LoopTimer(loop, OnTimer);

    /// <summary>On the loop's thread.</summary>
    public void SetPeriod(TimeSpan period)
    {
        Period = period;
        _timer!.Set(period);
    }

    /// <summary>Reads the driver's figures and keeps its buffer.</summary>
    public void Take(DescriptorChain chain)
    {
        Span<byte> entry = stackalloc byte[EntryBytes];

        // As many as there are names: the guest's buffer may be of any length.
        for (int i = 0; i < Names.Length && chain.Readable.Length >= EntryBytes; i++)
        {
            chain.Readable.Read(entry);
            int tag = BinaryPrimitives.ReadUInt16LittleEndian(entry);
            if (tag < _values.Length)
            {
                _values[tag] = BinaryPrimitives.ReadUInt64LittleEndian(entry[sizeof(ushort)..]);
            }
        }

        UpdatedAt = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        _head = chain.Head;
        HasBuffer = true;
    }

    /// <summary>The buffer's name, when new figures are due; then it isn't here any more.</summary>
    public bool TryGiveBack(out ushort head)
    {
        head = _head;
        bool back = _due && HasBuffer;
        if (back)
        {
            _due = HasBuffer = false;
        }

        return back;
    }

    /// <summary>The driver has gone, and its buffer with it. Under the device's gate.</summary>
    public void Reset()
    {
        HasBuffer = false;
        _due = false;
        UpdatedAt = 0;
        Array.Fill(_values, ulong.MaxValue);
    }

    public void Dispose() => _timer?.Dispose();

    private static ulong[] Unknown()
    {
        ulong[] values = new ulong[Names.Length];
        Array.Fill(values, ulong.MaxValue);
        return values;
    }

    private void OnTimer()
    {
        _due = true;
        ring();
        _timer!.Set(Period);
    }
}
