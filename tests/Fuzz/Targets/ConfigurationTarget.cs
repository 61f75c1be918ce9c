using System.Collections.Generic;
using System.Text;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Tests.Fuzz.Targets;

/// <summary>The JSON file of <c>-config</c>: what is taken can be written, and reads back as the same.</summary>
internal sealed class ConfigurationTarget : FuzzTarget
{
    public override IReadOnlyList<byte[]> Seeds { get; } =
    [
        "{}"u8.ToArray(),
        """{"boot-source":{"kernel_image_path":"/k","initrd_fs_path":"/i","boot_args":"console=ttyS0 quiet"}}"""u8.ToArray(),
        """
        {
          "boot-source": {"kernel_image_path": "/k"},
          "machine-config": {"name": "vm", "vcpu_count": 4, "mem_size": 536870912, "type": "microvm", "dump_guest_core": false},
          "drive": [{"drive_id": "rootfs", "path_on_host": "/d", "read_only": true, "serial_num": "abc"}, {"drive_id": "b", "path_on_host": "/e", "read_only": false}],
          "console": [{"console_id": "c", "socket_path": "/c"}],
          "vsock": {"vsock_id": "v", "guest_cid": 4},
          "balloon": {"deflate_on_oom": true},
          "serial": {"stdio": true}
        }
        """u8.ToArray(),
    ];

    public override IReadOnlyList<byte[]> Words { get; } =
        WordList.Of("\"\\ud800\"", "\\u0000", "[", "{", "}", "]", ":", ",", "null", "true", "1e9", "-1", "18446744073709551616", "\"type\":", "\"mem_size\":", "\"512M\"", "\"drive\":[", "\"drive_id\":", "//", "é");

    public override string Run(byte[] input)
    {
        VmConfiguration configuration = ConfigurationReader.Read(input);
        configuration.Validate();
        byte[] written;
        try
        {
            written = ConfigurationWriter.Write(configuration);
        }
        catch (UserErrorException error)
        {
            return $"taken, and not writable: {error.Id}";
        }

        string again = Encoding.UTF8.GetString(ConfigurationWriter.Write(ConfigurationReader.Read(written)));
        Require(again == Encoding.UTF8.GetString(written), $"what was written reads back as another: {again}");
        return $"taken: {configuration.Drives.Count} drives";
    }
}
