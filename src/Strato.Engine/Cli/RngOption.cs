using Strato.Protocol.CommandLine;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary><c>-object rng-random</c> and <c>-device virtio-rng-device</c>.</summary>
internal static class RngOption
{
    public const string ObjectUsage = "id=ID[,filename=PATH]";

    public const string DeviceUsage = "[,rng=ID][,id=ID][,max-bytes=N[,period=MILLISECONDS]]";

    public static void AddObject(Options options, SubOptions parts)
    {
        string id = parts.TakeId() ?? parts.Require("id");
        string path = parts.Take("filename") ?? RngConfiguration.DefaultSource;
        parts.End();
        ConfigurationLimits.CheckPath(path, $"source '{id}'", parts.Where("filename"));
        options.RngSources.Add(id, path);
    }

    public static void AddDevice(Options options, SubOptions parts)
    {
        string? rng = parts.Take("rng");
        long? maxBytes = parts.TakeNumber("max-bytes");
        long? period = parts.TakeNumber("period");
        RngConfiguration device = new()
        {
            Id = parts.TakeId() ?? "",
            MaxBytes = maxBytes,
            Period = period ?? RngConfiguration.DefaultPeriod,
            Where = "-device",
        };
        parts.End();
        if (period is not null && maxBytes is null)
        {
            throw parts.Invalid("'period' is given without 'max-bytes', the bytes that are allowed in it.", "period");
        }

        options.Configuration.Devices.Add(device);
        if (rng is not null)
        {
            options.Lookups.Add(() => device.Source = options.RngSources.Find(rng, parts.Where("rng")));
        }
    }
}
