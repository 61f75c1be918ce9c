using System;
using System.Collections.Generic;
using Strato.Engine.Kvm;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Machine;

/// <summary>What KVM of the host of a snapshot could do that its guest's state stands on.</summary>
/// <param name="Name">As linux/kvm.h has it.</param>
/// <param name="Number">The kernel's.</param>
/// <param name="Value">The answer to KVM_CHECK_EXTENSION.</param>
/// <param name="IsNeeded">Whether the guest can't go on without.</param>
internal readonly record struct KvmCapability(string Name, uint Number, uint Value, bool IsNeeded)
{
    public const string SectionName = "kvm";

    private const int Most = 256;

    // What the state is read and set by. A counter that can be scaled is needed only where it is another's (VcpuState.MatchTsc).
    private static readonly (string Name, int Number, bool IsNeeded)[] All =
    [
        ("KVM_CAP_IRQCHIP", KvmAbi.KVM_CAP_IRQCHIP, true),
        ("KVM_CAP_MP_STATE", KvmAbi.KVM_CAP_MP_STATE, true),
        ("KVM_CAP_PIT_STATE2", KvmAbi.KVM_CAP_PIT_STATE2, true),
        ("KVM_CAP_ADJUST_CLOCK", KvmAbi.KVM_CAP_ADJUST_CLOCK, true),
        ("KVM_CAP_VCPU_EVENTS", KvmAbi.KVM_CAP_VCPU_EVENTS, true),
        ("KVM_CAP_DEBUGREGS", KvmAbi.KVM_CAP_DEBUGREGS, true),
        ("KVM_CAP_XSAVE", KvmAbi.KVM_CAP_XSAVE, true),
        ("KVM_CAP_XCRS", KvmAbi.KVM_CAP_XCRS, true),
        ("KVM_CAP_TSC_CONTROL", KvmAbi.KVM_CAP_TSC_CONTROL, false),
        ("KVM_CAP_TSC_DEADLINE_TIMER", KvmAbi.KVM_CAP_TSC_DEADLINE_TIMER, true),
        ("KVM_CAP_NESTED_STATE", KvmAbi.KVM_CAP_NESTED_STATE, true),
    ];

    /// <summary>Those that this host has.</summary>
    /// <param name="check">KVM_CHECK_EXTENSION.</param>
    /// <param name="hasNested">Whether the guest may have guests of its own.</param>
    public static List<KvmCapability> Read(Func<int, int> check, bool hasNested)
    {
        List<KvmCapability> capabilities = [];
        foreach ((string name, int number, bool isNeeded) in All)
        {
            if (check(number) is var value and > 0)
            {
                capabilities.Add(new KvmCapability(name, (uint)number, (uint)value, isNeeded && (hasNested || number != KvmAbi.KVM_CAP_NESTED_STATE)));
            }
        }

        return capabilities;
    }

    public static SnapshotSection ToSection(IReadOnlyList<KvmCapability> capabilities)
    {
        StateWriter writer = new();
        writer.U32((uint)capabilities.Count);
        foreach (KvmCapability capability in capabilities)
        {
            writer.Text(capability.Name);
            writer.U32(capability.Number);
            writer.U32(capability.Value);
            writer.Bool(capability.IsNeeded);
        }

        return writer.ToSection(SectionName);
    }

    /// <summary>Those of a snapshot; none for one that was saved before they were told.</summary>
    /// <exception cref="UserErrorException">SnapshotDamaged, SnapshotVersion.</exception>
    public static List<KvmCapability> Parse(StateFile state)
    {
        List<KvmCapability> capabilities = [];
        if (state.Find(SectionName) is { } section)
        {
            StateReader reader = section.Read();
            for (int left = reader.Count(Most); left > 0; left--)
            {
                capabilities.Add(new KvmCapability(reader.Text(), reader.U32(), reader.U32(), reader.Bool()));
            }

            reader.End();
        }

        return capabilities;
    }

    /// <summary>Refuses a snapshot whose guest needs what this host's KVM can't do.</summary>
    /// <param name="saved">The snapshot's.</param>
    /// <param name="check">KVM_CHECK_EXTENSION.</param>
    /// <exception cref="UserErrorException">SnapshotMismatch names them.</exception>
    public static void CheckThere(List<KvmCapability> saved, Func<int, int> check)
    {
        List<string> missing = [];
        foreach (KvmCapability capability in saved)
        {
            if (capability.IsNeeded && check((int)capability.Number) <= 0)
            {
                missing.Add(ConfigurationLimits.Printable(capability.Name));
            }
        }

        if (missing.Count > 0)
        {
            throw new UserErrorException("SnapshotMismatch", $"The snapshot's guest stands on {string.Join(", ", missing)}, which this host's KVM doesn't have.", "-incoming");
        }
    }
}
