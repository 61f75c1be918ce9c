using System;
using System.Diagnostics;
using Strato.Engine.Chardev;
using Strato.Engine.Linux;
using Strato.Engine.Virtio;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Machine;

/// <summary>Makes the devices that a configuration names, with their host's side opened: what a user got wrong is told before the machine is built.</summary>
internal static class DeviceOpener
{
    /// <exception cref="Strato.Protocol.UserErrorException">What the device stands on can't be opened.</exception>
    public static VirtioDevice Open(DeviceConfiguration device) => device switch
    {
        RngConfiguration rng => new RngDevice(rng.Name, EntropySource.Open(rng.Source, rng.Name, rng.WhereIs("rng", "random_file")), Limit(rng)),
        _ => throw new ArgumentOutOfRangeException(nameof(device), device.Kind, "not a device that is built"),
    };

    private static TokenBucket? Limit(RngConfiguration rng) => rng.MaxBytes is { } bytes
        ? new TokenBucket(bytes, TimeSpan.FromMilliseconds(rng.Period), Stopwatch.GetTimestamp())
        : null;
}
