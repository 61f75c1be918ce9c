using System;

namespace Strato.Engine.Chardev;

/// <summary>The guest's side of a character device, as its backend sees it. Used on the main loop's thread.</summary>
internal interface ICharFrontend
{
    /// <summary>Bytes that <see cref="Receive"/> takes now.</summary>
    /// <remarks>Who reads 0 is told by <see cref="ICharBackend.ResumeInput"/> when there is room again.</remarks>
    int Room { get; }

    /// <summary>Whether what a peer sent is still for the guest when the peer has gone.</summary>
    bool KeepsInput => true;

    /// <summary>Gives input to the guest: at most as many bytes as <see cref="Room"/> said.</summary>
    /// <remarks>
    /// A guest that in between takes its receiver off the line, or changes its FIFO, loses what has no room any more, as it would with
    /// a real line.
    /// </remarks>
    void Receive(ReadOnlySpan<byte> data);

    /// <summary>The loop has looked after the output.</summary>
    /// <remarks>
    /// After each byte that <see cref="ICharBackend.Transmit"/> said so of it is called twice at least: at once when the line
    /// was silent, else some milliseconds later, and again a millisecond or more after that.
    /// </remarks>
    void OutputServed();

    /// <summary>A peer came or went (<see cref="ICharBackend.HasPeer"/>), or takes output again.</summary>
    void PeerChanged()
    {
    }
}
