using System;
using Strato.Engine.Linux;

namespace Strato.Engine.Net;

/// <summary>Where frames of one queue pair of a network device go to and come from. Each stands behind a virtio header of <see cref="VirtioNetHeader.Bytes"/>.</summary>
/// <remarks>Calls never wait. Used by the thread whose loop watches <see cref="Descriptor"/>.</remarks>
internal interface INetBackend : IDisposable
{
    /// <summary>Its name for messages, such as <c>tap0</c>.</summary>
    string Name { get; }

    /// <summary>Readable when frames wait, and writable when a frame that found no room may be sent again.</summary>
    int Descriptor { get; }

    /// <summary>Whether it takes and gives frames with unfinished checksums, and of many segments.</summary>
    bool Offloads { get; }

    /// <summary>Whether a frame may have as many as <see cref="VirtioNetHeader.LargestFrame"/> bytes, whatever the guest takes.</summary>
    bool HasLongFrames { get; }

    /// <summary>Whether frames wait here of which <see cref="Descriptor"/> doesn't tell.</summary>
    bool HasFrames { get; }

    /// <summary>Which unfinished frames the guest takes: TUN_F_… of <see cref="Libc"/>.</summary>
    void SetOffload(uint offload);

    /// <summary>Whether frames are to come by this queue, of several; false with errno on failure. Only the first comes into use by itself.</summary>
    bool TryUse(bool used);

    /// <summary>Receives one frame with its header; how many bytes, cut to the room; 0 when the other side has gone, -1 with errno on failure (EAGAIN: none waits).</summary>
    nint Receive(ReadOnlySpan<Libc.iovec> room);

    /// <summary>Sends one frame with its header; -1 with errno on failure (EAGAIN: no room now).</summary>
    nint Send(ReadOnlySpan<Libc.iovec> frame);

    /// <summary>Sends the rest of what went in part; false when there still is some, for which the descriptor has to be writable.</summary>
    bool TryFlush();
}
