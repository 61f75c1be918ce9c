namespace Strato.Tests.Guest.Seeds;

/// <summary>The file that seed 000 prints (json配置, 配置示例), as printed.</summary>
internal static class SeedConfiguration
{
    public const string Json = """
        {
          "boot-source": {
            "kernel_image_path": "/path/to/vmlinux.bin",
            "boot_args": "console=ttyS0 reboot=k panic=1 pci=off tsc=reliable ipv6.disable=1 root=/dev/vda quiet rw"
          },
         "machine-config": {
            "type": "MicroVm",
            "vcpu_count": 2,
            "mem_size": 268435456
          },
          "drive": [
            {
              "drive_id": "rootfs",
              "path_on_host": "/path/to/rootfs",
              "serial_num": "11111111",
              "direct": true,
              "read_only": false,
              "iops": 200000,
              "iothread": "iothread2"
            }
          ],
          "net": [
            {
              "iface_id": "net0",
              "host_dev_name": "tap0",
              "mac": "0e:90:df:9f:a8:88",
              "iothread": "iothread1"
            }
          ],
          "console": [
            {
            "console_id": "charconsole0",
            "socket_path": "/path/to/console.socket"
            }
          ],
          "serial": {
            "stdio": true
          },
          "vsock": {
            "vsock_id": "vsock-123321132",
            "guest_cid": 4
          },
          "iothread": [
            {"id": "iothread1"},
            {"id": "iothread2"}
          ]
        }

        """;
}
