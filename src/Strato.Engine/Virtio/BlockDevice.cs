using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Diagnostics;
using Strato.Engine.Block;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Engine.Virtio.Queue;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Virtio;

/// <summary>virtio-blk: a disk (VIRTIO 1.2, 5.2).</summary>
/// <remarks>
/// A turn takes requests off a queue, hands them to the disk together, and answers those that are finished; the others are
/// answered, in any order, when the disk says so. The bytes of a request may be cut into buffers anywhere. The status is
/// written last, and always if it has a place; a request without a place for it can't be answered, which is misuse.
/// </remarks>
internal sealed class BlockDevice : VirtioDevice
{
    /// <summary>Most requests of a disk under way at once, all its queues together.</summary>
    public const int MostRequests = 256;

    // A turn ends after these bytes, so that large requests don't keep the loop from its other work.
    private const ulong TurnBytes = 8 << 20;

    private readonly DiskQueue _disk;
    private readonly BlockOptions _options;
    private readonly BlockMeaning _meaning;
    private readonly BlockFailures _failures;
    private readonly int _capacity;
    private readonly bool _isEmpty;
    private readonly bool _isReadOnly;
    private readonly bool[] _answered;
    private readonly bool[] _starved;
    private TokenBucket? _limit;
    private int _limitNow;
    private LoopTimer? _timer;
    private DiskRequestList _free;
    private DiskRequestList _held;
    private int _made;

    /// <param name="id">The user's name of the device.</param>
    /// <param name="disk">The image; the device owns it from now on.</param>
    /// <param name="options">All else; null for the defaults.</param>
    /// <exception cref="UserErrorException">DriveSerial: the serial number is too long. DriveAio: the host can't do what the drive asks for.</exception>
    public BlockDevice(string id, DiskImage disk, BlockOptions? options = null)
        : base(id, VirtioType.Block, BlockLayout.Offer(disk, options ?? BlockOptions.Default), (options ?? BlockOptions.Default).QueueSizes, BlockLayout.ConfigurationBytes)
    {
        _options = options ?? BlockOptions.Default;
        _meaning = new BlockMeaning(id, disk, _options);
        _failures = new BlockFailures(id, disk, _options);
        _answered = new bool[_options.QueueCount];
        _starved = new bool[_options.QueueCount];
        _capacity = int.Min(MostRequests, _options.QueueCount * _options.QueueSize);
        _isEmpty = disk.Length == 0;
        _isReadOnly = disk.ReadOnly;
        Geometry = disk.Geometry;
        _disk = new DiskQueue(disk, _capacity, OnCompleted);
        _limitNow = _options.Iops;
        _limit = LimitOf(_limitNow, Stopwatch.GetTimestamp());
        Span<byte> configuration = stackalloc byte[BlockLayout.ConfigurationBytes];
        configuration.Clear();
        BlockLayout.Describe(disk, _options, configuration);
        SetConfiguration(0, configuration);
    }

    public BlockOptions Options => _options;

    /// <summary>What the driver was told, with the length 0 where there is no disk.</summary>
    public DiskGeometry Geometry { get; }

    /// <summary>Requests that the disk has and hasn't finished.</summary>
    public int UnderWay => _disk.UnderWay;

    /// <summary>What was done since it came. From any thread.</summary>
    public BlockStatistics Statistics { get; } = new();

    /// <summary>Called with each failure of the host, as far as they aren't too many, on whatever thread meets it. It doesn't wait for the device.</summary>
    public Action<BlockFailure> Failed
    {
        set => _failures.Happened = value;
    }

    /// <summary>So many requests a second on average, a tenth of them at once after a rest; null for no limit.</summary>
    public static TokenBucket? LimitOf(int iops, long now)
    {
        long burst = Math.Max(iops / 10, 1);
        return iops == 0 ? null : new TokenBucket(burst, TimeSpan.FromSeconds((double)burst / iops), now);
    }

    /// <summary>Changes the limit of requests a second; 0 for none. From any thread.</summary>
    public void SetIops(int iops)
    {
        lock (Gate)
        {
            _limitNow = iops;
            _limit = LimitOf(iops, Stopwatch.GetTimestamp());
            RingStarved();
        }
    }

    protected override void OnPlug(GuestMemory memory, EventLoop loop)
    {
        _disk.Watch(loop, _ => OnResults());
        _timer = _isEmpty ? null : new LoopTimer(loop, OnTimer);
    }

    protected override void OnUnplug(EventLoop loop)
    {
        _disk.Unwatch(loop);
        _timer?.Dispose();
    }

    protected override void OnDispose() => _disk.Dispose();

    protected override void DrainRequests()
    {
        _disk.Drain();
        Signal();
    }

    protected override void OnHandOver()
    {
        while (_held.Take() is { } request)
        {
            Answer((BlockRequest)request, BlockLayout.StatusIoError);
        }

        Signal();
    }

    protected override void OnResume()
    {
        DiskRequestList held = _held;
        _held = default;
        while (held.Take() is { } request)
        {
            _disk.Submit(request);
        }

        _disk.Commit();
        Signal();
    }

    protected override void OnDiscard()
    {
        while (_held.Take() is { } request)
        {
            Release((BlockRequest)request);
        }
    }

    /// <remarks>A disk that was plugged in is in a place whose driver was offered both.</remarks>
    protected override ulong ServedFeatures => BlockLayout.FeatureFlush | ((OfferedFeatures & BlockLayout.FeatureReadOnly) == 0 ? BlockLayout.FeatureDiscard : 0);

    /// <remarks>Those that the host failed at, which wait for the machine to go on (werror=stop).</remarks>
    protected override bool KeepsRequests => true;

    protected override void OnSave(StateWriter state)
    {
        state.U32((uint)_limitNow);
        uint held = 0;
        for (DiskRequest? request = _held.First; request is not null; request = request.Next)
        {
            held++;
        }

        state.U32(held);
        for (DiskRequest? request = _held.First; request is not null; request = request.Next)
        {
            state.U16((ushort)((BlockRequest)request).Queue);
            state.U16(((BlockRequest)request).Chain.Head);
        }
    }

    /// <summary>A request that was held is one anew, as if nothing of it had been done: the driver has heard nothing of it.</summary>
    protected override void OnRestore(StateReader state)
    {
        int limit = state.Count(int.MaxValue);
        if (_options.Iops == 0)
        {
            SetIops(limit);
        }

        HashSet<(int, ushort)> heads = [];
        int[] held = new int[Queues.Length];
        for (int left = state.Count(_capacity); left > 0; left--)
        {
            (int queue, ushort head) = (state.U16(), state.U16());
            BlockRequest request = BlockRequest.Create(_made++);
            if (queue >= Queues.Length || !heads.Add((queue, head)) || ++held[queue] > Queues[queue].InFlight
                || !Queues[queue].TryPopAgain(head, request.Chain) || !request.TryBegin(out bool hasHeader))
            {
                throw state.Damaged($"request {head} of queue {queue} is none");
            }

            request.Queue = queue;
            if (_meaning.Begin(request, hasHeader, Features) is { } status)
            {
                // The disk's options are others now, by which there is nothing to do.
                Answer(request, status);
            }
            else
            {
                request.Ask();
                _held.Add(request);
            }
        }
    }

    protected override string? Difference(ReadOnlySpan<byte> saved)
    {
        // Only a disk that can be written tells of writes of zeros.
        bool wasReadOnly = BinaryPrimitives.ReadUInt32LittleEndian(saved[BlockLayout.ZeroesSectorsOffset..]) == 0;
        if (wasReadOnly != _isReadOnly)
        {
            return _isReadOnly ? "it is read-only, and was writable" : "it is writable, and was read-only";
        }

        (ulong was, ulong @is) = (BinaryPrimitives.ReadUInt64LittleEndian(saved[BlockLayout.CapacityOffset..]) * DiskGeometry.SectorBytes, Geometry.Length);
        if (was != @is)
        {
            return $"it has {@is} bytes, and had {was}";
        }

        uint block = BinaryPrimitives.ReadUInt32LittleEndian(saved[BlockLayout.BlockSizeOffset..]);
        return block == Geometry.LogicalBlock ? null : $"it has sectors of {Geometry.LogicalBlock} bytes, and had sectors of {block}";
    }

    /// <remarks>What the driver was told of discards stays: it asks once, and a place may have been another disk's.</remarks>
    protected override void MergeConfiguration(ReadOnlySpan<byte> saved, Span<byte> now)
    {
        saved[BlockLayout.DiscardSectorsOffset..BlockLayout.ZeroesSectorsOffset].CopyTo(now[BlockLayout.DiscardSectorsOffset..]);
        now[BlockLayout.ZeroesUnmapOffset] = saved[BlockLayout.ZeroesUnmapOffset];
        base.MergeConfiguration(saved, now);
    }

    protected override void ProcessQueue(int index)
    {
        VirtQueue queue = Queues[index];
        int budget = (int)queue.Size;
        ulong bytes = 0;
        bool more;
        do
        {
            queue.DisableDoorbell();
            while (budget > 0 && bytes < TurnBytes && !NeedsReset && TryTakeRequest(index) is { } request)
            {
                request.Queue = index;
                budget--;
                bytes += request.Chain.Readable.Length + request.Chain.Writable.Length;
                Start(request);
            }

            _disk.Commit();
            if (NeedsReset)
            {
                // Still means still: nothing of the requests before the bad one moves from here on.
                DrainRequests();
                return;
            }

            Signal();
            more = budget > 0 && bytes < TurnBytes;
        }
        while (more && !_starved[index] && queue.EnableDoorbell());

        if (!more)
        {
            Ring(index);
        }
    }

    private void OnTimer()
    {
        lock (Gate)
        {
            RingStarved();
        }
    }

    private void OnResults()
    {
        lock (Gate)
        {
            _disk.Settle();
            Signal();
        }
    }

    /// <summary>Takes the next request of a queue; null when there is none, or when as many are under way as can be.</summary>
    private BlockRequest? TryTakeRequest(int index)
    {
        if (_limit?.TimeUntil(1, Stopwatch.GetTimestamp()) is { Ticks: > 0 } wait)
        {
            _starved[index] = true;
            _timer?.Set(wait);
            return null;
        }

        BlockRequest? request = (BlockRequest?)_free.Take() ?? (_made < _capacity ? BlockRequest.Create(_made++) : null);
        _starved[index] = request is null;
        if (request is not null && !TryPop(index, request.Chain))
        {
            _free.Add(request);
            return null;
        }

        if (request is not null)
        {
            _limit?.Take(1);
        }

        return request;
    }

    private void Start(BlockRequest request)
    {
        if (!request.TryBegin(out bool hasHeader))
        {
            Release(request);
            Fail("a request without a place for its status");
        }
        else
        {
            Go(request, _meaning.Begin(request, hasHeader, Features));
        }
    }

    /// <summary>Gives the request to the disk, unless its status is known already.</summary>
    private void Go(BlockRequest request, byte? status)
    {
        if (status is { } known)
        {
            Answer(request, known);
        }
        else
        {
            request.Ask();
            _disk.Submit(request);
        }
    }

    private void OnCompleted(DiskRequest done)
    {
        BlockRequest request = (BlockRequest)done;
        if (request.Error == 0)
        {
            Go(request, _meaning.Continue(request));
            return;
        }

        DriveErrorAction action = _failures.Decide(request);
        if (action == DriveErrorAction.Stop)
        {
            _held.Add(request);
            return;
        }

        Answer(request, action == DriveErrorAction.Ignore ? BlockLayout.StatusOk : BlockLayout.StatusIoError);
    }

    /// <summary>Gives a request back to the driver, unless the device is still.</summary>
    private void Answer(BlockRequest request, byte status)
    {
        Statistics.Count(request, status);
        VirtQueue queue = Queues[request.Queue];
        if (Running && queue.Enabled)
        {
            bool filled = request.Header.Type is BlockLayout.TypeIn or BlockLayout.TypeGetId;
            queue.Push(request.Chain.Head, request.End(status, filled ? (uint)request.Moved : 0));
            queue.Publish();
            _answered[request.Queue] = true;
        }

        Release(request);
    }

    private void Release(BlockRequest request)
    {
        request.Chain.Clear();
        _free.Add(request);
        RingStarved();
    }

    /// <summary>Lets the queues be served again that had to wait for a request to end, or for their time.</summary>
    private void RingStarved()
    {
        for (int i = 0; i < _starved.Length; i++)
        {
            if (_starved[i])
            {
                _starved[i] = false;
                Ring(i);
            }
        }
    }

    /// <summary>Interrupts the driver for what was answered, where it wants that.</summary>
    private void Signal()
    {
        for (int i = 0; i < _answered.Length; i++)
        {
            if (_answered[i])
            {
                _answered[i] = false;
                SignalIfWanted(i);
            }
        }
    }
}
