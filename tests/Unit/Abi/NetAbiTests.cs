using Strato.Engine.Linux;
using Strato.Engine.Net;
using Strato.Engine.Virtio;
using Xunit;

namespace Strato.Tests.Unit.Abi;

public class NetAbiTests
{
    [Fact]
    public void TapsAreAsTheHeadersHaveThem() => new AbiProof("sys/ioctl.h", "linux/if.h", "linux/if_tun.h")
        .Equal("IFNAMSIZ", Libc.IFNAMSIZ)
        .Equal("IFF_TAP", Libc.IFF_TAP)
        .Equal("IFF_NO_PI", Libc.IFF_NO_PI)
        .Equal("IFF_VNET_HDR", Libc.IFF_VNET_HDR)
        .Equal("TUN_F_CSUM", Libc.TUN_F_CSUM)
        .Equal("TUN_F_TSO4", Libc.TUN_F_TSO4)
        .Equal("TUN_F_TSO6", Libc.TUN_F_TSO6)
        .Equal("TUNSETIFF", Libc.TUNSETIFF)
        .Equal("TUNGETIFF", Libc.TUNGETIFF)
        .Equal("TUNSETOFFLOAD", Libc.TUNSETOFFLOAD)
        .Equal("TUNSETVNETHDRSZ", Libc.TUNSETVNETHDRSZ)
        .Size<Libc.ifreq>("struct ifreq")
        .Offset("struct ifreq", "ifr_name", 0)
        .Field("struct ifreq", "ifr_flags", (ref Libc.ifreq v) => ref v.ifr_flags)
        .Check();

    [Fact]
    public void TheDeviceIsAsTheHeadersHaveIt() => new AbiProof("linux/virtio_net.h")
        .Equal("sizeof(struct virtio_net_hdr_v1)", VirtioNetHeader.Bytes)
        .Offset("struct virtio_net_hdr_v1", "num_buffers", VirtioNetHeader.BufferCountOffset)
        .Offset("struct virtio_net_config", "mac", NetDevice.MacOffset)
        .Offset("struct virtio_net_config", "status", NetDevice.StatusOffset)
        .Offset("struct virtio_net_config", "max_virtqueue_pairs", NetDevice.ConfigurationBytes)
        .Equal("1ULL << VIRTIO_NET_F_CSUM", NetDevice.FeatureChecksum)
        .Equal("1ULL << VIRTIO_NET_F_GUEST_CSUM", NetDevice.FeatureGuestChecksum)
        .Equal("1ULL << VIRTIO_NET_F_MAC", NetDevice.FeatureMac)
        .Equal("1ULL << VIRTIO_NET_F_GUEST_TSO4", NetDevice.FeatureGuestTso4)
        .Equal("1ULL << VIRTIO_NET_F_GUEST_TSO6", NetDevice.FeatureGuestTso6)
        .Equal("1ULL << VIRTIO_NET_F_HOST_TSO4", NetDevice.FeatureHostTso4)
        .Equal("1ULL << VIRTIO_NET_F_HOST_TSO6", NetDevice.FeatureHostTso6)
        .Equal("1ULL << VIRTIO_NET_F_MRG_RXBUF", NetDevice.FeatureMergeableBuffers)
        .Equal("1ULL << VIRTIO_NET_F_STATUS", NetDevice.FeatureStatus)
        .Check();
}
