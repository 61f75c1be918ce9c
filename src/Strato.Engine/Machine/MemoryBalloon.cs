using System;
using System.Globalization;
using Strato.Engine.Linux;
using Strato.Engine.Virtio;

namespace Strato.Engine.Machine;

/// <summary>The machine's balloon as a user sees it: how much memory the guest has. On the loop's thread.</summary>
internal sealed class MemoryBalloon : IDisposable
{
    /// <summary>As in QEMU: a guest that fills or empties its balloon changes it hundreds of times a second.</summary>
    private static readonly TimeSpan BetweenEvents = TimeSpan.FromSeconds(1);

    private readonly BalloonDevice _device;
    private readonly long _memory;
    private readonly LoopTimer _timer;
    private bool _resting;
    private bool _changed;

    /// <param name="device">The device, which stays its owner's.</param>
    /// <param name="memory">Bytes of memory that the machine was given.</param>
    /// <param name="loop">The main loop.</param>
    public MemoryBalloon(BalloonDevice device, long memory, EventLoop loop)
    {
        _device = device;
        _memory = memory;
        _timer = new LoopTimer(loop, OnTimer);
        device.Changed = OnChanged;
    }

    /// <summary>What is told of a change, at most once a second; the last one is never left out.</summary>
    public Action<MachineEvent> EventRaised { get; set; } = _ => { };

    public string Id => _device.Id;

    /// <summary>Bytes that the guest has now.</summary>
    public long Actual => Math.Max(0, _memory - _device.Given);

    public BalloonStatistics Statistics => _device.Statistics;

    /// <summary>Asks the guest to have so many bytes, at most what the machine was given. It follows as it can.</summary>
    public void SetTarget(long bytes) => _device.SetTarget(_memory - Math.Min(bytes, _memory));

    public void Dispose() => _timer.Dispose();

    private void OnChanged()
    {
        _changed = true;
        if (!_resting)
        {
            Raise();
        }
    }

    private void OnTimer()
    {
        _resting = false;
        if (_changed)
        {
            Raise();
        }
    }

    private void Raise()
    {
        _changed = false;
        _resting = true;
        _timer.Set(BetweenEvents);
        EventRaised(new MachineEvent("BALLOON_CHANGED", string.Create(CultureInfo.InvariantCulture, $$"""{"actual":{{Actual}}}""")));
    }
}
