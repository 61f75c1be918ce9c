using Strato.Engine.Linux;
using Strato.Engine.Net;
using Strato.Engine.Virtio.Queue;

namespace Strato.Engine.Virtio;

/// <summary>Brings the driver's packets straight from its buffers to a backend (VIRTIO 1.2, 5.1.6.2).</summary>
/// <remarks>A packet that the host refuses (too long, a broken header, an interface that is down) is lost, as on any wire.</remarks>
internal sealed class NetTransmitter(VirtQueue queue, INetBackend backend)
{
    private const int PacketsPerTurn = 64;

    private readonly DescriptorChain _chain = new();

    /// <summary>Packets that the backend took.</summary>
    public long Packets { get; private set; }

    /// <summary>Their bytes, without the header before each.</summary>
    public long Bytes { get; private set; }

    /// <summary>Sends until something is in the way. The driver isn't interrupted yet.</summary>
    /// <param name="connected">False where packets go nowhere.</param>
    /// <param name="errno">With BackendGone, why.</param>
    public NetStop Transmit(bool connected, out int errno)
    {
        errno = 0;
        NetStop? stop = null;
        int budget = PacketsPerTurn;
        while (stop is null)
        {
            queue.DisableDoorbell();
            stop = TransmitSome(connected, ref budget, out errno);
            if (stop == NetStop.Idle && queue.EnableDoorbell())
            {
                stop = null;
            }
        }

        queue.Publish();
        return stop.Value;
    }

    private NetStop TransmitSome(bool connected, ref int budget, out int errno)
    {
        errno = 0;
        for (; budget > 0; budget--)
        {
            PopResult result = queue.Pop(_chain);
            if (result != PopResult.Chain)
            {
                return result == PopResult.Fault ? NetStop.QueueFault : NetStop.Idle;
            }

            if (_chain.Readable.Length < VirtioNetHeader.Bytes)
            {
                return NetStop.NoHeader;
            }

            if (connected && backend.Send(_chain.Readable.Parts) >= 0)
            {
                Packets++;
                Bytes += (long)_chain.Readable.Length - VirtioNetHeader.Bytes;
            }
            else if (connected)
            {
                errno = Errno.Last;
                if (errno == Errno.EAGAIN)
                {
                    queue.Unpop();
                    return NetStop.Blocked;
                }

                if (errno is Errno.EBADFD or Errno.EPIPE or Errno.ECONNRESET or Errno.ENOTCONN)
                {
                    queue.Unpop();
                    return NetStop.BackendGone;
                }
            }

            queue.Push(_chain.Head, 0);
        }

        return NetStop.Budget;
    }
}
