using System;
using System.Collections.Generic;
using System.Text;

namespace Strato.Protocol.Configuration;

/// <summary>The limits of a machine, and the checks that name them. Each throws <see cref="UserErrorException"/>.</summary>
public static class ConfigurationLimits
{
    public const string DefaultMachineType = "microvm";
    public const int MaxCpus = 254;
    public const int MaxDrives = 6;
    public const int MaxName = 255;
    public const int MaxId = 255;

    /// <summary>Bytes: VIRTIO_BLK_ID_BYTES of the VIRTIO specification, 5.2.6.</summary>
    public const int MaxSerialNumber = 20;

    /// <summary>Bytes.</summary>
    public const long MinMemory = 256L << 20;

    /// <summary>Bytes.</summary>
    public const long MaxMemory = 512L << 30;

    /// <summary>Bytes; KVM maps memory by pages.</summary>
    public const int MemoryGranularity = 4096;

    /// <summary>PATH_MAX of Linux without the zero byte.</summary>
    public const int MaxPath = 4095;

    public static void CheckName(string name, string where)
    {
        // A slash could never be part of a file name that someone makes of the name; a control character garbles terminals.
        if (name.Length is 0 or > MaxName)
        {
            throw new UserErrorException("InvalidName", $"The name has {name.Length} characters; a name has 1 to {MaxName}.", where);
        }

        foreach (char c in name)
        {
            if (c == '/' || char.IsControl(c))
            {
                string what = c == '/' ? "a slash" : $"the control character U+{(int)c:X4}";
                throw new UserErrorException("InvalidName", $"The name '{Printable(name)}' has {what}; a name has any characters but slashes and control characters.", where);
            }
        }
    }

    /// <summary>The canonical name of a machine type, which may be written in any case.</summary>
    public static string CheckMachineType(string type, string where) =>
        type.Equals(DefaultMachineType, StringComparison.OrdinalIgnoreCase)
            ? DefaultMachineType
            : throw new UserErrorException("UnknownMachineType", $"The machine type '{Printable(type)}' is unknown; allowed: {DefaultMachineType}.", where);

    /// <param name="bytes">Bytes of memory.</param>
    /// <param name="where">Option or path, for the error.</param>
    /// <param name="given">The value as the user wrote it, if not in bytes.</param>
    public static void CheckMemory(long bytes, string where, string? given = null)
    {
        given ??= bytes.ToString(System.Globalization.CultureInfo.InvariantCulture);
        if (bytes is < MinMemory or > MaxMemory)
        {
            throw new UserErrorException(
                "InvalidMemory",
                $"Memory of {given} ({ByteSize.Describe(bytes)}) is out of range; allowed: {ByteSize.Describe(MinMemory)} to {ByteSize.Describe(MaxMemory)}.",
                where);
        }

        if (bytes % MemoryGranularity != 0)
        {
            throw new UserErrorException("InvalidMemory", $"Memory of {given} ({bytes} bytes) is not a multiple of the page size, {MemoryGranularity} bytes.", where);
        }
    }

    public static int CheckCpus(long count, string where) =>
        count is >= 1 and <= MaxCpus
            ? (int)count
            : throw new UserErrorException("InvalidCpuCount", $"{count} vCPUs are out of range; allowed: 1 to {MaxCpus}.", where);

    public static void CheckId(string id, string where)
    {
        if (id.Length is 0 or > MaxId)
        {
            throw new UserErrorException("InvalidId", $"The id '{Printable(id)}' has {id.Length} characters; an id has 1 to {MaxId}.", where);
        }

        foreach (char c in id)
        {
            if (char.IsControl(c))
            {
                throw new UserErrorException("InvalidId", $"The id '{Printable(id)}' has the control character U+{(int)c:X4}; an id has none.", where);
            }
        }
    }

    /// <param name="path">A path on the host.</param>
    /// <param name="what">What the path is of, for the error.</param>
    /// <param name="where">Option or path, for the error.</param>
    public static void CheckPath(string path, string what, string where)
    {
        if (path.Length == 0 || path.Contains('\0') || Encoding.UTF8.GetByteCount(path) > MaxPath)
        {
            string fault = path.Length == 0 ? "is empty"
                : path.Contains('\0') ? "has a zero character"
                : $"has {Encoding.UTF8.GetByteCount(path)} bytes";
            throw new UserErrorException("InvalidPath", $"The path of the {what} {fault}; a path has 1 to {MaxPath} bytes, none of them zero.", where);
        }
    }

    public static void CheckSerialNumber(string serial, string where)
    {
        int length = Encoding.UTF8.GetByteCount(serial);
        if (length is 0 or > MaxSerialNumber || serial.Contains('\0'))
        {
            throw new UserErrorException(
                "InvalidSerialNumber",
                $"The serial number '{Printable(serial)}' has {length} bytes; a serial number has 1 to {MaxSerialNumber}, none of them zero.",
                where);
        }
    }

    /// <remarks>How long it may be is the kernel's own limit, checked when the kernel is loaded.</remarks>
    public static void CheckCommandLine(string commandLine, string where)
    {
        foreach (char c in commandLine)
        {
            if (c is '\0' or '\n' or '\r')
            {
                throw new UserErrorException("InvalidCommandLine", $"The kernel's command line has the character U+{(int)c:X4}; it is one line of text.", where);
            }
        }
    }

    public static void CheckDrives(IReadOnlyList<DriveConfiguration> drives)
    {
        if (drives.Count > MaxDrives)
        {
            throw new UserErrorException("TooManyDrives", $"{drives.Count} drives are given; a microvm has 0 to {MaxDrives}.", drives[MaxDrives].WhereIs("", "drive_id").TrimEnd());
        }

        HashSet<string> ids = new(StringComparer.Ordinal);
        HashSet<string> devices = new(StringComparer.Ordinal);
        foreach (DriveConfiguration drive in drives)
        {
            CheckId(drive.Id, drive.WhereIs("id", "drive_id"));
            CheckPath(drive.File, $"drive '{drive.Id}'", drive.WhereIs("file", "path_on_host"));
            if (drive.Serial is not null)
            {
                CheckSerialNumber(drive.Serial, drive.WhereIs("serial", "serial_num"));
            }

            drive.CheckIo();
            if (!ids.Add(drive.Id))
            {
                throw new UserErrorException("DuplicateId", $"The id '{Printable(drive.Id)}' is used by two drives; ids are unique.", drive.WhereIs("id", "drive_id"));
            }

            string device = drive.DeviceId.Length == 0 ? drive.Id : drive.DeviceId;
            if (!devices.Add(device))
            {
                throw new UserErrorException("DuplicateId", $"The id '{Printable(device)}' is used by two devices; ids are unique.", drive.DeviceId.Length == 0 ? drive.WhereIs("id", "drive_id") : "-device id");
            }
        }
    }

    /// <summary>A user's text cut and cleaned for a message: no control characters, at most 80 characters.</summary>
    public static string Printable(string text)
    {
        StringBuilder result = new(Math.Min(text.Length, 80));
        foreach (char c in text)
        {
            if (result.Length == 80)
            {
                return result.Append('…').ToString();
            }

            result.Append(char.IsControl(c) ? '?' : c);
        }

        return result.ToString();
    }
}
