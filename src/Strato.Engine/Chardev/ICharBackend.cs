using System;

namespace Strato.Engine.Chardev;

/// <summary>The host's side of a character device: where a guest's serial port or console port leads.</summary>
/// <remarks>
/// Output flows from vCPU threads and is never held up: each backend queues it in a bounded ring, from which the
/// main loop writes, and drops the oldest when the host doesn't keep up. Input flows on the main loop and is held back
/// at its source while the front end has no room, so that none is lost but what the guest itself throws away.
/// </remarks>
internal interface ICharBackend : IDisposable
{
    /// <summary>What it is, for the log and for QMP: <c>pty:/dev/pts/3</c>, <c>stdio</c>, <c>file:PATH</c> …</summary>
    string Name { get; }

    /// <summary>Joins the device. Input flows from here on. Once, before the loop runs or on its thread.</summary>
    void Connect(ICharFrontend frontend);

    /// <summary>Takes output of the guest. Never blocks. From any thread, but only one at a time: the device sees to that.</summary>
    /// <returns>Whether <see cref="ICharFrontend.OutputServed"/> will follow; without, it need not be waited for.</returns>
    bool Transmit(ReadOnlySpan<byte> data);

    /// <summary>Says that the front end, whose <see cref="ICharFrontend.Room"/> was 0, has room again. From any thread; never blocks.</summary>
    void ResumeInput();

    /// <summary>The machine was reset: what is transmitted from here on is a new boot's. On the loop's thread, when the vCPUs have stopped.</summary>
    void BeginBoot()
    {
    }

    /// <summary>Bytes that <see cref="Transmit"/> takes now without dropping others. On the loop's thread, for devices that can wait.</summary>
    /// <remarks>After a 0, <see cref="ICharFrontend.OutputServed"/> or <see cref="ICharFrontend.PeerChanged"/> follows when there is room again.</remarks>
    int OutputRoom => int.MaxValue;

    /// <summary>Whether somebody is there to read and write. On the loop's thread.</summary>
    bool HasPeer => true;

    /// <summary>Writes what is queued, waiting for slow peers no longer than the limit. On the loop's thread, when the vCPUs have stopped.</summary>
    void Flush(TimeSpan limit);
}
