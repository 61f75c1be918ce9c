namespace Strato.Protocol.Configuration;

/// <summary>virtio-rng: random bytes of the host.</summary>
public sealed class RngConfiguration : DeviceConfiguration
{
    public const string DefaultSource = "/dev/urandom";

    /// <summary>Milliseconds, as in QEMU.</summary>
    public const long DefaultPeriod = 1 << 16;

    /// <summary>Milliseconds: about 49 days.</summary>
    public const long MaxPeriod = uint.MaxValue;

    public override string Kind => "rng";

    /// <summary>Path of the character device that gives the bytes.</summary>
    public string Source { get; set; } = DefaultSource;

    /// <summary>Most bytes in a <see cref="Period"/>; null for as many as the guest asks for.</summary>
    public long? MaxBytes { get; init; }

    /// <summary>Milliseconds, 1 to <see cref="MaxPeriod"/>.</summary>
    public long Period { get; init; } = DefaultPeriod;

    public override void Check()
    {
        ConfigurationLimits.CheckPath(Source, $"random bytes of '{Name}'", WhereIs("rng", "random_file"));
        DeviceLimits.CheckRange(MaxBytes ?? 1, 1, long.MaxValue, WhereIs("max-bytes", "max_bytes"));
        DeviceLimits.CheckRange(Period, 1, MaxPeriod, WhereIs("period", "period"));
    }
}
