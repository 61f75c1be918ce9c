using System;
using System.Collections.Generic;

namespace Strato.Protocol.Configuration;

/// <summary>Reads the JSON form of a machine's configuration.</summary>
/// <remarks>
/// Sections and fields are those of StratoVirt's JSON configuration; a section or field of something that isn't built
/// yet is unknown. Each section has one method here: a new one is a case in <see cref="Read(ReadOnlySpan{byte})"/>,
/// its method, and its lines in <see cref="ConfigurationWriter"/>.
/// </remarks>
public static class ConfigurationReader
{
    private static readonly string[] Sections = ["boot-source", "machine-config", "drive", "net", "console", "vsock", "balloon", "serial", "iothread", "strato"];
    private static readonly string[] BootFields = ["kernel_image_path", "boot_args", "initrd_fs_path"];
    private static readonly string[] MachineFields = ["type", "vcpu_count", "mem_size", "dump_guest_core", "mem-share", "mem_path", "mem_prealloc", "mem_merge", "hotplug"];
    private static readonly string[] DriveFields = ["drive_id", "path_on_host", "read_only", "serial_num", "direct", "iothread", "iops"];
    private static readonly string[] SerialFields = ["stdio"];
    private static readonly string[] IoThreadFields = ["id"];

    /// <summary>Reads one document. The result may lack what the command line still gives; <see cref="VmConfiguration.Validate"/> it then.</summary>
    /// <exception cref="UserErrorException">InvalidJson (with line and column), UnknownField, DuplicateField, InvalidField, or a limit's own; Where is the JSON path.</exception>
    public static VmConfiguration Read(ReadOnlySpan<byte> utf8)
    {
        // A byte order mark isn't JSON (RFC 8259, 8.1), but editors and shells write it.
        if (utf8.StartsWith("\uFEFF"u8))
        {
            utf8 = utf8[3..];
        }

        VmConfiguration configuration = new();
        JsonCursor cursor = new(utf8);
        cursor.BeginObject();
        while (cursor.NextField(out string section))
        {
            switch (section)
            {
                case "$schema":
                    // Where strato-vm.schema.json is, for editors.
                    _ = cursor.GetString();
                    break;
                case "boot-source":
                    ReadBootSource(ref cursor, configuration);
                    break;
                case "machine-config":
                    ReadMachine(ref cursor, configuration);
                    break;
                case "drive":
                    ReadDrives(ref cursor, configuration);
                    break;
                case "net":
                    NetReader.Read(ref cursor, configuration);
                    break;
                case "serial":
                    ReadSerial(ref cursor, configuration);
                    break;
                case "iothread":
                    ReadIoThreads(ref cursor, configuration);
                    break;
                case "strato":
                    configuration.Strato = cursor.GetObjectText();
                    break;
                default:
                    if (!DeviceReader.TryRead(section, ref cursor, configuration))
                    {
                        throw cursor.UnknownField(section, Sections);
                    }

                    break;
            }
        }

        cursor.End();
        return configuration;
    }

    private static void ReadBootSource(ref JsonCursor cursor, VmConfiguration configuration)
    {
        cursor.BeginObject();
        while (cursor.NextField(out string field))
        {
            switch (field)
            {
                case "kernel_image_path":
                    configuration.Kernel = Path(ref cursor, "kernel");
                    configuration.KernelWhere = cursor.Path;
                    break;
                case "boot_args":
                    configuration.CommandLine = cursor.GetString();
                    configuration.CommandLineWhere = cursor.Path;
                    ConfigurationLimits.CheckCommandLine(configuration.CommandLine, cursor.Path);
                    break;
                case "initrd_fs_path":
                    configuration.Initrd = Path(ref cursor, "initrd");
                    configuration.InitrdWhere = cursor.Path;
                    break;
                default:
                    throw cursor.UnknownField(field, BootFields);
            }
        }
    }

    private static void ReadMachine(ref JsonCursor cursor, VmConfiguration configuration)
    {
        MemoryBacking backing = configuration.Backing;
        HashSet<string> seen = new(StringComparer.Ordinal);
        cursor.BeginObject();
        while (cursor.NextField(out string field))
        {
            // StratoVirt's documents write mem_path and mem-path, dump_guest_core and mem-share: each may be written either way.
            string name = field.Contains('_') && field.Contains('-') ? "" : field.Replace('-', '_');
            if (name.Length > 0 && !seen.Add(name))
            {
                throw new UserErrorException("DuplicateField", $"The field is given twice, here and with '{(field.Contains('-') ? '_' : '-')}' in its name.", cursor.Path);
            }

            switch (name)
            {
                case "type":
                    configuration.MachineType = ConfigurationLimits.CheckMachineType(cursor.GetString(), cursor.Path);
                    break;
                case "vcpu_count":
                    configuration.Cpus = ConfigurationLimits.CheckCpus(cursor.GetInt64(), cursor.Path);
                    break;
                case "mem_size":
                    configuration.Memory = cursor.GetInt64();
                    ConfigurationLimits.CheckMemory(configuration.Memory, cursor.Path);
                    configuration.MemoryWhere = cursor.Path;
                    break;
                case "dump_guest_core":
                    configuration.DumpGuestCore = cursor.GetBoolean();
                    break;
                case "mem_share":
                    configuration.MemShare = cursor.GetBoolean();
                    break;
                case "mem_path":
                    string folder = cursor.GetString();
                    MemoryBacking.CheckPath(folder, cursor.Path);
                    (backing.Path, backing.PathWhere, backing.Huge) = (folder, cursor.Path, true);
                    break;
                case "mem_prealloc":
                    backing.Preallocate = cursor.GetBoolean();
                    break;
                case "mem_merge":
                    (backing.Merge, backing.MergeWhere) = (cursor.GetBoolean(), cursor.Path);
                    break;
                case "hotplug":
                    configuration.HotPlug = cursor.GetBoolean();
                    break;
                default:
                    throw cursor.UnknownField(field, MachineFields);
            }
        }
    }

    private static void ReadDrives(ref JsonCursor cursor, VmConfiguration configuration)
    {
        cursor.BeginArray();
        for (int index = 0; cursor.NextObject(index); index++)
        {
            string where = $"drive[{index}]";
            string? id = null;
            string? file = null;
            string? serial = null;
            string? ioThread = null;
            bool readOnly = false;
            bool? direct = null;
            int iops = 0;
            while (cursor.NextField(out string field))
            {
                switch (field)
                {
                    case "drive_id":
                        id = cursor.GetString();
                        ConfigurationLimits.CheckId(id, cursor.Path);
                        break;
                    case "path_on_host":
                        file = Path(ref cursor, "drive");
                        break;
                    case "read_only":
                        readOnly = cursor.GetBoolean();
                        break;
                    case "serial_num":
                        serial = cursor.GetString();
                        ConfigurationLimits.CheckSerialNumber(serial, cursor.Path);
                        break;
                    case "direct":
                        direct = cursor.GetBoolean();
                        break;
                    case "iothread":
                        ioThread = cursor.GetString();
                        break;
                    case "iops":
                        iops = (int)long.Clamp(cursor.GetInt64(), -1, int.MaxValue);
                        break;
                    default:
                        throw cursor.UnknownField(field, DriveFields);
                }
            }

            configuration.Drives.Add(new DriveConfiguration
            {
                Id = id ?? throw Missing(where, "drive_id"),
                File = file ?? throw Missing(where, "path_on_host"),
                ReadOnly = readOnly,
                Serial = serial,
                Direct = direct,
                IoThread = ioThread,
                Iops = iops,
                Where = where,
            });
        }

        ConfigurationLimits.CheckDrives(configuration.Drives);
    }

    private static void ReadSerial(ref JsonCursor cursor, VmConfiguration configuration)
    {
        cursor.BeginObject();
        while (cursor.NextField(out string field))
        {
            configuration.Serial = field == "stdio"
                ? new SerialConfiguration(cursor.GetBoolean() ? SerialBackend.Stdio : SerialBackend.Null)
                : throw cursor.UnknownField(field, SerialFields);
        }
    }

    private static void ReadIoThreads(ref JsonCursor cursor, VmConfiguration configuration)
    {
        cursor.BeginArray();
        for (int index = 0; cursor.NextObject(index); index++)
        {
            string where = $"iothread[{index}]";
            string? id = null;
            while (cursor.NextField(out string field))
            {
                id = field == "id" ? cursor.GetString() : throw cursor.UnknownField(field, IoThreadFields);
            }

            configuration.IoThreads.Add(new IoThreadConfiguration(id ?? throw Missing(where, "id"), $"{where}.id"));
        }

        IoThreadConfiguration.CheckAll(configuration.IoThreads);
    }

    private static string Path(ref JsonCursor cursor, string what)
    {
        string path = cursor.GetString();
        ConfigurationLimits.CheckPath(path, what, cursor.Path);
        return path;
    }

    private static UserErrorException Missing(string where, string field) =>
        new("MissingField", $"The field '{field}' is missing.", $"{where}.{field}");
}
