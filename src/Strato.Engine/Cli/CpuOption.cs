using System.Collections.Generic;
using System.Text;
using Strato.Engine.Boot;
using Strato.Engine.Kvm;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary><c>-cpu</c>: what the guest's CPUs can do; and its list of what there is to choose.</summary>
internal static class CpuOption
{
    public const string Usage = "MODEL[,+FEATURE][,-FEATURE]…|help";

    public static readonly string Help = $"What the CPUs can do: {string.Join(", ", CpuModel.Names)} (host), with features more or less. help lists those that this host's KVM offers.";

    private const int LineWidth = 100;

    public static void Apply(Options options, string value)
    {
        if (value is "help" or "?")
        {
            options.CpuHelp = true;
        }
        else
        {
            options.Configuration.Cpu = CpuModel.Parse(value, "-cpu");
        }
    }

    /// <summary>The text of <c>-cpu help</c>.</summary>
    /// <exception cref="Strato.Protocol.UserErrorException">The host has no KVM.</exception>
    public static string ListText()
    {
        try
        {
            using KvmSystem system = KvmSystem.Open();
            return ListText(CpuFilter.Offered(system.GetSupportedCpuid()));
        }
        catch (LinuxException error)
        {
            throw KvmVerdict.OfOpenError(error).ToError();
        }
    }

    /// <summary>The models, and the features that are offered, in lines.</summary>
    internal static string ListText(IReadOnlyList<string> offered)
    {
        StringBuilder text = new($"CPU models: {string.Join(", ", CpuModel.Names)}\n\nCPU features that KVM offers on this host, to be given as +FEATURE or -FEATURE:");
        int width = LineWidth;
        foreach (string name in offered)
        {
            width += name.Length + 1;
            text.Append(width > LineWidth ? "\n  " : " ").Append(name);
            width = width > LineWidth ? name.Length + 2 : width;
        }

        return text.Append('\n').ToString();
    }
}
