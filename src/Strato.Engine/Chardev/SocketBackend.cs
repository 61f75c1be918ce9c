using System;
using System.Collections.Generic;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Chardev;

/// <summary>A listening unix socket that serves one connection at a time; the next waits until the one before has gone.</summary>
/// <remarks>
/// Output while nobody is connected is dropped. Input that a peer sent before it went still reaches the guest, before that of the next, unless
/// nobody there listens (<see cref="ICharFrontend.KeepsInput"/>).
/// </remarks>
internal sealed class SocketBackend : ICharBackend
{
    private const int RingSize = 64 * 1024;

    /// <summary>Connections that may wait; one more is closed at once.</summary>
    private const int MaxWaiting = 8;

    /// <summary>Peers that have gone and left input behind; of one more the oldest is given up.</summary>
    private const int MaxLeft = 8;

    private readonly EventLoop _loop;
    private readonly OutputFeed _feed;
    private readonly UnixListener _listener;
    private readonly Queue<FileDescriptor> _waiting = new();
    private readonly List<SocketPeer> _left = [];
    private readonly RateLimit _refusals = new();
    private InputQueue? _inputs;
    private SocketPeer? _peer;
    private bool _disposed;

    /// <param name="loop">The main loop.</param>
    /// <param name="path">Where to listen.</param>
    /// <param name="where">The option or field that gave the path, for errors.</param>
    /// <exception cref="UserErrorException">The path can't be listened on.</exception>
    public SocketBackend(EventLoop loop, string path, string where)
    {
        _loop = loop;
        _listener = UnixListener.Create(loop, path, where, OnAccepted);
        _feed = new OutputFeed(loop, RingSize, () => _peer?.Drain());
    }

    public string Name => $"unix:{_listener.Path},server";

    public bool HasPeer => _peer is not null;

    public int OutputRoom => _peer is null ? int.MaxValue : Math.Min(_feed.Room, (int)Math.Max(0, _feed.Ring.Capacity - _peer.Pending));

    public void Connect(ICharFrontend frontend)
    {
        _feed.Frontend = frontend;
        _inputs = new InputQueue(_loop, frontend);
        Next();
    }

    public bool Transmit(ReadOnlySpan<byte> data)
    {
        _feed.Write(data);
        return true;
    }

    public void ResumeInput() => _inputs?.PostResume();

    public void Flush(TimeSpan limit) => _peer?.Flush(Deadline.After(limit));

    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _listener.Dispose();
        _feed.Dispose();
        while (_waiting.TryDequeue(out FileDescriptor? waiting))
        {
            waiting.Dispose();
        }

        _peer?.Dispose();
        foreach (SocketPeer peer in _left)
        {
            peer.Dispose();
        }
    }

    private void OnAccepted(FileDescriptor socket)
    {
        if (_waiting.Count == MaxWaiting)
        {
            _refusals.Warn("serial", () => $"a connection to {_listener.Path} is refused: {MaxWaiting} wait for the one that is served");
            socket.Dispose();
            return;
        }

        _waiting.Enqueue(socket);
        Next();
    }

    private void Next()
    {
        while (_peer is null && _inputs is not null && _waiting.TryDequeue(out FileDescriptor? socket))
        {
            SocketPeer peer;
            try
            {
                peer = new SocketPeer(_loop, socket, OnChanged);
            }
            catch (LinuxException error)
            {
                // This connection's trouble, and not the machine's.
                _refusals.Warn("serial", () => $"a connection to {_listener.Path} is refused: {error.Message}");
                socket.Dispose();
                continue;
            }

            _peer = peer;
            peer.Stream(_feed.Ring, _feed.Ring.End, _inputs);
            _feed.Frontend?.PeerChanged();
        }
    }

    private void OnChanged(SocketPeer peer)
    {
        if (_disposed)
        {
            return;
        }

        if (!peer.Gone)
        {
            _feed.Frontend?.PeerChanged();
            return;
        }

        if (_peer == peer)
        {
            _peer = null;
            if (_feed.Frontend?.KeepsInput == false)
            {
                peer.Dispose();
            }

            _left.Add(peer);
            if (_left.Count > MaxLeft)
            {
                SocketPeer oldest = _left[0];
                _left.RemoveAt(0);
                oldest.Dispose();
            }
        }

        if (peer.Finished)
        {
            _left.Remove(peer);
            peer.Dispose();
        }

        _feed.Frontend?.PeerChanged();
        Next();
    }
}
