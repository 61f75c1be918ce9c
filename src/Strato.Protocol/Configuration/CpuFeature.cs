using System;
using System.Collections.Generic;
using System.Globalization;

namespace Strato.Protocol.Configuration;

/// <summary>A register that CPUID answers in.</summary>
public enum CpuidRegister
{
    Eax,
    Ebx,
    Ecx,
    Edx,
}

/// <summary>A feature that CPUID tells by one bit.</summary>
/// <param name="Name">As QEMU has it, in lower case.</param>
/// <param name="Leaf">The leaf it stands in.</param>
/// <param name="Index">The sub-leaf.</param>
/// <param name="Register">The register.</param>
/// <param name="Bit">The bit, 0 to 31.</param>
public sealed record CpuFeature(string Name, uint Leaf, uint Index, CpuidRegister Register, int Bit)
{
    // Intel SDM 2A, CPUID; AMD APM 3, appendix E. What the topology decides (ht, cmp-legacy, topoext), and what the guest's own
    // control registers do (osxsave, ospke), isn't here.
    private static readonly (uint Leaf, uint Index, CpuidRegister Register, string Names)[] Words =
    [
        (1, 0, CpuidRegister.Edx, "0:fpu 1:vme 2:de 3:pse 4:tsc 5:msr 6:pae 7:mce 8:cx8 9:apic 11:sep 12:mtrr 13:pge 14:mca 15:cmov 16:pat 17:pse36 19:clflush 23:mmx 24:fxsr 25:sse 26:sse2 27:ss"),
        (1, 0, CpuidRegister.Ecx, "0:pni 1:pclmulqdq 3:monitor 5:vmx 9:ssse3 12:fma 13:cx16 15:pdcm 17:pcid 19:sse4.1 20:sse4.2 21:x2apic 22:movbe 23:popcnt 24:tsc-deadline 25:aes 26:xsave 28:avx 29:f16c 30:rdrand 31:hypervisor"),
        (6, 0, CpuidRegister.Eax, "2:arat"),
        (7, 0, CpuidRegister.Ebx, "0:fsgsbase 1:tsc-adjust 2:sgx 3:bmi1 4:hle 5:avx2 7:smep 8:bmi2 9:erms 10:invpcid 11:rtm 14:mpx 16:avx512f 17:avx512dq 18:rdseed 19:adx 20:smap 21:avx512ifma 23:clflushopt 24:clwb 25:intel-pt 28:avx512cd 29:sha-ni 30:avx512bw 31:avx512vl"),
        (7, 0, CpuidRegister.Ecx, "1:avx512vbmi 2:umip 3:pku 5:waitpkg 6:avx512vbmi2 8:gfni 9:vaes 10:vpclmulqdq 11:avx512vnni 12:avx512bitalg 14:avx512-vpopcntdq 16:la57 22:rdpid 24:bus-lock-detect 25:cldemote 27:movdiri 28:movdir64b 30:sgxlc"),
        (7, 0, CpuidRegister.Edx, "4:fsrm 8:avx512-vp2intersect 10:md-clear 14:serialize 16:tsx-ldtrk 22:amx-bf16 23:avx512-fp16 24:amx-tile 25:amx-int8 26:spec-ctrl 27:stibp 28:flush-l1d 29:arch-capabilities 30:core-capability 31:ssbd"),
        (7, 1, CpuidRegister.Eax, "0:sha512 1:sm3 2:sm4 4:avx-vnni 5:avx512-bf16 7:cmpccxadd 10:fzrm 11:fsrs 12:fsrc 21:amx-fp16 23:avx-ifma"),
        (7, 1, CpuidRegister.Edx, "4:avx-vnni-int8 5:avx-ne-convert 8:amx-complex 10:avx-vnni-int16 14:prefetchiti"),
        (7, 2, CpuidRegister.Edx, "0:intel-psfd 1:ipred-ctrl 2:rrsba-ctrl 3:ddpd-u 4:bhi-ctrl 5:mcdt-no"),
        (0xD, 1, CpuidRegister.Eax, "0:xsaveopt 1:xsavec 2:xgetbv1 3:xsaves 4:xfd"),
        (0x8000_0001, 0, CpuidRegister.Edx, "11:syscall 20:nx 22:mmxext 25:fxsr-opt 26:pdpe1gb 27:rdtscp 29:lm 30:3dnowext 31:3dnow"),
        (0x8000_0001, 0, CpuidRegister.Ecx, "0:lahf-lm 2:svm 4:cr8legacy 5:abm 6:sse4a 7:misalignsse 8:3dnowprefetch 9:osvw 11:xop 16:fma4 21:tbm 23:perfctr-core"),
        (0x8000_0007, 0, CpuidRegister.Edx, "8:invtsc"),
        (0x8000_0008, 0, CpuidRegister.Ebx, "0:clzero 2:xsaveerptr 9:wbnoinvd 12:ibpb 14:ibrs 15:amd-stibp 17:stibp-always-on 24:amd-ssbd 25:virt-ssbd 26:amd-no-ssb 28:amd-psfd 30:ibpb-ret"),
        (0x8000_000A, 0, CpuidRegister.Edx, "0:npt 1:lbrv 3:nrip-save 4:tsc-scale 5:vmcb-clean 6:flushbyasid 7:decodeassists 10:pause-filter 12:pfthreshold 15:v-vmsave-vmload 16:vgif 25:vnmi"),
        (0x8000_0021, 0, CpuidRegister.Eax, "0:no-nested-data-bp 2:lfence-always-serializing 5:verw-clear 6:null-sel-clr-base 8:auto-ibrs 27:sbpb 28:ibpb-brtype 29:srso-no"),
    ];

    // What doesn't count without another: the instructions of wider registers go with their state.
    private const string Needed =
        "avx:xsave xsaveopt:xsave xsavec:xsave xgetbv1:xsave xsaves:xsave pku:xsave mpx:xsave amx-tile:xsave xfd:xsave avx2:avx f16c:avx fma:avx fma4:avx xop:avx"
        + " vaes:avx vpclmulqdq:avx avx-vnni:avx2 avx-ifma:avx2 avx-vnni-int8:avx2 avx-ne-convert:avx2 avx-vnni-int16:avx2 sha512:avx2 sm3:avx sm4:avx2 avx512f:avx2 avx512dq:avx512f avx512ifma:avx512f avx512cd:avx512f"
        + " avx512bw:avx512f avx512vl:avx512f avx512vbmi:avx512f avx512vbmi2:avx512f avx512vnni:avx512f avx512bitalg:avx512f avx512-vpopcntdq:avx512f"
        + " avx512-vp2intersect:avx512f avx512-fp16:avx512f avx512-bf16:avx512f amx-bf16:amx-tile amx-int8:amx-tile amx-fp16:amx-tile amx-complex:amx-tile"
        + " npt:svm lbrv:svm nrip-save:svm tsc-scale:svm vmcb-clean:svm flushbyasid:svm decodeassists:svm pause-filter:svm pfthreshold:svm v-vmsave-vmload:svm vgif:svm vnmi:svm";

    private static readonly Lazy<Dictionary<string, CpuFeature>> ByName = new(ReadTable);
    private static readonly Lazy<Dictionary<string, string>> NeededByName = new(ReadNeeds);

    /// <summary>All that are known, in the table's order.</summary>
    public static IReadOnlyCollection<CpuFeature> All => ByName.Value.Values;

    /// <summary>The feature that this one doesn't work without, or null.</summary>
    public string? Needs => NeededByName.Value.GetValueOrDefault(Name);

    /// <summary>The feature of a name; case, and <c>_</c> for <c>-</c> or <c>.</c>, don't matter.</summary>
    /// <exception cref="UserErrorException">UnknownCpuFeature, with one that is near.</exception>
    public static CpuFeature Find(string name, string where)
    {
        string canonical = name.ToLowerInvariant().Replace('_', '-');
        if (ByName.Value.TryGetValue(canonical, out CpuFeature? feature) || ByName.Value.TryGetValue(canonical.Replace("sse4-", "sse4.", StringComparison.Ordinal), out feature))
        {
            return feature;
        }

        throw new UserErrorException(
            "UnknownCpuFeature",
            $"The CPU feature '{ConfigurationLimits.Printable(name)}' is unknown{NearName.Hint(canonical, ByName.Value.Keys)}; -cpu help lists those of this host.",
            where);
    }

    private static Dictionary<string, CpuFeature> ReadTable()
    {
        Dictionary<string, CpuFeature> table = new(StringComparer.Ordinal);
        foreach ((uint leaf, uint index, CpuidRegister register, string names) in Words)
        {
            foreach (string item in names.Split(' '))
            {
                string[] parts = item.Split(':');
                table.Add(parts[1], new CpuFeature(parts[1], leaf, index, register, int.Parse(parts[0], CultureInfo.InvariantCulture)));
            }
        }

        return table;
    }

    private static Dictionary<string, string> ReadNeeds()
    {
        Dictionary<string, string> needs = new(StringComparer.Ordinal);
        foreach (string item in Needed.Split(' '))
        {
            string[] parts = item.Split(':');
            needs.Add(parts[0], parts[1]);
        }

        return needs;
    }
}
