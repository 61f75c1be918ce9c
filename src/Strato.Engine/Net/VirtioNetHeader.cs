namespace Strato.Engine.Net;

/// <summary>struct virtio_net_hdr_v1 of <c>linux/virtio_net.h</c>, which stands before each frame (VIRTIO 1.2, 5.1.6).</summary>
/// <remarks>
/// <code>
/// | flags 8 | gso_type 8 | hdr_len 16 | gso_size 16 | csum_start 16 | csum_offset 16 | num_buffers 16 |
/// </code>
/// The engine passes it through between the guest and the host's kernel, which checks it; only num_buffers is ours.
/// </remarks>
internal static class VirtioNetHeader
{
    public const int Bytes = 12;
    public const int BufferCountOffset = 10;

    /// <summary>A header and the largest frame of many segments: 14 bytes of Ethernet and 65,536 of IP (5.1.6.3.1).</summary>
    public const int LargestFrame = 65_562;
}
