using System;
using System.Text;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Engine.Memory;

namespace Strato.Engine.Virtio;

/// <summary>virtio-fs: a folder of the host as a file system of the guest (VIRTIO 1.2, 5.11), served by another process over vhost-user.</summary>
/// <remarks>
/// <code>
/// queue 0  requests that may not wait (FORGET, INTERRUPT)     queue 1  all others
/// </code>
/// Both are the other process's from DRIVER_OK on; it reads and writes the guest's memory itself. When it has gone the device waits
/// for a reset, after which it can't do anything but wait for the next one: a folder doesn't come back before the machine's next start.
/// </remarks>
internal sealed class FsDevice : VirtioDevice
{
    /// <summary>Linux makes requests as large as a queue has entries, of a page each.</summary>
    internal const int QueueSize = 1024;

    internal const int RequestQueues = 1;

    /// <summary>struct virtio_fs_config: the tag, padded with zeros, and the number of request queues.</summary>
    internal const int ConfigurationBytes = TagBytes + sizeof(uint);

    private const int TagBytes = 36;
    private const int AllQueues = 1 + RequestQueues;
    private const string Room = "virtio-fs";

    private readonly IVhostUser _vhost;
    private readonly VhostQueues _queues;
    private readonly FileDescriptor _error = Libc.CreateEventFd();
    private EventLoop? _loop;
    private bool _going;

    /// <param name="id">The user's name of the device.</param>
    /// <param name="tag">By which the guest mounts it: 1 to 36 bytes of UTF-8.</param>
    /// <param name="vhost">What serves the queues, with the ring's features that all devices have; the device owns it from now on.</param>
    public FsDevice(string id, string tag, IVhostUser vhost)
        : base(id, VirtioType.FileSystem, 0, [QueueSize, QueueSize], ConfigurationBytes)
    {
        _vhost = vhost;
        _queues = new VhostQueues(vhost, 0, AllQueues);
        Span<byte> configuration = stackalloc byte[ConfigurationBytes];
        configuration.Clear();
        Encoding.UTF8.GetBytes(tag, configuration[..TagBytes]);
        configuration[TagBytes] = RequestQueues;
        SetConfiguration(0, configuration);
    }

    public override bool KernelSignalsQueues => true;

    /// <remarks>virtiofsd knows which files the guest has open, and has no way to tell.</remarks>
    public override string? CannotBeSaved => "a shared folder's open files are virtiofsd's, which can't be saved";

    protected override bool IsKernels(int queue) => true;

    protected override void OnPlug(GuestMemory memory, EventLoop loop)
    {
        _queues.Plug(memory);
        _loop = loop;
        loop.Add(_error.Value, EpollEvents.In, _ => OnError());

        // Replies are read where they are waited for; here it is watched for its end alone.
        loop.Add(_vhost.Descriptor, EpollEvents.None, _ => OnHangUp());
    }

    protected override void ProcessQueue(int index)
    {
    }

    protected override void OnStart() => Go();

    protected override void OnResume() => Go();

    protected override void DrainRequests() => Halt();

    protected override void OnFail() => Halt();

    protected override void OnUnplug(EventLoop loop)
    {
        loop.Remove(_error.Value);
        loop.Remove(_vhost.Descriptor);
    }

    protected override void OnDispose()
    {
        _error.Dispose();
        _vhost.Dispose();
    }

    private void Go()
    {
        if (_going || IsPaused || !_queues.AreEnabled(this))
        {
            return;
        }

        try
        {
            _queues.SetUp(this, InterruptEvent, _error.Value);
            _going = true;
        }
        catch (LinuxException e)
        {
            // The first queue may be served already.
            _vhost.Abandon();
            Fail($"its queues can't be served ({e.Message})");
        }
    }

    private void Halt()
    {
        if (!_going)
        {
            return;
        }

        _going = false;
        try
        {
            _queues.Save(this);
        }
        catch (LinuxException e)
        {
            // Requests under way would be answered into the memory of the next boot.
            _vhost.Abandon();
            Log.Error(Room, $"{Id}: its queues don't come back: {e.Message}");
        }
    }

    private void OnError()
    {
        // A signal from before a reset tells of queues that are gone.
        if (Libc.DrainEventFd(_error.Value) && _going)
        {
            Fail("a queue can't be served");
        }
    }

    private void OnHangUp()
    {
        _loop!.Remove(_vhost.Descriptor);
        lock (Gate)
        {
            // It has gone, or was abandoned: there is nothing to ask it for.
            _going = false;
            Fail("nobody serves the folder any more");
        }
    }
}
