using System;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Threading;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Engine.Virtio.Queue;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Virtio;

/// <summary>virtio-balloon: memory that the guest gives back, and takes again when the host allows it (VIRTIO 1.2, 5.5).</summary>
/// <remarks>
/// <code>
/// queue 0  inflate: pages that the guest gives, as 32-bit numbers of 4 KiB pages     queue 2  statistics: | tag 16 | value 64 | …
/// queue 1  deflate: pages that it takes again                                        queue 3  free pages: the buffers themselves
/// </code>
/// The numbers of the last two move up where the driver doesn't take the feature of one before, as Linux has it.
/// A page that is given is dropped from this process (MADV_DONTNEED); one that is taken again comes back by being touched.
/// </remarks>
internal sealed class BalloonDevice : VirtioDevice
{
    internal const ulong FeatureStatistics = 1UL << 1;
    internal const ulong FeatureDeflateOnOom = 1UL << 2;
    internal const ulong FeatureReporting = 1UL << 5;

    /// <summary>Bytes of the unit that the balloon is counted in, on every architecture.</summary>
    internal const int PageBytes = 1 << PageShift;

    internal const int QueueSize = 128;
    internal const int InflateQueue = 0;
    internal const int DeflateQueue = 1;
    internal const int StatisticsQueue = 2;

    /// <summary>struct virtio_balloon_config: pages wanted, pages given.</summary>
    internal const int ConfigurationBytes = 8;
    internal const int TargetOffset = 0;
    internal const int ActualOffset = 4;

    private const int PageShift = 12;

    /// <summary>Pages that are dropped before the loop does other work.</summary>
    private const int PagesPerTurn = 4096;

    private const string Room = "virtio-balloon";

    private readonly DescriptorChain _chain = new();
    private readonly DescriptorChain _inflating = new();
    private readonly BalloonStatistics _statistics;
    private readonly byte[] _numbers = new byte[1024];
    private readonly RateLimit _log = new();
    private readonly Action _tell;
    private GuestMemory? _memory;
    private EventLoop? _loop;
    private bool _isInflating;
    private int _actual;
    private int _told;
    private int _posted;

    /// <param name="id">The user's name of the device.</param>
    /// <param name="deflateOnOom">Whether a guest without memory takes back what it gave.</param>
    /// <param name="reporting">Whether the guest tells of its free pages.</param>
    public BalloonDevice(string id, bool deflateOnOom, bool reporting)
        : base(
            id,
            VirtioType.Balloon,
            FeatureStatistics | (deflateOnOom ? FeatureDeflateOnOom : 0) | (reporting ? FeatureReporting : 0),
            reporting ? [QueueSize, QueueSize, QueueSize, QueueSize] : [QueueSize, QueueSize, QueueSize],
            ConfigurationBytes)
    {
        _statistics = new BalloonStatistics(() => Ring(StatisticsQueue));
        _tell = Tell;
    }

    /// <summary>Called on the loop's thread when the guest has given or taken memory.</summary>
    public Action? Changed { get; set; }

    /// <summary>Bytes that the guest has given.</summary>
    public long Given => (long)(uint)Volatile.Read(ref _actual) << PageShift;

    /// <summary>What the guest tells of its memory.</summary>
    public BalloonStatistics Statistics => _statistics;

    /// <summary>Asks the guest to have given this many bytes, rounded down to pages. On the loop's thread.</summary>
    public void SetTarget(long bytes)
    {
        Span<byte> pages = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(pages, (uint)(bytes >> PageShift));
        SetConfiguration(TargetOffset, pages);
    }

    /// <summary>The driver says how many pages it has given. On a vCPU's thread.</summary>
    public override bool WriteConfiguration(ulong offset, ReadOnlySpan<byte> data)
    {
        if (offset != ActualOffset || data.Length != sizeof(uint))
        {
            return false;
        }

        SetActual(BinaryPrimitives.ReadInt32LittleEndian(data));
        return true;
    }

    protected override void OnPlug(GuestMemory memory, EventLoop loop)
    {
        _memory = memory;
        _loop = loop;
        _statistics.Plug(loop);
    }

    protected override void OnReset()
    {
        _isInflating = false;
        _statistics.Reset();
        SetActual(0);
    }

    protected override void OnDispose() => _statistics.Dispose();

    protected override void OnSave(StateWriter state)
    {
        state.U32((uint)Volatile.Read(ref _actual));
        state.U32((uint)_statistics.Period.TotalSeconds);
    }

    /// <remarks>Buffers that the driver gave and hasn't got back are taken anew: pages once more, statistics as they were.</remarks>
    protected override void OnRestore(StateReader state)
    {
        SetActual((int)state.U32());
        _statistics.SetPeriod(TimeSpan.FromSeconds(state.Count(int.MaxValue)));
    }

    /// <remarks>What was asked of the driver, and what it has given.</remarks>
    protected override void MergeConfiguration(ReadOnlySpan<byte> saved, Span<byte> now) => saved.CopyTo(now);

    protected override void ProcessQueue(int index)
    {
        bool statistics = (Features & FeatureStatistics) != 0;
        if (index == InflateQueue)
        {
            Inflate();
        }
        else if (index == StatisticsQueue && statistics)
        {
            ServeStatistics();
        }
        else
        {
            // Deflated pages need nothing: they come back when they are touched.
            ServeRequests(index, _chain);
        }
    }

    /// <summary>Free pages that the guest reports: they read as anything until it uses them. Deflated pages: nothing.</summary>
    protected override uint Serve(int index, DescriptorChain chain)
    {
        if (index == DeflateQueue || (Features & FeatureReporting) == 0)
        {
            return 0;
        }

        foreach (ref readonly Libc.iovec part in chain.Writable.Parts)
        {
            if (!_memory!.TryDiscardHost(part.iov_base, part.iov_len))
            {
                Complain("free pages that aren't whole");
            }
        }

        return 0;
    }

    private void Inflate()
    {
        int budget = PagesPerTurn;
        while (budget > 0 && (_isInflating || TryPopOrWait(InflateQueue, _inflating)))
        {
            _isInflating = true;
            budget -= Drop(_inflating.Readable, budget) + 1;
            if (_inflating.Readable.Length >= sizeof(uint))
            {
                break;
            }

            _isInflating = false;
            Queues[InflateQueue].Push(_inflating.Head, 0);
            Queues[InflateQueue].Publish();
        }

        SignalIfWanted(InflateQueue);
        if (budget <= 0)
        {
            Ring(InflateQueue);
        }
    }

    /// <summary>Drops pages by their numbers, neighbours in one call; how many, at most <paramref name="most"/>.</summary>
    private int Drop(BufferList numbers, int most)
    {
        int count = 0;
        ulong first = 0;
        ulong length = 0;
        while (count < most && numbers.Length >= sizeof(uint))
        {
            int bytes = (int)ulong.Min(numbers.Length, (ulong)Math.Min(_numbers.Length, (most - count) * sizeof(uint))) & ~(sizeof(uint) - 1);
            numbers.Read(_numbers.AsSpan(0, bytes));
            foreach (uint number in MemoryMarshal.Cast<byte, uint>(_numbers.AsSpan(0, bytes)))
            {
                ulong page = number;

                // Linux gives pages upwards or downwards, as its allocator has them.
                if (length > 0 && (page == first + length || page + 1 == first))
                {
                    first = ulong.Min(first, page);
                    length++;
                    continue;
                }

                Discard(first, length);
                (first, length) = (page, 1);
            }

            count += bytes / sizeof(uint);
        }

        Discard(first, length);
        return count;
    }

    private void Discard(ulong firstPage, ulong pages)
    {
        if (pages > 0 && !_memory!.TryDiscard(firstPage << PageShift, pages << PageShift))
        {
            Complain("pages that aren't RAM");
        }
    }

    private void ServeStatistics()
    {
        // The driver gives one buffer, filled, and gets it back when we want another filling.
        while (!_statistics.HasBuffer && TryPopOrWait(StatisticsQueue, _chain))
        {
            _statistics.Take(_chain);
        }

        if (_statistics.TryGiveBack(out ushort head))
        {
            Queues[StatisticsQueue].Push(head, 0);
            Queues[StatisticsQueue].Publish();
            SignalIfWanted(StatisticsQueue);
        }
    }

    private void SetActual(int pages)
    {
        Volatile.Write(ref _actual, pages);
        if (Interlocked.Exchange(ref _posted, 1) == 0)
        {
            _loop?.Post(_tell);
        }
    }

    private void Tell()
    {
        // The mark goes before the number is read: a change after it posts anew.
        Interlocked.Exchange(ref _posted, 0);
        int actual = Volatile.Read(ref _actual);
        if (actual != _told)
        {
            _told = actual;
            Changed?.Invoke();
        }
    }

    private void Complain(string what) => _log.Warn(Room, () => $"{Id}: the guest gives {what}; they stay as they are");
}
