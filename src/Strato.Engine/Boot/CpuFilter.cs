using System;
using System.Collections.Generic;
using System.Text;
using Strato.Engine.Kvm;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Boot;

/// <summary>Of what KVM offers, that which the user's CPU model gives the guest. <see cref="Cpuid"/> then makes each CPU's own.</summary>
internal static class CpuFilter
{
    private const uint LeafState = 0xD;
    private const uint LegacyState = 576; // bytes: FXSAVE's area and the XSAVE header

    /// <summary>Bits of leaf 0x80000001 EDX that repeat those of leaf 1 on AMD (APM 3, E.4.2).</summary>
    private const uint Repeated = 0x0183_F3FF;

    /// <summary>Leaves about what isn't in any level: SGX, trace, tiles, performance counters, IBS, SEV, bandwidth.</summary>
    private static ReadOnlySpan<uint> LeavesOfHostAlone => [0xA, 0x12, 0x14, 0x1D, 0x1E, 0x24, 0x8000_001B, 0x8000_001F, 0x8000_0020, 0x8000_0022];

    /// <summary>Parts of the state that XSAVE keeps, by the feature that has them (SDM 1, 13.1).</summary>
    private static readonly (string Feature, uint Components)[] States =
        [("avx", 1 << 2), ("mpx", 3 << 3), ("avx512f", 7 << 5), ("pku", 1 << 9), ("amx-tile", 3 << 17)];

    /// <summary>What a model makes of the host. For the host itself without any flags it does next to nothing.</summary>
    /// <param name="model">The user's.</param>
    /// <param name="supported">KVM_GET_SUPPORTED_CPUID's; changed in place.</param>
    /// <returns>The same, or less.</returns>
    /// <exception cref="UserErrorException">CpuFeatureNotOffered: KVM doesn't offer what the model or a flag needs.</exception>
    public static KvmCpuidEntry[] Apply(CpuModel model, KvmCpuidEntry[] supported)
    {
        AddEmulated(supported);
        if (!model.IsPlainHost)
        {
            return Filter(model, supported);
        }

        foreach (ref KvmCpuidEntry entry in supported.AsSpan())
        {
            if (entry.Function == 0x8000_0007)
            {
                // A guest that trusts the TSC to be invariant doesn't use kvmclock, which is what a pause or restore corrects.
                entry.Edx &= ~(1u << 8);
            }
        }

        return supported;
    }

    /// <summary>Checks that a guest which was told of some processor finds the same here: each feature, and the way in which its state is kept.</summary>
    /// <param name="saved">What the guest was told.</param>
    /// <param name="here">What the same model gives here.</param>
    /// <exception cref="UserErrorException">SnapshotMismatch names what is missing.</exception>
    public static void CheckSame(KvmCpuidEntry[] saved, KvmCpuidEntry[] here)
    {
        string vendor = VendorOf(saved);
        if (vendor != VendorOf(here))
        {
            throw new UserErrorException("SnapshotMismatch", $"The snapshot's processor is of '{vendor}', and this host's of '{VendorOf(here)}'.", "-incoming");
        }

        // To read the table of names takes a hundredth of a restore: it is left out where no bit is missing at all.
        List<string> missing = [];
        if (Array.Exists(saved, entry => LacksBits(here, entry)))
        {
            foreach (CpuFeature feature in CpuFeature.All)
            {
                if (Has(saved, feature) && !Has(here, feature))
                {
                    missing.Add(feature.Name);
                }
            }
        }

        missing.AddRange(KvmFeatures.Missing(saved, here));
        if (missing.Count > 0)
        {
            throw new UserErrorException(
                "SnapshotMismatch",
                $"The snapshot's guest uses a processor with {string.Join(", ", missing)}, which this host's KVM, or the model of -cpu, doesn't give.",
                "-incoming");
        }

        foreach (KvmCpuidEntry entry in saved)
        {
            if (entry.Function == LeafState && entry.Index == 0 && (entry.Eax & ~Array.Find(here, other => other.Function == LeafState && other.Index == 0).Eax) is var components and not 0)
            {
                throw new UserErrorException("SnapshotMismatch", $"The snapshot's guest keeps state of its processor that this host doesn't have (XCR0 bits 0x{components:x}).", "-incoming");
            }
        }
    }

    // Leaf 1's EAX and EBX tell the model and which processor it is; leaves of other kinds have no features, and don't matter here.
    private static bool LacksBits(KvmCpuidEntry[] here, in KvmCpuidEntry saved)
    {
        uint function = saved.Function, index = saved.Index;
        KvmCpuidEntry other = Array.Find(here, entry => entry.Function == function && entry.Index == index);
        return ((saved.Ecx & ~other.Ecx) | (saved.Edx & ~other.Edx)) != 0
            || (function != 1 && ((saved.Eax & ~other.Eax) | (saved.Ebx & ~other.Ebx)) != 0);
    }

    /// <summary>Who made the processor (leaf 0).</summary>
    public static string VendorOf(KvmCpuidEntry[] entries)
    {
        KvmCpuidEntry entry = Array.Find(entries, entry => entry.Function == 0);
        Span<byte> text = stackalloc byte[12];
        BitConverter.TryWriteBytes(text, entry.Ebx);
        BitConverter.TryWriteBytes(text[4..], entry.Edx);
        BitConverter.TryWriteBytes(text[8..], entry.Ecx);
        return Encoding.ASCII.GetString(text).TrimEnd('\0');
    }

    /// <summary>The processor's name as the guest reads it (leaves 0x80000002 to 4); empty where it has none.</summary>
    public static string BrandOf(KvmCpuidEntry[] entries)
    {
        Span<byte> text = stackalloc byte[48];
        text.Clear();
        foreach (KvmCpuidEntry entry in entries)
        {
            if (entry.Function is >= 0x8000_0002 and <= 0x8000_0004)
            {
                Span<byte> part = text[((int)(entry.Function - 0x8000_0002) * 16)..];
                BitConverter.TryWriteBytes(part, entry.Eax);
                BitConverter.TryWriteBytes(part[4..], entry.Ebx);
                BitConverter.TryWriteBytes(part[8..], entry.Ecx);
                BitConverter.TryWriteBytes(part[12..], entry.Edx);
            }
        }

        return Encoding.ASCII.GetString(text).Trim('\0', ' ');
    }

    /// <summary>Whether a guest that is told this may have guests of its own: VMX (leaf 1, ECX) or SVM (leaf 0x80000001, ECX).</summary>
    public static bool HasNested(KvmCpuidEntry[] entries) => Array.Exists(
        entries,
        entry => (entry.Function == 1 && (entry.Ecx & (1 << 5)) != 0) || (entry.Function == 0x8000_0001 && (entry.Ecx & (1 << 2)) != 0));

    /// <summary>Names of the features that KVM offers, in the table's order.</summary>
    public static List<string> Offered(KvmCpuidEntry[] supported)
    {
        AddEmulated(supported);
        return Names(supported);
    }

    /// <summary>Names of the features that a guest is told of, in the table's order.</summary>
    public static List<string> Names(KvmCpuidEntry[] supported)
    {
        List<string> names = [];
        foreach (CpuFeature feature in CpuFeature.All)
        {
            if (Has(supported, feature))
            {
                names.Add(feature.Name);
            }
        }

        return names;
    }

    /// <summary>KVM's local APIC has the deadline timer, which the list of some kernels doesn't tell; and this is a hypervisor.</summary>
    private static void AddEmulated(KvmCpuidEntry[] supported)
    {
        const uint TscDeadline = 1 << 24;
        const uint Hypervisor = 1u << 31;
        foreach (ref KvmCpuidEntry entry in supported.AsSpan())
        {
            if (entry.Function == 1)
            {
                entry.Ecx |= TscDeadline | Hypervisor;
            }
        }
    }

    private static KvmCpuidEntry[] Filter(CpuModel model, KvmCpuidEntry[] supported)
    {
        List<string> offered = Offered(supported);
        HashSet<string> on = new(offered, StringComparer.Ordinal);
        if (model.Allowed is { } allowed)
        {
            List<string> missing = [.. model.Required];
            missing.RemoveAll(on.Contains);
            if (missing.Count > 0)
            {
                throw NotOffered($"The CPU model {model.Name} needs {string.Join(", ", missing)}, which KVM doesn't offer on this host.");
            }

            on.IntersectWith(allowed);
        }
        else
        {
            on.Remove("invtsc");
        }

        ApplyFlags(model, offered, on);
        List<KvmCpuidEntry> result = [.. supported];
        if (model.Allowed is not null)
        {
            result.RemoveAll(entry => LeavesOfHostAlone.Contains(entry.Function));
            WriteBrand(result, $"Strato {model.Name}");
        }

        for (int i = 0; i < result.Count; i++)
        {
            KvmCpuidEntry entry = result[i];
            WriteFeatures(ref entry, on, keepsOthers: model.Allowed is null);
            result[i] = entry;
        }

        LimitState(result, on, keepsSupervisor: model.Allowed is null && on.Contains("xsaves"));
        return [.. result];
    }

    private static void ApplyFlags(CpuModel model, List<string> offered, HashSet<string> on)
    {
        HashSet<string> wanted = new(StringComparer.Ordinal);
        foreach (CpuFlag flag in model.Flags)
        {
            string name = flag.Feature.Name;
            if (flag.On && !offered.Contains(name))
            {
                throw NotOffered($"KVM doesn't offer the CPU feature '{name}' on this host; -cpu help lists those that it does.");
            }

            _ = flag.On ? wanted.Add(name) && on.Add(name) : on.Remove(name);
        }

        // What needs a feature goes with it, and what is needed in turn.
        bool changed = true;
        while (changed)
        {
            changed = false;
            foreach (CpuFeature feature in CpuFeature.All)
            {
                if (feature.Needs is { } needs && !on.Contains(needs) && on.Remove(feature.Name))
                {
                    changed = true;
                    if (wanted.Contains(feature.Name))
                    {
                        throw NotOffered($"The CPU feature '{feature.Name}' doesn't work without '{needs}', which isn't on; +{needs} adds it.");
                    }
                }
            }
        }
    }

    /// <summary>Sets the bits that have names; the others stay or go.</summary>
    private static void WriteFeatures(ref KvmCpuidEntry entry, HashSet<string> on, bool keepsOthers)
    {
        Span<uint> known = stackalloc uint[4];
        Span<uint> set = stackalloc uint[4];
        Span<bool> isWord = stackalloc bool[4];
        foreach (CpuFeature feature in CpuFeature.All)
        {
            if (feature.Leaf == entry.Function && feature.Index == entry.Index)
            {
                known[(int)feature.Register] |= 1u << feature.Bit;
                set[(int)feature.Register] |= on.Contains(feature.Name) ? 1u << feature.Bit : 0;
                isWord[(int)feature.Register] = true;
            }
        }

        Span<uint> registers = [entry.Eax, entry.Ebx, entry.Ecx, entry.Edx];
        for (int i = 0; i < registers.Length; i++)
        {
            uint others = registers[i] & ~known[i];
            bool repeats = entry.Function == 0x8000_0001 && i == (int)CpuidRegister.Edx;
            registers[i] = set[i] | (keepsOthers || !isWord[i] ? others : repeats ? others & Repeated : 0);
        }

        (entry.Eax, entry.Ebx, entry.Ecx, entry.Edx) = (registers[0], registers[1], registers[2], registers[3]);
    }

    /// <summary>Leaf 0xD: the parts of the state that belong to features that aren't there go, and with them their room.</summary>
    private static void LimitState(List<KvmCpuidEntry> entries, HashSet<string> on, bool keepsSupervisor)
    {
        uint components = on.Contains("xsave") ? 3u : 0;
        foreach ((string feature, uint bits) in States)
        {
            components |= on.Contains(feature) ? bits : 0;
        }

        uint size = LegacyState;
        entries.RemoveAll(entry => entry.Function == LeafState && (components == 0 || (entry.Index >= 2 && Goes(entry))));
        foreach (KvmCpuidEntry entry in entries)
        {
            if (entry.Function == LeafState && entry.Index >= 2 && (entry.Ecx & 1) == 0)
            {
                size = Math.Max(size, entry.Eax + entry.Ebx);
            }
        }

        for (int i = 0; i < entries.Count; i++)
        {
            KvmCpuidEntry entry = entries[i];
            if (entry.Function != LeafState || entry.Index > 1)
            {
                continue;
            }

            if (entry.Index == 0)
            {
                // ECX: room for all; EBX: for what is on, which KVM keeps up to date.
                (entry.Eax, entry.Ebx, entry.Ecx, entry.Edx) = (entry.Eax & components, LegacyState, size, 0);
            }
            else if (!keepsSupervisor)
            {
                (entry.Ebx, entry.Ecx, entry.Edx) = (0, 0, 0);
            }

            entries[i] = entry;
        }

        // ECX bit 0: state of the supervisor (XSS).
        bool Goes(KvmCpuidEntry entry) =>
            (entry.Ecx & 1) != 0 ? !keepsSupervisor : entry.Index >= 32 || (components & (1u << (int)entry.Index)) == 0;
    }

    private static void WriteBrand(List<KvmCpuidEntry> entries, string brand)
    {
        byte[] text = new byte[48];
        Encoding.ASCII.GetBytes(brand, text);
        for (int i = 0; i < entries.Count; i++)
        {
            if (entries[i].Function is >= 0x8000_0002 and <= 0x8000_0004)
            {
                int at = (int)(entries[i].Function - 0x8000_0002) * 16;
                entries[i] = entries[i] with
                {
                    Eax = BitConverter.ToUInt32(text, at),
                    Ebx = BitConverter.ToUInt32(text, at + 4),
                    Ecx = BitConverter.ToUInt32(text, at + 8),
                    Edx = BitConverter.ToUInt32(text, at + 12),
                };
            }
        }
    }

    private static bool Has(KvmCpuidEntry[] entries, CpuFeature feature)
    {
        foreach (ref readonly KvmCpuidEntry entry in entries.AsSpan())
        {
            if (entry.Function == feature.Leaf && entry.Index == feature.Index)
            {
                uint value = feature.Register switch
                {
                    CpuidRegister.Eax => entry.Eax,
                    CpuidRegister.Ebx => entry.Ebx,
                    CpuidRegister.Ecx => entry.Ecx,
                    _ => entry.Edx,
                };
                return (value & (1u << feature.Bit)) != 0;
            }
        }

        return false;
    }

    private static UserErrorException NotOffered(string message) => new("CpuFeatureNotOffered", message, "-cpu");
}
