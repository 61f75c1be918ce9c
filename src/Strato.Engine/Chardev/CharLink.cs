using System;

namespace Strato.Engine.Chardev;

/// <summary>A backend that stays while the devices on it come and go (device_add and device_del of a port).</summary>
/// <remarks>
/// For its device it is the backend, whose disposal only parts them; what the host's side sends waits for the next device. On the loop's
/// thread, as far as the backend is.
/// </remarks>
internal sealed class CharLink : ICharBackend, ICharFrontend
{
    private readonly ICharBackend _backend;
    private ICharFrontend? _frontend;
    private bool _closed;

    /// <param name="backend">Not connected yet; owned from now on, until <see cref="Close"/>.</param>
    public CharLink(ICharBackend backend)
    {
        _backend = backend;
        backend.Connect(this);
    }

    public string Name => _backend.Name;

    public int OutputRoom => _backend.OutputRoom;

    public bool HasPeer => _backend.HasPeer;

    /// <summary>Nothing while there is no device.</summary>
    public int Room => _frontend?.Room ?? 0;

    public bool KeepsInput => _frontend?.KeepsInput ?? true;

    public void Connect(ICharFrontend frontend)
    {
        _frontend = frontend;

        // It came behind the peer, who was there perhaps before it.
        frontend.PeerChanged();
        _backend.ResumeInput();
    }

    public bool Transmit(ReadOnlySpan<byte> data) => !_closed && _backend.Transmit(data);

    public void ResumeInput()
    {
        if (!_closed)
        {
            _backend.ResumeInput();
        }
    }

    public void BeginBoot() => _backend.BeginBoot();

    public void Flush(TimeSpan limit)
    {
        if (!_closed)
        {
            _backend.Flush(limit);
        }
    }

    public void Receive(ReadOnlySpan<byte> data) => _frontend?.Receive(data);

    public void OutputServed() => _frontend?.OutputServed();

    public void PeerChanged() => _frontend?.PeerChanged();

    /// <summary>The device has gone.</summary>
    public void Dispose() => _frontend = null;

    /// <summary>Closes the host's side. May be called again.</summary>
    public void Close()
    {
        _closed = true;
        _frontend = null;
        _backend.Dispose();
    }
}
