using Strato.Engine.Boot;
using Xunit;

namespace Strato.Tests.Unit.Boot;

public class KernelCommandLineTests
{
    private const string Two = "virtio_mmio.device=512@0xf0100000:5 virtio_mmio.device=512@0xf0101600:17";

    [Theory]
    [InlineData("", Two)]
    [InlineData("quiet", "quiet " + Two)]
    [InlineData("quiet  ", "quiet " + Two)]
    [InlineData("quiet -- -x", "quiet " + Two + " -- -x")]
    [InlineData("-- -x", Two + " -- -x")]
    [InlineData("a=\"b -- c\" d", "a=\"b -- c\" d " + Two)]
    [InlineData("virtio_mmio.device=4K@0x1:2", "virtio_mmio.device=4K@0x1:2")]
    [InlineData("quiet -- virtio_mmio.device=x", "quiet " + Two + " -- virtio_mmio.device=x")]
    public void DevicesFollowTheKernelsWords(string given, string expected) =>
        Assert.Equal(expected, KernelCommandLine.WithDevices(given, [0, 11]));

    [Theory]
    [InlineData("acpi=off", true)]
    [InlineData(" quiet\tacpi=off\n", true)]
    [InlineData("acpi=offf", false)]
    [InlineData("a=\" acpi=off \"", false)]
    [InlineData("a=\"x\" acpi=off", true)]
    [InlineData("x -- acpi=off", false)]
    [InlineData("--x acpi=off", true)]
    [InlineData("\" acpi=off", false)]
    [InlineData("", false)]
    public void AWordIsFoundAsLinuxFindsIt(string line, bool expected) => Assert.Equal(expected, KernelCommandLine.Has(line, "acpi=off"));
}
