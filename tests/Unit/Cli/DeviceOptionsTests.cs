using System;
using System.Linq;
using Strato.Engine.Boot;
using Strato.Engine.Cli;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Xunit;

namespace Strato.Tests.Unit.Cli;

/// <summary>-device and the options that devices refer to.</summary>
public class DeviceOptionsTests
{
    [Fact]
    public void AnRngRefersToItsSource()
    {
        // The device may stand first.
        RngConfiguration rng = Assert.IsType<RngConfiguration>(Single(
            "-device virtio-rng-device,rng=r,id=rng0,max-bytes=1024,period=1000 -object rng-random,id=r,filename=/dev/hwrng"));
        Assert.Equal(("rng0", "/dev/hwrng", 1024L, 1000L), (rng.Id, rng.Source, rng.MaxBytes, rng.Period));
    }

    [Fact]
    public void AnRngNeedsNothing()
    {
        RngConfiguration rng = Assert.IsType<RngConfiguration>(Single("-device virtio-rng-device"));
        Assert.Equal(("", "rng", "/dev/urandom", null), (rng.Id, rng.Name, rng.Source, rng.MaxBytes));
    }

    [Theory]
    [InlineData("-device virtio-rnd-device", "InvalidOption", "-device", "The device 'virtio-rnd-device' is unknown (did you mean virtio-rng-device?); allowed: virtio-blk-device, ")]
    [InlineData("-device rng=a", "InvalidOption", "-device driver", "'driver' is missing")]
    [InlineData("-object rng-egd,id=a", "InvalidOption", "-object", "The object 'rng-egd' is unknown; allowed: ")]
    [InlineData("-object rng-random", "InvalidOption", "-object id", "'id' is missing")]
    [InlineData("-object rng-random,id=a -object rng-random,id=a", "DuplicateId", "-object id", "The id 'a' is given to two of -object; ids are unique.")]
    [InlineData("-device virtio-rng-device,rng=a", "UnknownBackend", "-device rng", "No source of random bytes has the id 'a'; allowed is one of: (no -object of this kind is given).")]
    [InlineData("-object rng-random,id=b -device virtio-rng-device,rng=a", "UnknownBackend", "-device rng", "No source of random bytes has the id 'a'; allowed is one of: b.")]
    [InlineData("-device virtio-rng-device,period=1", "InvalidOption", "-device period", "'period' is given without 'max-bytes'")]
    [InlineData("-device virtio-rng-device,max-bytes=many", "InvalidOption", "-device max-bytes", "'max-bytes=many' is not a whole number below 2^63.")]
    [InlineData("-device virtio-rng-device,max-bytes=0", "OutOfRange", "-device max-bytes", "0 is out of range; allowed: 1 to 9223372036854775807.")]
    [InlineData("-device virtio-rng-device,max-bytes=1,period=0", "OutOfRange", "-device period", "0 is out of range; allowed: 1 to 4294967295.")]
    [InlineData("-device virtio-rng-device,id=", "InvalidId", "-device id", "has 0 characters")]
    [InlineData("-device virtio-rng-device,id=a -device virtio-rng-device,id=a", "DuplicateId", "-device id", "The id 'a' is used by two devices")]
    [InlineData("-drive file=/a,id=a -device virtio-rng-device,id=a", "DuplicateId", "-device id", "The id 'a' is used by two devices")]
    public void AFaultIsNamedWithWhatIsAllowedAndWhere(string line, string id, string where, string message)
    {
        UserErrorException e = Assert.Throws<UserErrorException>(() => Parse(line));
        Assert.Equal((id, where), (e.Id, e.Where));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ThereAreAsManyDevicesAsSlots()
    {
        Assert.Equal(Layout.VirtioSlots, DeviceLimits.MaxDevices);
        string disks = string.Join(' ', Enumerable.Range(0, 6).Select(i => $"-drive file=/{i},id=d{i}"));
        string devices = string.Concat(Enumerable.Repeat(" -device virtio-rng-device", 12));
        Assert.Equal(12, Parse(disks + devices).Devices.Count);
        UserErrorException e = Assert.Throws<UserErrorException>(() => Parse($"{disks}{devices} -device virtio-rng-device"));
        Assert.Equal(("TooManyDevices", "-device"), (e.Id, e.Where));
        Assert.Equal("19 devices are given, disks included; a microvm has interrupt lines for 18.", e.Message);
    }

    private static DeviceConfiguration Single(string line) => Assert.Single(Parse(line).Devices);

    private static VmConfiguration Parse(string line) => Options.Parse(["-kernel", "k", .. line.Split(' ')]).Configuration;
}
