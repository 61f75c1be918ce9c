namespace Strato.Protocol.Configuration;

/// <summary>One device that isn't a disk. Each kind has its own class, which knows its values and their limits.</summary>
public abstract class DeviceConfiguration
{
    /// <summary>The user's id, at most 255 characters, unique among all devices; empty when none was given.</summary>
    public string Id { get; init; } = "";

    /// <summary>What kind of device it is, for messages: <c>rng</c>.</summary>
    public abstract string Kind { get; }

    /// <summary>How many of its kind a machine has at most.</summary>
    public virtual int Limit => DeviceLimits.MaxDevices;

    /// <summary>The id, or what stands for it where none was given.</summary>
    public string Name => Id.Length > 0 ? Id : Kind;

    /// <summary>Id of the iothread that serves it; null for the main loop.</summary>
    public string? IoThread { get; set; }

    /// <summary>Where the device was given, for errors: <c>-device</c> or <c>vsock</c>.</summary>
    public string Where { get; init; } = "";

    /// <summary>Where one of its values was given: <c>-device guest-cid</c> or <c>vsock.guest_cid</c>.</summary>
    /// <param name="option">The value's name on the command line.</param>
    /// <param name="json">The value's name in the JSON form.</param>
    public string WhereIs(string option, string json) =>
        Where.StartsWith('-') ? $"{Where} {option}" : $"{(Where.Length == 0 ? Kind : Where)}.{json}";

    /// <summary>The id's name in the JSON form.</summary>
    internal virtual string IdField => $"{Kind}_id";

    /// <summary>Checks the values of this device alone.</summary>
    /// <exception cref="UserErrorException">One is out of range.</exception>
    public abstract void Check();
}
