using System.Globalization;
using Strato.Protocol;
using Strato.Protocol.CommandLine;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary><c>-smp</c>: how many CPUs, and how they are grouped.</summary>
internal static class SmpOption
{
    public const string Usage = "[cpus=]N[,maxcpus=N][,sockets=N][,dies=N][,cores=N][,threads=N]";

    public static readonly string Help =
        $"Number of vCPUs, 1 to {ConfigurationLimits.MaxCpus} (1), how many there can be, and their grouping: dies of a socket, cores of a die, threads of a core.\n"
        + "        The product is maxcpus; what isn't given is 1, and what is left over goes to sockets, else cores, else threads.";

    private static readonly CpuCountNames Where = new("-smp", "-smp maxcpus", "-smp sockets", "-smp dies", "-smp cores", "-smp threads");

    public static void Apply(Options options, string value)
    {
        SubOptions parts = new("-smp", value, "cpus");
        CpuCounts counts = new(
            TakeCpus(parts), parts.TakeNumber("maxcpus"), parts.TakeNumber("sockets"), parts.TakeNumber("dies"), parts.TakeNumber("cores"), parts.TakeNumber("threads"));
        parts.End();
        options.Configuration.Shape = CpuShape.Resolve(counts, Where);
    }

    private static long? TakeCpus(SubOptions parts) =>
        parts.Take("cpus") is not { } text ? null
            : long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long count) ? count
            : throw new UserErrorException(
                "InvalidCpuCount",
                $"'{ConfigurationLimits.Printable(text)}' is not a number of vCPUs; allowed: 1 to {ConfigurationLimits.MaxCpus}.",
                "-smp");
}
