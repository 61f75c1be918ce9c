using Strato.Engine.Cli;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Xunit;

namespace Strato.Tests.Unit.Cli;

/// <summary>What <c>-smp</c> makes of what is said and what isn't.</summary>
public class SmpTests
{
    [Theory]
    [InlineData("4", 4, 4, 4, 1, 1, 1)]
    [InlineData("cpus=4", 4, 4, 4, 1, 1, 1)]
    [InlineData("2,maxcpus=8", 2, 8, 8, 1, 1, 1)]
    [InlineData("8,sockets=2", 8, 8, 2, 1, 4, 1)]
    [InlineData("8,sockets=2,cores=2", 8, 8, 2, 1, 2, 2)]
    [InlineData("8,cores=4", 8, 8, 2, 1, 4, 1)]
    [InlineData("8,threads=2", 8, 8, 4, 1, 1, 2)]
    [InlineData("8,sockets=1,threads=2", 8, 8, 1, 1, 4, 2)]
    [InlineData("3,sockets=1,cores=3", 3, 3, 1, 1, 3, 1)]
    [InlineData("12,sockets=1,dies=2,cores=3,threads=2", 12, 12, 1, 2, 3, 2)]
    [InlineData("8,dies=2,cores=2", 8, 8, 2, 2, 2, 1)]
    [InlineData("1,maxcpus=6,sockets=1,cores=3,threads=2", 1, 6, 1, 1, 3, 2)]
    [InlineData("sockets=2,cores=3", 6, 6, 2, 1, 3, 1)]
    [InlineData("maxcpus=4", 4, 4, 4, 1, 1, 1)]
    [InlineData("maxcpus=4,cpus=1,cores=2", 1, 4, 2, 1, 2, 1)]
    [InlineData("threads=2", 2, 2, 1, 1, 1, 2)]
    public void ShapesAreFilledIn(string value, int cpus, int maxCpus, int sockets, int dies, int cores, int threads)
    {
        CpuShape shape = Options.Parse(["-kernel", "k", "-smp", value]).Configuration.Shape;
        Assert.Equal((cpus, maxCpus, sockets, dies, cores, threads), (shape.Cpus, shape.MaxCpus, shape.Sockets, shape.Dies, shape.Cores, shape.Threads));
    }

    [Fact]
    public void AShapeWhoseLastCpuInterruptsCannotReachIsRefused()
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => Options.Parse(["-kernel", "k", "-smp", "195,sockets=3,cores=65"]));
        Assert.Equal(
            ("InvalidTopology", "-smp sockets", "With 3 sockets of 65 cores of 1 thread the last CPU has the APIC id 320; 254 is the highest that interrupts reach."),
            (error.Id, error.Where, error.Message));
        Assert.Equal(192, Options.Parse(["-kernel", "k", "-smp", "192,sockets=3,cores=64"]).Configuration.Shape.MaxCpus);
    }

    // Every shape that is given whole is taken when its product is right, and refused when it isn't.
    [Fact]
    public void TheProductDecides()
    {
        for (int product = 1; product <= 24; product++)
        {
            for (int sockets = 1; sockets <= product; sockets++)
            {
                for (int cores = 1; cores <= product; cores++)
                {
                    for (int threads = 1; threads <= 4; threads++)
                    {
                        string value = $"{product},sockets={sockets},cores={cores},threads={threads}";
                        bool taken = true;
                        try
                        {
                            Options.Parse(["-kernel", "k", "-smp", value]);
                        }
                        catch (UserErrorException error) when (error.Id == "InvalidTopology")
                        {
                            taken = false;
                        }

                        Assert.Equal((value, sockets * cores * threads == product), (value, taken));
                    }
                }
            }
        }
    }
}
