using System;
using System.Diagnostics;
using Strato.Engine.Chardev;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Engine.Virtio.Queue;

namespace Strato.Engine.Virtio;

/// <summary>virtio-rng: random bytes of the host (VIRTIO 1.2, 5.4). A request is room for bytes; it is answered with one byte or more.</summary>
/// <remarks>
/// The source is read ahead, some KiB at a time: Linux asks for a few bytes a request. No request gets more than that, so a
/// driver that gives the device gigabytes doesn't keep the loop from its other work. Where the limit or the source has nothing
/// now, requests stay in the queue and a timer goes on with them.
/// </remarks>
internal sealed class RngDevice(string id, EntropySource source, TokenBucket? limit = null)
    : VirtioDevice(id, VirtioType.Entropy, features: 0, [QueueSize], configurationBytes: 0)
{
    internal const int QueueSize = 256;

    /// <summary>Most bytes of one request.</summary>
    internal const int Ahead = 4096;

    /// <summary>Bytes that are worth a wake-up, where the limit allows as many.</summary>
    private const int WorthWaking = 64;

    private const string Room = "virtio-rng";

    private static readonly TimeSpan SourceRetry = TimeSpan.FromMilliseconds(10);

    private readonly byte[] _bytes = new byte[Ahead];
    private readonly DescriptorChain _chain = new();
    private readonly RateLimit _log = new();
    private LoopTimer? _timer;
    private int _first;
    private int _end;
    private long _allowed = long.MaxValue;
    private TimeSpan _wait;

    protected override void OnPlug(GuestMemory memory, EventLoop loop) => _timer = new LoopTimer(loop, () => Ring(0));

    protected override void ProcessQueue(int index) => ServeRequests(index, _chain);

    protected override bool CanServe(int index)
    {
        _wait = _first == _end && !TryFill() ? SourceRetry : WaitForLimit();
        return _wait == TimeSpan.Zero;
    }

    protected override void RingLater(int index) => _timer!.Set(_wait);

    protected override uint Serve(int index, DescriptorChain chain)
    {
        int count = (int)ulong.Min(chain.Writable.Length, (ulong)long.Min(_end - _first, _allowed));
        if (count == 0)
        {
            Fail("a request without room for a byte");
            return 0;
        }

        // What the guest got is nobody else's.
        Span<byte> given = _bytes.AsSpan(_first, count);
        chain.Writable.Write(given);
        given.Clear(); // Nobody else is to get them.
        _first += count;
        limit?.Take(count);
        return (uint)count;
    }

    protected override void OnDispose()
    {
        _timer?.Dispose();
        source.Dispose();
    }

    private bool TryFill()
    {
        nint count = source.Read(_bytes);
        if (count > 0)
        {
            (_first, _end) = (0, (int)count);
            return true;
        }

        Complain(count < 0 ? Errno.Last : 0);
        return false;
    }

    private void Complain(int errno)
    {
        if (errno != Errno.EAGAIN)
        {
            _log.Warn(Room, () => $"{Id}: '{source.Path}' gives no bytes: {(errno == 0 ? "it has ended" : Errno.Text(errno))}; the guest waits");
        }
    }

    private TimeSpan WaitForLimit()
    {
        if (limit is null)
        {
            return TimeSpan.Zero;
        }

        long now = Stopwatch.GetTimestamp();
        _allowed = limit.Available(now);
        return limit.TimeUntil(WorthWaking, now);
    }
}
