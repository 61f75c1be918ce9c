using System;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Threading;
using Strato.Engine.Memory;
using Strato.Engine.Virtio.Queue;
using Xunit;

namespace Strato.Tests.Unit.Virtio;

/// <summary>Both sides of a queue with EVENT_IDX on threads of their own: whoever goes to sleep is woken.</summary>
/// <remarks>
/// One request is under way at a time, so each falls into the moment in which the sleeper decides to sleep; random delays
/// of the driver move the two sides against each other. Without the device's StoreLoad barrier its load overtakes its
/// store, a notification is lost, both sides wait for ever, and the sleeper's time limit says so. Alone that is a matter
/// of nanoseconds; so the device, as one that has just moved data, has a processor's store buffer full of writes to
/// memory that no cache holds: its store has to wait behind them, and the load doesn't.
/// </remarks>
public sealed class NotificationStressTests : IDisposable
{
    private const int Size = 4;
    private const int Rounds = 50_000;
    private const ulong Table = 0x1000;
    private const ulong Available = 0x2000;
    private const ulong Used = 0x3000;
    private const ulong Buffer = 0x4000;
    private const ulong Cold = 1 << 20;
    private const int ColdBytes = 64 << 20;
    private const int ColdWrites = 40;

    // A lost notification never comes; a machine that is busy with other work holds it up by much less than this.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly GuestMemory _memory = GuestMemory.Allocate([(0, Cold + ColdBytes)]);
    private readonly DescriptorChain _chain = new();
    private readonly VirtQueue _queue;
    private readonly Random _random = new(1);
    private uint _coldPlace;
    private int _rung;
    private string? _failure;

    public NotificationStressTests()
    {
        _queue = new VirtQueue(_memory, Size) { Size = Size, DescriptorTable = Table, AvailableRing = Available, UsedRing = Used };
        Assert.True(_queue.TryEnable(eventIndex: true, indirect: false));

        // Descriptor 0 is the one request, and every entry of the available ring says 0 from the beginning.
        Assert.True(_memory.TryWrite(Table, Buffer));
        Assert.True(_memory.TryWrite(Table + 8, 16u));
        Ram(Cold, ColdBytes).Fill(1);
    }

    public void Dispose() => _memory.Dispose();

    [Fact]
    public void ADeviceThatSleepsIsRung() => Run(RingingDevice, RingingDriver);

    [Fact]
    public void ADriverThatSleepsIsInterrupted() => Run(InterruptingDevice, InterruptedDriver);

    /// <summary>Serves what there is, and sleeps until it is rung.</summary>
    private void RingingDevice()
    {
        for (int done = 0; done < Rounds && !Failed;)
        {
            if (_queue.Pop(_chain) == PopResult.Chain)
            {
                _queue.Push(_chain.Head, 0);
                _queue.Publish();
                done++;
                FillStoreBuffer();
            }
            else if (!_queue.EnableDoorbell())
            {
                Sleep("the device");
            }
        }
    }

    /// <summary>Rings only when the device's event says so, and waits for its answer.</summary>
    private void RingingDriver()
    {
        ref ushort availableIndex = ref Field(Available + RingLayout.IndexOffset);
        ref ushort availableEvent = ref Field(Used + (ulong)RingLayout.AvailableEventOffset(Size));
        for (int i = 0; i < Rounds && !Failed; i++)
        {
            Delay();
            Volatile.Write(ref availableIndex, (ushort)(i + 1));
            Interlocked.MemoryBarrier();
            if (RingLayout.Passed(Volatile.Read(ref availableEvent), (ushort)(i + 1), (ushort)i))
            {
                Ring();
            }

            WaitUntil(() => UsedIndex == (ushort)(i + 1), Patience * 2, () => "no request is served");
        }
    }

    /// <summary>Looks for requests without sleeping, and interrupts only when the driver's event says so.</summary>
    private void InterruptingDevice()
    {
        for (int done = 0; done < Rounds && !Failed; done++)
        {
            WaitUntil(() => _queue.Pop(_chain) == PopResult.Chain, Patience * 2, () => "no request comes");
            _queue.Push(_chain.Head, 0);
            FillStoreBuffer();
            _queue.Publish();
            if (_queue.TakeInterrupt())
            {
                Ring();
            }
        }
    }

    /// <summary>Sleeps until it is interrupted, unless the answer was there first.</summary>
    private void InterruptedDriver()
    {
        ref ushort availableIndex = ref Field(Available + RingLayout.IndexOffset);
        ref ushort usedEvent = ref Field(Available + (ulong)RingLayout.UsedEventOffset(Size));
        ref ushort usedIndex = ref Field(Used + RingLayout.IndexOffset);
        for (int i = 0; i < Rounds && !Failed; i++)
        {
            Volatile.Write(ref availableIndex, (ushort)(i + 1));
            Delay();
            while (Volatile.Read(ref usedIndex) == (ushort)i && !Failed)
            {
                Volatile.Write(ref usedEvent, (ushort)i);
                Interlocked.MemoryBarrier();
                if (Volatile.Read(ref usedIndex) == (ushort)i)
                {
                    Sleep("the driver");
                }
            }
        }
    }

    private bool Failed => Volatile.Read(ref _failure) is not null;

    private ushort UsedIndex => Volatile.Read(ref Field(Used + RingLayout.IndexOffset));

    private void Run(Action device, Action driver)
    {
        Thread other = new(() => device());
        other.Start();
        driver();
        other.Join();
        Assert.Null(_failure);
    }

    /// <summary>Up to some microseconds, another time each time.</summary>
    private void Delay()
    {
        for (int i = _random.Next(1000); i > 0; i--)
        {
            _ = Volatile.Read(ref i);
        }
    }

    private void FillStoreBuffer()
    {
        Span<byte> cold = Ram(Cold, ColdBytes);
        for (int i = 0; i < ColdWrites; i++)
        {
            _coldPlace = (_coldPlace * 1_664_525) + 1_013_904_223;
            cold[(int)(_coldPlace % ColdBytes)] = 0;
        }
    }

    private void Ring() => Interlocked.Exchange(ref _rung, 1);

    /// <summary>Until the other side rings, for which its index has to have passed the sleeper's event.</summary>
    private void Sleep(string who) => WaitUntil(
        () => Interlocked.Exchange(ref _rung, 0) == 1,
        Patience,
        () => $"{who} isn't woken: available index {Field(Available + RingLayout.IndexOffset)}, avail_event {Field(Used + (ulong)RingLayout.AvailableEventOffset(Size))},"
            + $" used index {UsedIndex}, used_event {Field(Available + (ulong)RingLayout.UsedEventOffset(Size))}");

    /// <summary>Until the condition is true; the time limit makes it a failure, and a failure ends all waiting.</summary>
    private void WaitUntil(Func<bool> condition, TimeSpan limit, Func<string> failure)
    {
        long start = Stopwatch.GetTimestamp();
        for (int turns = 0; !condition() && !Failed; turns++)
        {
            // Both sides have to be awake at once to race; the processor is only given up when the other seems to need it.
            if (turns % 1000 == 999)
            {
                Thread.Yield();
                if (Stopwatch.GetElapsedTime(start) > limit)
                {
                    Interlocked.CompareExchange(ref _failure, failure(), null);
                }
            }
        }
    }

    // Fields of the rings are read and written in place: a look-up of the address between would hide the race.
    private ref ushort Field(ulong address) => ref MemoryMarshal.AsRef<ushort>(Ram(address, sizeof(ushort)));

    private Span<byte> Ram(ulong address, int length) =>
        _memory.TryGetSpan(address, length, out Span<byte> span) ? span : throw new ArgumentOutOfRangeException(nameof(address));
}
