namespace Strato.Protocol.Configuration;

/// <summary>One disk: a raw image file or a block device.</summary>
public sealed class DriveConfiguration
{
    /// <summary>The user's id, 1 to 255 characters, unique in the machine.</summary>
    public required string Id { get; init; }

    /// <summary>Id of the device that the guest sees; the drive's own unless the user named it.</summary>
    public string DeviceId { get; set; } = "";

    /// <summary>Path of the image or block device.</summary>
    public required string File { get; init; }

    /// <summary>Whether the guest can't write.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>Serial number that the guest sees, at most 20 bytes; null for none.</summary>
    public string? Serial { get; set; }

    /// <summary>Id of the iothread that serves it; null for the main loop.</summary>
    public string? IoThread { get; set; }

    /// <summary>Where the drive was given, for errors: <c>-drive</c> or <c>drive[1]</c>.</summary>
    public string Where { get; init; } = "";

    /// <summary>Where one of its fields was given: <c>-drive file</c> or <c>drive[1].path_on_host</c>.</summary>
    /// <param name="option">The field's name in <c>-drive</c>.</param>
    /// <param name="json">The field's name in the JSON form.</param>
    public string WhereIs(string option, string json) => Where.StartsWith('-') ? $"{Where} {option}" : $"{(Where.Length == 0 ? "drive" : Where)}.{json}";
}
