using System;
using System.Threading;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Engine.Virtio.Queue;

namespace Strato.Engine.Virtio;

/// <summary>What all virtio devices have: features, configuration space, queues with doorbells, start and stop.</summary>
/// <remarks>
/// Threads: registers are written on vCPU threads (one at a time: the transport's lock); queues are served on the loop
/// the device is plugged into. The gate stands between them: the loop holds it while it serves a queue, and whoever
/// starts, stops, pauses or resets takes it, so that when a reset returns the device touches guest memory no more (the
/// driver may reuse its buffers at once). Order of locks: the transport's, then the gate, then the configuration's.
/// A device overrides <see cref="ProcessQueue"/> and little else. Whatever the guest does, nothing here throws.
/// </remarks>
internal abstract partial class VirtioDevice : IDisposable
{
    private const string Room = "virtio";

    private readonly Lock _gate = new();
    private readonly Lock _configurationLock = new();
    private readonly RateLimit _misuse = new();
    private readonly int[] _queueSizes;
    private readonly byte[] _configuration;
    private VirtQueue[] _queues = [];
    private FileDescriptor[] _doorbells = [];
    private IVirtioInterrupts? _interrupts;
    private GuestMemory? _memory;
    private EventLoop? _loop;
    private volatile bool _running;
    private bool _paused;
    private bool _disposed;
    private bool _replaced;
    private volatile bool _needsReset;
    private int _generation;
    private int _seenGeneration;

    /// <param name="id">The user's name of the device, for messages.</param>
    /// <param name="type">One of <see cref="VirtioType"/>.</param>
    /// <param name="features">Features of this kind of device; those of queue and transport are added.</param>
    /// <param name="queueSizes">Largest size of each queue, powers of two.</param>
    /// <param name="configurationBytes">Bytes of the configuration space.</param>
    protected VirtioDevice(string id, uint type, ulong features, ReadOnlySpan<int> queueSizes, int configurationBytes)
    {
        Id = id;
        Type = type;
        OfferedFeatures = features | VirtioFeature.Common;
        _queueSizes = queueSizes.ToArray();
        _configuration = new byte[configurationBytes];
    }

    public string Id { get; }

    public uint Type { get; }

    /// <summary>In a place where another device was before: what that one offered, for the driver asks once.</summary>
    public ulong OfferedFeatures { get; private set; }

    /// <summary>What the driver took of the offer; 0 until it said FEATURES_OK.</summary>
    public ulong Features { get; private set; }

    public ReadOnlySpan<VirtQueue> Queues => _queues;

    /// <summary>Whether the host has paused the device: it starts when that ends.</summary>
    protected bool IsPaused => _paused;

    /// <summary>The eventfd that interrupts the driver for a queue without us, for vhost.</summary>
    protected int InterruptEvent => _interrupts!.QueueEvent;

    /// <summary>Whether the driver broke the rules: the device is still and waits for its reset.</summary>
    public bool NeedsReset => _needsReset;

    /// <summary>Changes with every change of the configuration space.</summary>
    public uint ConfigurationGeneration => (uint)Volatile.Read(ref _generation);

    /// <summary>Whether the driver has read the configuration space since it changed last.</summary>
    public bool IsConfigurationSeen => Volatile.Read(ref _seenGeneration) == Volatile.Read(ref _generation);

    /// <summary>Whether interrupts for queues are raised by the kernel (vhost), so that no InterruptStatus of ours knows of them.</summary>
    public virtual bool KernelSignalsQueues => false;

    /// <summary>Connects the device to its transport. Before the loop runs, or on the loop's thread; once.</summary>
    public void Plug(GuestMemory memory, EventLoop loop, IVirtioInterrupts interrupts)
    {
        _memory = memory;
        _interrupts = interrupts;
        _queues = new VirtQueue[_queueSizes.Length];
        _doorbells = new FileDescriptor[_queueSizes.Length];
        for (int i = 0; i < _queueSizes.Length; i++)
        {
            _queues[i] = new VirtQueue(memory, _queueSizes[i]);
            _doorbells[i] = Libc.CreateEventFd();
        }

        Join(loop);
    }

    /// <summary>Gives this device's place to another that offers the same queues: with them, their doorbells, and all that the driver said. Then this one is only to be disposed, or to be given the place back.</summary>
    /// <remarks>
    /// With the transport's registers locked, from any thread. What is under way is finished first, and what is held back answered.
    /// The other device isn't served yet: <see cref="Enter"/>.
    /// </remarks>
    public void HandOver(VirtioDevice next)
    {
        EventLoop loop = _loop!;
        loop.Invoke(() => Leave(loop));
        lock (_gate)
        {
            DrainRequests();
            OnHandOver();
            next.TakeOver(this);
            _running = false;
            _replaced = true;
        }
    }

    /// <summary>After <see cref="HandOver"/>: the device is served from now on, and the driver is told to look at its configuration. On the loop's thread.</summary>
    /// <exception cref="LinuxException">The host refuses; the device's place can be given to another.</exception>
    public void Enter(EventLoop loop)
    {
        Join(loop);
        lock (_gate)
        {
            if (_running)
            {
                OnEnter();
                _interrupts?.SignalConfiguration();
            }
        }

        RingAll();
    }

    /// <summary>The eventfd that starts the service of a queue; the same for the device that has this one's place now.</summary>
    public int DoorbellEvent(int queue) => _doorbells[queue].Value;

    /// <summary>Whether the device can work with these features; called once per handshake.</summary>
    public bool TryAccept(ulong driverFeatures)
    {
        if ((driverFeatures & ~OfferedFeatures) != 0 || (driverFeatures & VirtioFeature.Version1) == 0 || !Fits(driverFeatures))
        {
            return false;
        }

        Features = driverFeatures;
        return true;
    }

    /// <summary>Makes a queue ready as the driver set it up; a queue that can't work puts the device into NEEDS_RESET.</summary>
    public void EnableQueue(int index)
    {
        VirtQueue queue = _queues[index];
        if (!queue.TryEnable((Features & VirtioFeature.EventIndex) != 0, (Features & VirtioFeature.IndirectDescriptors) != 0))
        {
            FailQueue(index);
        }
    }

    /// <summary>Stops a queue; when this returns its memory isn't touched any more.</summary>
    public void DisableQueue(int index)
    {
        lock (_gate)
        {
            DrainRequests();
            OnDiscard();
            _queues[index].Disable();
        }
    }

    /// <summary>The driver is ready (DRIVER_OK).</summary>
    public void Start()
    {
        lock (_gate)
        {
            if (_needsReset)
            {
                _interrupts?.SignalConfiguration();
                return;
            }

            _running = true;
            OnStart();
        }

        // What was made available before counts, whether its doorbell was heard or not.
        RingAll();
    }

    /// <summary>The driver has given up (FAILED): nothing more is served until a reset.</summary>
    public void Stop()
    {
        lock (_gate)
        {
            DrainRequests();
            OnDiscard();
            _running = false;
        }
    }

    /// <summary>Back to the state of power-on. When this returns, no guest memory is touched any more.</summary>
    public void Reset()
    {
        lock (_gate)
        {
            DrainRequests();
            OnDiscard();
            _running = false;
            _needsReset = false;
            Features = 0;
            foreach (VirtQueue queue in _queues)
            {
                queue.Reset();
            }

            OnReset();
        }
    }

    /// <summary>Until <see cref="Resume"/> no queue is served; when this returns, none is being served and no request is under way.</summary>
    public void Quiesce()
    {
        lock (_gate)
        {
            _paused = true;
            DrainRequests();
        }
    }

    /// <summary>Ends <see cref="Quiesce"/>; doorbells that rang meanwhile are heard now.</summary>
    public void Resume()
    {
        lock (_gate)
        {
            _paused = false;
            if (_running)
            {
                OnResume();
                TellRestored();
            }
        }

        RingAll();
    }

    /// <summary>Reads of the configuration space, any width; what lies beyond it is zeros.</summary>
    public void ReadConfiguration(ulong offset, Span<byte> data)
    {
        data.Clear();
        if (offset < (ulong)_configuration.Length)
        {
            int start = (int)offset;
            int count = Math.Min(data.Length, _configuration.Length - start);
            lock (_configurationLock)
            {
                _configuration.AsSpan(start, count).CopyTo(data);
                Volatile.Write(ref _seenGeneration, _generation);
            }
        }
    }

    /// <summary>Writes to the configuration space; most devices have nothing to write.</summary>
    /// <returns>Whether the device has something there that can be written.</returns>
    public virtual bool WriteConfiguration(ulong offset, ReadOnlySpan<byte> data) => false;

    /// <summary>Finishes what is under way and leaves the loop. On the loop's thread, or when the loop runs no more. May be called again: machine and transport both own a device.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        lock (_gate)
        {
            DrainRequests();
            _running = false;
        }

        if (_loop is { } loop)
        {
            Leave(loop);
        }

        // A vCPU may be about to ring one that it took from here before the device was replaced.
        if (!_replaced)
        {
            Array.ForEach(_doorbells, doorbell => doorbell.Dispose());
            _doorbells = [];
        }

        OnDispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Held while the device works, by whoever lets it: for results that come outside <see cref="ProcessQueue"/>.</summary>
    protected Lock Gate => _gate;

    /// <summary>Whether the driver is ready and hasn't broken a rule. Under the gate.</summary>
    protected bool Running => _running;

    /// <summary>Ends what <see cref="OnPlug"/> began.</summary>
    protected virtual void OnUnplug(EventLoop loop)
    {
    }

    /// <summary>Serves a queue whose doorbell rang, on the loop, under the gate. It may find nothing there.</summary>
    protected abstract void ProcessQueue(int index);

    /// <summary>Whether the device can work with a set of offered features; where one needs another.</summary>
    protected virtual bool Fits(ulong features) => true;

    /// <summary>Whether the kernel serves a queue (vhost), and hears its doorbell in the loop's place.</summary>
    protected virtual bool IsKernels(int queue) => false;

    /// <summary>The device has its queues and the loop that serves them.</summary>
    protected virtual void OnPlug(GuestMemory memory, EventLoop loop)
    {
    }

    /// <summary>The driver is ready; queues are enabled and features settled. Under the gate.</summary>
    protected virtual void OnStart()
    {
    }

    /// <summary>The device comes in another's place, whose driver is ready: as <see cref="OnStart"/>, but what the host refuses is thrown. Under the gate.</summary>
    /// <exception cref="LinuxException">The host refuses.</exception>
    protected virtual void OnEnter() => OnStart();

    /// <summary>The device broke off and waits for its reset: what works by itself is stopped. Under the gate.</summary>
    protected virtual void OnFail()
    {
    }

    /// <summary>Forget what the driver said. Under the gate; queues are reset already.</summary>
    protected virtual void OnReset()
    {
    }

    /// <summary>Another device comes in this one's place: what is held back is answered. Under the gate, with nothing under way.</summary>
    protected virtual void OnHandOver()
    {
    }

    /// <summary>The device comes in another's place: what of that one's state the driver counts on. Under the other's gate.</summary>
    protected virtual void OnTakeOver(VirtioDevice previous)
    {
    }

    /// <summary>Waits until no request is under way outside the gate, for a device with asynchronous ones. Under the gate.</summary>
    protected virtual void DrainRequests()
    {
    }

    /// <summary>A running device goes on after <see cref="Quiesce"/>; what is held back since is tried again. Under the gate.</summary>
    protected virtual void OnResume()
    {
    }

    /// <summary>Forget what is held back: the driver has taken its buffers away. Under the gate.</summary>
    protected virtual void OnDiscard()
    {
    }

    protected virtual void OnDispose()
    {
    }

    /// <summary>Whether <see cref="ServeRequests"/> may take one more request, if there is one.</summary>
    protected virtual bool CanServe(int index) => true;

    /// <summary>Requests wait that <see cref="CanServe"/> held back: <see cref="Ring"/> when they can be served.</summary>
    protected virtual void RingLater(int index)
    {
    }

    /// <summary>Answers one request of <see cref="ServeRequests"/>: how many bytes were written from the front of its writable buffers.</summary>
    /// <remarks>After <see cref="Fail"/> the answer isn't looked at.</remarks>
    protected virtual uint Serve(int index, DescriptorChain chain) => 0;

    /// <summary>The usual <see cref="ProcessQueue"/> of a device that answers requests one by one: <see cref="Serve"/> for each.</summary>
    /// <remarks>
    /// At most a queue's worth at a time: a driver that adds requests as fast as they are served can't keep the loop
    /// from its other work. Each answer is visible at once, and interrupts come when the driver asked for one.
    /// </remarks>
    protected void ServeRequests(int index, DescriptorChain chain)
    {
        VirtQueue queue = _queues[index];
        int budget = (int)queue.Size;
        bool able = true;
        bool more;
        do
        {
            queue.DisableDoorbell();
            while (budget > 0 && (able = CanServe(index)) && TryPop(index, chain))
            {
                uint written = Serve(index, chain);
                if (_needsReset)
                {
                    return;
                }

                queue.Push(chain.Head, written);
                queue.Publish();
                budget--;
            }

            if (_needsReset)
            {
                return;
            }

            SignalIfWanted(index);
            more = budget == 0 || queue.EnableDoorbell();
        }
        while (more && able && budget > 0);

        if (more && able)
        {
            Ring(index);
        }
        else if (more)
        {
            RingLater(index);
        }
    }

    /// <summary>Serves a queue now, for work that came from the host's side. On the loop; false when the queue isn't to be served: its doorbell rings when it is.</summary>
    protected bool TryServe(int index)
    {
        lock (_gate)
        {
            bool able = _running && !_paused && _queues[index].Enabled;
            if (able)
            {
                ProcessQueue(index);
            }

            return able;
        }
    }

    /// <summary>Has a queue served soon, as if its doorbell had rung. From any thread.</summary>
    protected void Ring(int index) => Libc.SignalEventFd(_doorbells[index].Value);

    /// <summary>Takes the next request of a queue; a broken queue puts the device into NEEDS_RESET.</summary>
    protected bool TryPop(int index, DescriptorChain chain)
    {
        PopResult result = _queues[index].Pop(chain);
        if (result == PopResult.Fault)
        {
            FailQueue(index);
        }

        return result == PopResult.Chain;
    }

    /// <summary>As <see cref="TryPop"/>; where there is no request, the doorbell is heard from here on.</summary>
    protected bool TryPopOrWait(int index, DescriptorChain chain)
    {
        bool taken = TryPop(index, chain);
        while (!taken && !_needsReset && _queues[index].EnableDoorbell())
        {
            taken = TryPop(index, chain);
        }

        return taken;
    }

    /// <summary>Interrupts the driver if it wants to know of what was published.</summary>
    protected void SignalIfWanted(int index)
    {
        if (_queues[index].TakeInterrupt())
        {
            _interrupts?.SignalQueue(index);
        }
    }

    /// <summary>The driver broke the rules, or the host doesn't let the device work: it goes still, says NEEDS_RESET, and logs (rate limited).</summary>
    protected internal void Fail(string what)
    {
        lock (_gate)
        {
            bool driverOk = _running;
            _running = false;
            _needsReset = true;
            OnFail();
            _misuse.Warn(Room, () => $"{Id}: {what}; the device waits for a reset");
            if (driverOk)
            {
                // 2.1.2: once DRIVER_OK is set, NEEDS_RESET is announced.
                _interrupts?.SignalConfiguration();
            }
        }
    }

    /// <summary>Changes the configuration space from the host's side, and tells the driver if there is one.</summary>
    protected void SetConfiguration(int offset, ReadOnlySpan<byte> data)
    {
        lock (_configurationLock)
        {
            data.CopyTo(_configuration.AsSpan(offset));
            Volatile.Write(ref _generation, _generation + 1);
        }

        if (_running)
        {
            _interrupts?.SignalConfiguration();
        }
    }

    /// <summary>A queue is broken, as its <see cref="VirtQueue.Fault"/> says: NEEDS_RESET.</summary>
    protected void FailQueue(int index) => Fail($"queue {index}: {_queues[index].Fault.Describe(_queues[index].FaultValue)}");

    private void Join(EventLoop loop)
    {
        _loop = loop;
        for (int i = 0; i < _doorbells.Length; i++)
        {
            int index = i;
            if (!IsKernels(i))
            {
                // By its edge: each ring wakes the loop once, and nobody has to read the counter back to zero.
                loop.Add(_doorbells[i].Value, EpollEvents.In | EpollEvents.EdgeTriggered, _ => OnDoorbell(index));
            }
        }

        OnPlug(_memory!, loop);
    }

    private void Leave(EventLoop loop)
    {
        OnUnplug(loop);
        foreach (FileDescriptor doorbell in _doorbells)
        {
            loop.Remove(doorbell.Value);
        }

        _loop = null;
    }

    private void TakeOver(VirtioDevice previous)
    {
        _memory = previous._memory;
        _interrupts = previous._interrupts;
        _queues = previous._queues;
        _doorbells = previous._doorbells;
        OfferedFeatures = previous.OfferedFeatures;
        Features = previous.Features;
        _paused = previous._paused;
        _needsReset = previous._needsReset;
        _running = previous._running;
        _replaced = false;
        Volatile.Write(ref _generation, previous._generation + _generation + 1);
        OnTakeOver(previous);
    }

    /// <summary>Serves the queue; a doorbell that comes while paused or stopped is answered by Resume and Start, which ring all.</summary>
    private void OnDoorbell(int index) => _ = TryServe(index);

    private void RingAll()
    {
        foreach (FileDescriptor doorbell in _doorbells)
        {
            Libc.SignalEventFd(doorbell.Value);
        }
    }
}
