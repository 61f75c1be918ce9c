using System;
using System.Collections.Generic;
using System.Text;

namespace Strato.Protocol.Configuration;

/// <summary>A feature that a user wants or doesn't want.</summary>
public readonly record struct CpuFlag(CpuFeature Feature, bool On);

/// <summary>What the guest's CPUs can do: a model, and features more or less.</summary>
/// <remarks>
/// <c>host</c> is all that KVM offers but the invariant TSC. The levels are those of the x86-64 psABI (table 3.1), on every host that
/// has them the same but for vendor, family and addresses' widths: so a guest can go from one to the other.
/// </remarks>
public sealed class CpuModel
{
    public const string HostName = "host";
    private const string Level2 = "x86-64-v2";
    private const string Level3 = "x86-64-v3";

    /// <summary>What a kernel expects of any x86-64 CPU and of a virtual one.</summary>
    private const string Common =
        "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 syscall nx lm x2apic tsc-deadline hypervisor arat";

    // What keeps guests safe from each other and from themselves isn't a level's business.
    private const string Protection =
        " md-clear spec-ctrl stibp flush-l1d arch-capabilities ssbd ibpb ibrs amd-stibp stibp-always-on amd-ssbd virt-ssbd amd-no-ssb"
        + " lfence-always-serializing null-sel-clr-base auto-ibrs sbpb ibpb-brtype srso-no"
        + " intel-psfd ipred-ctrl rrsba-ctrl ddpd-u bhi-ctrl mcdt-no amd-psfd ibpb-ret verw-clear";

    private const string OfLevel2 = "cx16 lahf-lm popcnt pni sse4.1 sse4.2 ssse3";
    private const string OfLevel3 = OfLevel2 + " avx avx2 bmi1 bmi2 f16c fma abm movbe xsave";

    private CpuModel(string name, IReadOnlyList<CpuFlag> flags) => (Name, Flags) = (name, flags);

    /// <summary>All that KVM offers.</summary>
    public static CpuModel Host { get; } = new(HostName, []);

    /// <summary>The models there are.</summary>
    public static IReadOnlyList<string> Names { get; } = [HostName, Level2, Level3];

    /// <summary>One of <see cref="Names"/>.</summary>
    public string Name { get; }

    /// <summary>In the order in which they were given.</summary>
    public IReadOnlyList<CpuFlag> Flags { get; }

    /// <summary>Whether there is nothing to be done to what KVM offers.</summary>
    public bool IsPlainHost => Name == HostName && Flags.Count == 0;

    /// <summary>The features that a host must have for the model.</summary>
    public IReadOnlyList<string> Required => Name switch
    {
        Level2 => OfLevel2.Split(' '),
        Level3 => OfLevel3.Split(' '),
        _ => [],
    };

    /// <summary>The features that the guest gets, as far as the host has them; null for all.</summary>
    public IReadOnlySet<string>? Allowed => Name == HostName ? null : new HashSet<string>([.. Required, .. (Common + Protection).Split(' ')], StringComparer.Ordinal);

    /// <summary>Reads what <c>-cpu</c> takes: <c>host,+aes,-rdtscp,avx2=off</c>.</summary>
    /// <exception cref="UserErrorException">UnknownCpuModel, UnknownCpuFeature, InvalidCpuFeature.</exception>
    public static CpuModel Parse(string text, string where)
    {
        string[] parts = text.Split(',');
        return Make(parts[0], parts.AsSpan(1), where, where);
    }

    /// <param name="name">One of <see cref="Names"/>, in any case.</param>
    /// <param name="flags">Each <c>+name</c>, <c>-name</c>, <c>name=on</c> or <c>name=off</c>.</param>
    /// <param name="modelWhere">Where the model was given.</param>
    /// <param name="flagWhere">Where the features were given.</param>
    public static CpuModel Make(string name, ReadOnlySpan<string> flags, string modelWhere, string flagWhere)
    {
        string lower = name.ToLowerInvariant();
        foreach (string known in Names)
        {
            if (lower == known)
            {
                return new CpuModel(known, ReadFlags(flags, flagWhere));
            }
        }

        throw new UserErrorException(
            "UnknownCpuModel", $"The CPU model '{ConfigurationLimits.Printable(name)}' is unknown{NearName.Hint(lower, Names)}; allowed: {string.Join(", ", Names)}.", modelWhere);
    }

    /// <summary>As <see cref="Parse"/> reads it.</summary>
    public override string ToString()
    {
        StringBuilder text = new(Name);
        foreach (CpuFlag flag in Flags)
        {
            text.Append(flag.On ? ",+" : ",-").Append(flag.Feature.Name);
        }

        return text.ToString();
    }

    private static List<CpuFlag> ReadFlags(ReadOnlySpan<string> texts, string where)
    {
        List<CpuFlag> flags = [];
        foreach (string text in texts)
        {
            CpuFlag flag = ReadFlag(text, where);
            if (flags.Exists(other => other.Feature == flag.Feature))
            {
                throw new UserErrorException("InvalidCpuFeature", $"The CPU feature '{flag.Feature.Name}' is given twice.", where);
            }

            flags.Add(flag);
        }

        return flags;
    }

    private static CpuFlag ReadFlag(string text, string where)
    {
        if (text.Length > 1 && text[0] is '+' or '-')
        {
            return new CpuFlag(CpuFeature.Find(text[1..], where), text[0] == '+');
        }

        int equals = text.IndexOf('=', StringComparison.Ordinal);
        bool? on = (equals < 0 ? "" : text[(equals + 1)..]) switch
        {
            "on" => true,
            "off" => false,
            _ => null,
        };
        return on is { } value
            ? new CpuFlag(CpuFeature.Find(text[..equals], where), value)
            : throw new UserErrorException(
                "InvalidCpuFeature", $"'{ConfigurationLimits.Printable(text)}' is not a CPU feature with its sign; allowed: +NAME, -NAME, NAME=on, NAME=off.", where);
    }
}
