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
        .Equal("IFF_MULTI_QUEUE", Libc.IFF_MULTI_QUEUE)
        .Equal("IFF_ATTACH_QUEUE", Libc.IFF_ATTACH_QUEUE)
        .Equal("IFF_DETACH_QUEUE", Libc.IFF_DETACH_QUEUE)
        .Equal("TUN_F_CSUM", Libc.TUN_F_CSUM)
        .Equal("TUN_F_TSO4", Libc.TUN_F_TSO4)
        .Equal("TUN_F_TSO6", Libc.TUN_F_TSO6)
        .Equal("TUNSETIFF", Libc.TUNSETIFF)
        .Equal("TUNGETIFF", Libc.TUNGETIFF)
        .Equal("TUNSETOFFLOAD", Libc.TUNSETOFFLOAD)
        .Equal("TUNSETVNETHDRSZ", Libc.TUNSETVNETHDRSZ)
        .Equal("TUNSETSNDBUF", Libc.TUNSETSNDBUF)
        .Equal("TUNSETQUEUE", Libc.TUNSETQUEUE)
        .Size<Libc.ifreq>("struct ifreq")
        .Offset("struct ifreq", "ifr_name", 0)
        .Field("struct ifreq", "ifr_flags", (ref Libc.ifreq v) => ref v.ifr_flags)
        .Check();

    [Fact]
    public void TheDeviceIsAsTheHeadersHaveIt() => new AbiProof("linux/virtio_net.h")
        .Equal("sizeof(struct virtio_net_hdr_v1)", VirtioNetHeader.Bytes)
        .Offset("struct virtio_net_hdr_v1", "num_buffers", VirtioNetHeader.BufferCountOffset)
        .Offset("struct virtio_net_config", "mac", NetInterface.MacOffset)
        .Offset("struct virtio_net_config", "status", NetInterface.StatusOffset)
        .Offset("struct virtio_net_config", "max_virtqueue_pairs", NetInterface.PairsOffset)
        .Offset("struct virtio_net_config", "max_virtqueue_pairs", NetInterface.ConfigurationBytes)
        .Offset("struct virtio_net_config", "mtu", NetInterface.MultiqueueConfigurationBytes)
        .Equal("1ULL << VIRTIO_NET_F_CTRL_VQ", NetInterface.FeatureControlQueue)
        .Equal("1ULL << VIRTIO_NET_F_MQ", NetInterface.FeatureMultiqueue)
        .Equal("VIRTIO_NET_CTRL_MQ", NetInterface.ControlMultiqueue)
        .Equal("VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET", NetInterface.ControlSetPairs)
        .Equal("VIRTIO_NET_OK", NetInterface.ControlOk)
        .Equal("VIRTIO_NET_ERR", NetInterface.ControlError)
        .Equal("1ULL << VIRTIO_NET_F_CSUM", NetInterface.FeatureChecksum)
        .Equal("1ULL << VIRTIO_NET_F_GUEST_CSUM", NetInterface.FeatureGuestChecksum)
        .Equal("1ULL << VIRTIO_NET_F_MAC", NetInterface.FeatureMac)
        .Equal("1ULL << VIRTIO_NET_F_GUEST_TSO4", NetInterface.FeatureGuestTso4)
        .Equal("1ULL << VIRTIO_NET_F_GUEST_TSO6", NetInterface.FeatureGuestTso6)
        .Equal("1ULL << VIRTIO_NET_F_HOST_TSO4", NetInterface.FeatureHostTso4)
        .Equal("1ULL << VIRTIO_NET_F_HOST_TSO6", NetInterface.FeatureHostTso6)
        .Equal("1ULL << VIRTIO_NET_F_MRG_RXBUF", NetInterface.FeatureMergeableBuffers)
        .Equal("1ULL << VIRTIO_NET_F_STATUS", NetInterface.FeatureStatus)
        .Check();
}
