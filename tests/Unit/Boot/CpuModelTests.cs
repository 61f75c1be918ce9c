using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Strato.Engine.Boot;
using Strato.Engine.Cli;
using Strato.Engine.Kvm;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Xunit;

namespace Strato.Tests.Unit.Boot;

/// <summary><c>-cpu</c>: models, features more or less, and the state that goes with them.</summary>
public class CpuModelTests
{
    private const string Level2 = "cx16 lahf-lm popcnt pni sse4.1 sse4.2 ssse3";
    private const string Level3 = Level2 + " avx avx2 bmi1 bmi2 f16c fma abm movbe xsave";

    /// <summary>A host with every feature of the table, bits beside them, and what belongs to XSAVE.</summary>
    private static KvmCpuidEntry[] Host(params string[] without)
    {
        List<KvmCpuidEntry> entries =
        [
            new() { Function = 0, Eax = 0x1F, Ebx = 0x68747541, Ecx = 0x444D4163, Edx = 0x69746E65 },
            new() { Function = 1, Ecx = 1 << 27 },
            new() { Function = 6 },
            new() { Function = 7, Index = 0, Flags = 1, Eax = 2, Ebx = 1u << 6 },
            new() { Function = 7, Index = 1, Flags = 1 },
            new() { Function = 7, Index = 2, Flags = 1 },
            new() { Function = 0xA, Eax = 0x0730_0402 },
            new() { Function = 0xD, Index = 0, Flags = 1, Eax = 0x6_02E7, Ebx = 576, Ecx = 11008 },
            new() { Function = 0xD, Index = 1, Flags = 1, Ebx = 576, Ecx = 0x1800 },
            new() { Function = 0xD, Index = 2, Flags = 1, Eax = 256, Ebx = 576 },
            new() { Function = 0xD, Index = 5, Flags = 1, Eax = 64, Ebx = 1088 },
            new() { Function = 0xD, Index = 6, Flags = 1, Eax = 512, Ebx = 1152 },
            new() { Function = 0xD, Index = 7, Flags = 1, Eax = 1024, Ebx = 1664 },
            new() { Function = 0xD, Index = 9, Flags = 1, Eax = 8, Ebx = 2688 },
            new() { Function = 0xD, Index = 11, Flags = 1, Eax = 16, Ecx = 1 },
            new() { Function = 0xD, Index = 17, Flags = 1, Eax = 64, Ebx = 2752 },
            new() { Function = 0xD, Index = 18, Flags = 1, Eax = 8192, Ebx = 2816, Ecx = 2 },
            new() { Function = 0x8000_0001, Edx = 0x0183_F3FF },
            new() { Function = 0x8000_0002, Eax = 1 },
            new() { Function = 0x8000_0003, Eax = 1 },
            new() { Function = 0x8000_0004, Eax = 1 },
            new() { Function = 0x8000_0007 },
            new() { Function = 0x8000_0008, Eax = 0x3030 },
            new() { Function = 0x8000_000A },
            new() { Function = 0x8000_0021 },
        ];
        for (int i = 0; i < entries.Count; i++)
        {
            KvmCpuidEntry entry = entries[i];
            foreach (CpuFeature feature in CpuFeature.All.Where(one => one.Leaf == entry.Function && one.Index == entry.Index && !without.Contains(one.Name)))
            {
                uint bit = 1u << feature.Bit;
                entry.Eax |= feature.Register == CpuidRegister.Eax ? bit : 0;
                entry.Ebx |= feature.Register == CpuidRegister.Ebx ? bit : 0;
                entry.Ecx |= feature.Register == CpuidRegister.Ecx ? bit : 0;
                entry.Edx |= feature.Register == CpuidRegister.Edx ? bit : 0;
            }

            entries[i] = entry;
        }

        return [.. entries];
    }

    private static KvmCpuidEntry[] Apply(string cpu, params string[] without) => CpuFilter.Apply(CpuModel.Parse(cpu, "-cpu"), Host(without));

    private static KvmCpuidEntry Leaf(KvmCpuidEntry[] entries, uint function, uint index = 0) =>
        entries.SingleOrDefault(entry => entry.Function == function && entry.Index == index);

    private static UserErrorException Refused(string cpu, params string[] without) => Assert.Throws<UserErrorException>(() => Apply(cpu, without));

    [Fact]
    public void EachNameHasABitOfItsOwnAndWhatItNeedsIsKnown()
    {
        Assert.Equal(CpuFeature.All.Count, CpuFeature.All.Select(feature => (feature.Leaf, feature.Index, feature.Register, feature.Bit)).Distinct().Count());
        foreach (CpuFeature feature in CpuFeature.All)
        {
            Assert.InRange(feature.Bit, 0, 31);
            Assert.Equal(feature, CpuFeature.Find(feature.Name, ""));
            Assert.True(feature.Needs is null || CpuFeature.Find(feature.Needs, "") != feature);
        }

        foreach (string model in CpuModel.Names)
        {
            Assert.All(CpuModel.Parse(model, "").Allowed ?? new HashSet<string>(), name => CpuFeature.Find(name, ""));
        }
    }

    // Bits that everybody knows, from the vendors' manuals.
    [Theory]
    [InlineData("sse4.2", 1, 0, CpuidRegister.Ecx, 20)]
    [InlineData("aes", 1, 0, CpuidRegister.Ecx, 25)]
    [InlineData("avx2", 7, 0, CpuidRegister.Ebx, 5)]
    [InlineData("avx512f", 7, 0, CpuidRegister.Ebx, 16)]
    [InlineData("pku", 7, 0, CpuidRegister.Ecx, 3)]
    [InlineData("spec-ctrl", 7, 0, CpuidRegister.Edx, 26)]
    [InlineData("abm", 0x8000_0001, 0, CpuidRegister.Ecx, 5)]
    [InlineData("svm", 0x8000_0001, 0, CpuidRegister.Ecx, 2)]
    [InlineData("nx", 0x8000_0001, 0, CpuidRegister.Edx, 20)]
    [InlineData("pdpe1gb", 0x8000_0001, 0, CpuidRegister.Edx, 26)]
    [InlineData("verw-clear", 0x8000_0021, 0, CpuidRegister.Eax, 5)]
    [InlineData("ibpb-ret", 0x8000_0008, 0, CpuidRegister.Ebx, 30)]
    [InlineData("sha512", 7, 1, CpuidRegister.Eax, 0)]
    [InlineData("sm3", 7, 1, CpuidRegister.Eax, 1)]
    [InlineData("sm4", 7, 1, CpuidRegister.Eax, 2)]
    [InlineData("avx-vnni-int16", 7, 1, CpuidRegister.Edx, 10)]
    [InlineData("SSE4_1", 1, 0, CpuidRegister.Ecx, 19)]
    [InlineData("lahf_lm", 0x8000_0001, 0, CpuidRegister.Ecx, 0)]
    public void NamesStandForTheirBits(string name, uint leaf, uint index, CpuidRegister register, int bit)
    {
        CpuFeature feature = CpuFeature.Find(name, "");
        Assert.Equal((leaf, index, register, bit), (feature.Leaf, feature.Index, feature.Register, feature.Bit));
    }

    [Fact]
    public void TheHostIsAllButTheInvariantTsc()
    {
        KvmCpuidEntry[] host = Host();
        KvmCpuidEntry[] guest = CpuFilter.Apply(CpuModel.Host, host);
        Assert.Same(host, guest);
        Assert.Equal(CpuFeature.All.Select(feature => feature.Name).Where(name => name != "invtsc"), CpuFilter.Offered(guest));
        Assert.Equal(CpuFeature.All.Count, CpuFilter.Offered(Apply("host,+invtsc")).Count);
        Assert.Equal(1u << 27, Leaf(guest, 1).Ecx & (1 << 27)); // what has no name stays
        Assert.Equal(1u << 27, Leaf(Apply("host,-aes"), 1).Ecx & (1 << 27));
    }

    // KVM gives these to every guest, whatever its list says.
    [Fact]
    public void TheDeadlineTimerAndTheHypervisorAreOffered()
    {
        Assert.Superset(new HashSet<string> { "tsc-deadline", "hypervisor" }, CpuFilter.Offered(Host("tsc-deadline", "hypervisor")).ToHashSet());
        Assert.DoesNotContain("hypervisor", WithoutAdding(Apply("host,-hypervisor")));

        // Offered itself would add it again.
        static IEnumerable<string> WithoutAdding(KvmCpuidEntry[] entries) => (Leaf(entries, 1).Ecx & (1u << 31)) == 0 ? [] : ["hypervisor"];
    }

    [Theory]
    [InlineData("x86-64-v2", Level2, Level3 + " aes rdrand rdtscp svm xsaveopt avx512f pku pdpe1gb invtsc")]
    [InlineData("X86-64-V3", Level3, "aes rdrand rdtscp svm xsaveopt avx512f pku pdpe1gb invtsc clzero")]
    public void ALevelHasItsFeaturesAndNoOthers(string model, string has, string hasNot)
    {
        KvmCpuidEntry[] guest = Apply(model);
        List<string> on = CpuFilter.Offered(guest);
        Assert.Empty(has.Split(' ').Except(on));
        Assert.Empty(hasNot.Split(' ').Except(has.Split(' ')).Intersect(on));
        Assert.Superset(new HashSet<string> { "fpu", "sse2", "lm", "nx", "syscall", "x2apic", "spec-ctrl", "ibpb" }, on.ToHashSet());

        // What guards against speculation isn't a level's business.
        Assert.Superset(
            new HashSet<string> { "bhi-ctrl", "rrsba-ctrl", "ipred-ctrl", "ddpd-u", "intel-psfd", "amd-psfd", "mcdt-no", "verw-clear", "ibpb-ret", "srso-no" },
            on.ToHashSet());

        // No bit that the level doesn't name: not even those without a name, but for AMD's copies of leaf 1.
        Assert.Equal(0u, Leaf(guest, 7).Ebx & (1 << 6));
        Assert.Equal(0x0183_F3FFu, Leaf(guest, 0x8000_0001).Edx & 0x0183_F3FF);
        Assert.Equal(default, Leaf(guest, 0xA));
        Assert.Equal("Strato " + model.ToLowerInvariant(), Brand(guest));
        Assert.Equal(0x3030u, Leaf(guest, 0x8000_0008).Eax);
    }

    [Fact]
    public void ALevelWithMoreOrLess()
    {
        List<string> on = CpuFilter.Offered(Apply("x86-64-v2,+aes,rdtscp=on,-popcnt,ssse3=off"));
        Assert.Superset(new HashSet<string> { "aes", "rdtscp" }, on.ToHashSet());
        Assert.Empty(on.Intersect(["popcnt", "ssse3"]));
    }

    // Leaf 0xD: components, room for all of them, sub-leaves (offsets of the standard form).
    [Theory]
    [InlineData("host,-aes", 0x6_02E7, 11008, "1 2 5 6 7 9 11 17 18")]
    [InlineData("host,-amx-tile", 0x2E7, 2696, "1 2 5 6 7 9 11")]
    [InlineData("host,-avx512f,-amx-tile,-xsaves", 0x207, 2696, "1 2 9")]
    [InlineData("host,-avx,-pku,-amx-tile", 0x3, 576, "1 11")]
    [InlineData("x86-64-v3", 0x7, 832, "1 2")]
    [InlineData("x86-64-v3,+avx512f", 0xE7, 2688, "1 2 5 6 7")]
    [InlineData("host,-xsave", 0, 0, "")]
    [InlineData("x86-64-v2", 0, 0, "")]
    public void StateGoesWithItsFeatures(string cpu, uint components, uint size, string leaves)
    {
        KvmCpuidEntry[] guest = Apply(cpu);
        Assert.Equal((components, size), (Leaf(guest, 0xD).Eax, Leaf(guest, 0xD).Ecx));
        Assert.Equal(leaves, string.Join(' ', guest.Where(entry => entry.Function == 0xD && entry.Index > 0).Select(entry => entry.Index)));
    }

    [Fact]
    public void WhatNeedsAFeatureGoesWithIt()
    {
        List<string> on = CpuFilter.Offered(Apply("host,-avx"));
        Assert.Empty(on.Intersect(["avx", "avx2", "fma", "f16c", "avx512f", "avx512vl", "vaes", "avx-vnni", "avx-vnni-int16", "sha512", "sm3", "sm4"]));
        Assert.Contains("xsaveopt", on);
        Assert.Empty(CpuFilter.Offered(Apply("host,-xsave")).Intersect(["xsaveopt", "avx", "pku", "amx-tile", "amx-int8"]));
        Assert.Empty(CpuFilter.Offered(Apply("host,-svm")).Intersect(["npt", "vgif"]));
    }

    [Fact]
    public void WhatKvmDoesNotOfferIsRefused()
    {
        Assert.Equal(
            ("CpuFeatureNotOffered", "KVM doesn't offer the CPU feature 'aes' on this host; -cpu help lists those that it does.", "-cpu"),
            Told(Refused("host,+aes", "aes")));
        Assert.Equal(
            ("CpuFeatureNotOffered", "The CPU model x86-64-v3 needs avx2, bmi1, which KVM doesn't offer on this host.", "-cpu"),
            Told(Refused("x86-64-v3", "avx2", "bmi1")));
        Assert.Equal(
            ("CpuFeatureNotOffered", "The CPU feature 'avx2' doesn't work without 'avx', which isn't on; +avx adds it.", "-cpu"),
            Told(Refused("x86-64-v2,+avx2")));
        Apply("host,-aes", "aes");
    }

    [Theory]
    [InlineData("haswell", "UnknownCpuModel", "The CPU model 'haswell' is unknown; allowed: host, x86-64-v2, x86-64-v3.")]
    [InlineData("x86-64-v4", "UnknownCpuModel", "The CPU model 'x86-64-v4' is unknown (did you mean x86-64-v")]
    [InlineData("", "UnknownCpuModel", "The CPU model '' is unknown")]
    [InlineData("host,+avx3", "UnknownCpuFeature", "The CPU feature 'avx3' is unknown (did you mean avx")]
    [InlineData("host,avx2", "InvalidCpuFeature", "'avx2' is not a CPU feature with its sign; allowed: +NAME, -NAME, NAME=on, NAME=off.")]
    [InlineData("host,avx2=maybe", "InvalidCpuFeature", "'avx2=maybe' is not a CPU feature with its sign")]
    [InlineData("host,", "InvalidCpuFeature", "'' is not a CPU feature with its sign")]
    [InlineData("host,+", "InvalidCpuFeature", "'+' is not a CPU feature with its sign")]
    [InlineData("host,+avx,-avx", "InvalidCpuFeature", "The CPU feature 'avx' is given twice.")]
    public void WrongWordsAreRefused(string cpu, string id, string message)
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => Options.Parse(["-kernel", "k", "-cpu", cpu]));
        Assert.Equal((id, "-cpu"), (error.Id, error.Where));
        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheOptionIsReadAndWrittenAlike()
    {
        Assert.Equal("x86-64-v2,+aes,-popcnt", Options.Parse(["-kernel", "k", "-cpu", "x86-64-v2,+AES,popcnt=off"]).Configuration.Cpu.ToString());
        Assert.True(Options.Parse(["-kernel", "k", "-cpu", "host"]).Configuration.Cpu.IsPlainHost);
        Assert.True(Options.Parse(["-cpu", "help"]).CpuHelp);
    }

    [Fact]
    public void HelpListsModelsAndWhatIsOffered()
    {
        string text = CpuOption.ListText(CpuFilter.Offered(Host("aes")));
        Assert.StartsWith("CPU models: host, x86-64-v2, x86-64-v3\n\nCPU features that KVM offers on this host, to be given as +FEATURE or -FEATURE:\n  fpu vme ", text, StringComparison.Ordinal);
        Assert.Contains(" avx2 ", text, StringComparison.Ordinal);
        Assert.DoesNotContain(" aes ", text, StringComparison.Ordinal);
        Assert.All(text.Split('\n')[3..], line => Assert.InRange(line.Length, 0, 102));
    }

    private static (string Id, string Message, string? Where) Told(UserErrorException error) => (error.Id, error.Message, error.Where);

    private static string Brand(KvmCpuidEntry[] entries)
    {
        List<byte> text = [];
        for (uint leaf = 0x8000_0002; leaf <= 0x8000_0004; leaf++)
        {
            KvmCpuidEntry entry = Leaf(entries, leaf);
            foreach (uint register in (uint[])[entry.Eax, entry.Ebx, entry.Ecx, entry.Edx])
            {
                text.AddRange(BitConverter.GetBytes(register));
            }
        }

        return Encoding.ASCII.GetString([.. text]).TrimEnd('\0');
    }
}
