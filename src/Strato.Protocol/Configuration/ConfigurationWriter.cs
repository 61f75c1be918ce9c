using System.IO;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Strato.Protocol.Configuration;

/// <summary>Writes the JSON form of a configuration, which <see cref="ConfigurationReader"/> reads back.</summary>
public static class ConfigurationWriter
{
    /// <summary>The document in UTF-8, indented, with a newline at its end. What the form has no field for (name, sockets, log) is left out.</summary>
    /// <exception cref="UserErrorException">InvalidField: a serial port or a device that the form can't tell.</exception>
    public static byte[] Write(VmConfiguration configuration)
    {
        using MemoryStream stream = new();
        JsonWriterOptions options = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (Utf8JsonWriter writer = new(stream, options))
        {
            writer.WriteStartObject();
            WriteBootSource(writer, configuration);
            WriteMachine(writer, configuration);
            WriteDrives(writer, configuration);
            NetWriter.Write(writer, configuration.Devices);
            configuration.Devices.ForEach(device => DeviceWriter.Write(writer, device));
            WriteSerial(writer, configuration.Serial);
            WriteIoThreads(writer, configuration);
            WriteStrato(writer, configuration);
            writer.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
        return stream.ToArray();
    }

    private static void WriteBootSource(Utf8JsonWriter writer, VmConfiguration configuration)
    {
        if (configuration.Kernel is null && configuration.Initrd is null && configuration.CommandLine.Length == 0)
        {
            return;
        }

        writer.WriteStartObject("boot-source");
        if (configuration.Kernel is not null)
        {
            writer.WriteString("kernel_image_path", configuration.Kernel);
        }

        if (configuration.CommandLine.Length > 0)
        {
            writer.WriteString("boot_args", configuration.CommandLine);
        }

        if (configuration.Initrd is not null)
        {
            writer.WriteString("initrd_fs_path", configuration.Initrd);
        }

        writer.WriteEndObject();
    }

    private static void WriteMachine(Utf8JsonWriter writer, VmConfiguration configuration)
    {
        writer.WriteStartObject("machine-config");
        writer.WriteString("type", configuration.MachineType == ConfigurationLimits.DefaultMachineType ? "MicroVm" : configuration.MachineType);
        writer.WriteNumber("vcpu_count", configuration.Cpus);
        writer.WriteNumber("mem_size", configuration.Memory);
        if (!configuration.DumpGuestCore)
        {
            writer.WriteBoolean("dump_guest_core", false);
        }

        if (configuration.MemShare)
        {
            writer.WriteBoolean("mem-share", true);
        }

        if (!configuration.HotPlug)
        {
            writer.WriteBoolean("hotplug", false);
        }

        WriteBacking(writer, configuration.Backing);

        writer.WriteEndObject();
    }

    private static void WriteBacking(Utf8JsonWriter writer, MemoryBacking backing)
    {
        if (backing.HugePageSize is not null || (backing.Path is not null && !backing.Huge))
        {
            throw new UserErrorException("InvalidField", $"The JSON form has only memory in the folder of a hugetlbfs (mem_path), not that of {backing.PathWhere}.", "machine-config.mem_path");
        }

        if (backing.Path is not null)
        {
            writer.WriteString("mem_path", backing.Path);
        }

        if (backing.Preallocate)
        {
            writer.WriteBoolean("mem_prealloc", true);
        }

        if (backing.Merge)
        {
            writer.WriteBoolean("mem_merge", true);
        }
    }

    private static void WriteDrives(Utf8JsonWriter writer, VmConfiguration configuration)
    {
        if (configuration.Drives.Count == 0)
        {
            return;
        }

        writer.WriteStartArray("drive");
        foreach (DriveConfiguration drive in configuration.Drives)
        {
            writer.WriteStartObject();
            writer.WriteString("drive_id", drive.Id);
            writer.WriteString("path_on_host", drive.File);
            if (drive.Serial is not null)
            {
                writer.WriteString("serial_num", drive.Serial);
            }

            writer.WriteBoolean("read_only", drive.ReadOnly);
            if (drive.IsDirect)
            {
                writer.WriteBoolean("direct", true);
            }

            if (drive.Iops != 0)
            {
                writer.WriteNumber("iops", drive.Iops);
            }

            if (drive.IoThread is not null)
            {
                writer.WriteString("iothread", drive.IoThread);
            }

            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static void WriteIoThreads(Utf8JsonWriter writer, VmConfiguration configuration)
    {
        if (configuration.IoThreads.Count == 0)
        {
            return;
        }

        writer.WriteStartArray("iothread");
        foreach (IoThreadConfiguration thread in configuration.IoThreads)
        {
            writer.WriteStartObject();
            writer.WriteString("id", thread.Id);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static void WriteStrato(Utf8JsonWriter writer, VmConfiguration configuration)
    {
        if (configuration.Strato is not { } strato)
        {
            return;
        }

        writer.WritePropertyName("strato");
        using JsonDocument document = JsonDocument.Parse(strato);
        document.RootElement.WriteTo(writer);
    }

    private static void WriteSerial(Utf8JsonWriter writer, SerialConfiguration serial)
    {
        if (serial.Backend == SerialBackend.None)
        {
            return;
        }

        if (serial.Backend is not (SerialBackend.Stdio or SerialBackend.Null))
        {
            throw new UserErrorException("InvalidField", $"The JSON form has only a serial port on stdio, not on {serial.Backend.ToString().ToLowerInvariant()}.", "serial");
        }

        writer.WriteStartObject("serial");
        writer.WriteBoolean("stdio", serial.Backend == SerialBackend.Stdio);
        writer.WriteEndObject();
    }
}
