using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Language;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>What the completers share.</summary>
internal static class Completion
{
    /// <summary>Whether the value begins with what was typed, which may begin with a quote.</summary>
    public static bool Matches(string value, string? typed) =>
        value.StartsWith((typed ?? "").Trim('\'', '"'), StringComparison.OrdinalIgnoreCase);

    public static CompletionResult Result(string value, string tip) => new(Quote(value), value, CompletionResultType.ParameterValue, tip);

    /// <summary>Of a number, which needs no quotes.</summary>
    public static CompletionResult Number(string value, string tip) => new(value, value, CompletionResultType.ParameterValue, tip);

    /// <summary>As it has to be typed: quoted when it has characters that mean something to PowerShell.</summary>
    internal static string Quote(string value)
    {
        // In an argument these are plain; a dash, @, # or a digit at the front could mean something else.
        bool plain = value.Length > 0 && (char.IsLetter(value[0]) || value[0] is '_' or '/');
        foreach (char c in value)
        {
            plain &= char.IsLetterOrDigit(c) || c is '-' or '_' or '.' or '/';
        }

        return plain ? value : $"'{value.Replace("'", "''", StringComparison.Ordinal)}'";
    }
}

/// <summary>Completes from a fixed list.</summary>
public abstract class ListCompleter : IArgumentCompleter
{
    private protected abstract IReadOnlyList<(string Value, string Tip)> Values { get; }

    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        foreach ((string value, string tip) in Values)
        {
            if (Completion.Matches(value, wordToComplete))
            {
                yield return Completion.Result(value, tip);
            }
        }
    }
}

/// <summary>Completes machine types.</summary>
public sealed class MachineCompleter : ListCompleter
{
    private protected override IReadOnlyList<(string Value, string Tip)> Values =>
        [("microvm", "Smallest machine: virtio-mmio devices, serial console, quick to start.")];
}

/// <summary>Completes CPU models.</summary>
public sealed class CpuModelCompleter : ListCompleter
{
    private protected override IReadOnlyList<(string Value, string Tip)> Values =>
    [
        ("host", "All that the host's KVM offers."),
        ("x86-64-v2", "The level of about 2009: SSE4.2 and POPCNT."),
        ("x86-64-v3", "The level of about 2015: AVX2, BMI2 and FMA."),
    ];
}

/// <summary>Completes CPU features with their signs.</summary>
public sealed class CpuFeatureCompleter : ListCompleter
{
    private protected override IReadOnlyList<(string Value, string Tip)> Values =>
        [.. StratoClient.CpuFeatures.Select(name => ("+" + name, "With it, where KVM offers it.")), .. StratoClient.CpuFeatures.Select(name => ("-" + name, "Without it."))];
}

/// <summary>Completes QMP commands.</summary>
public sealed class QmpCommandCompleter : ListCompleter
{
    private protected override IReadOnlyList<(string Value, string Tip)> Values =>
    [
        ("balloon", "Ask the guest to have so much memory."),
        ("cont", "Let the virtual CPUs go on."),
        ("migrate", "Save a snapshot."),
        ("migrate-continue", "Complete the snapshot that holds the machine."),
        ("migrate_cancel", "End the snapshot that is being saved."),
        ("query-balloon", "The memory that the guest has."),
        ("query-block", "The disks."),
        ("query-chardev", "Where the serial port and the console ports lead."),
        ("query-commands", "All commands the engine knows."),
        ("query-cpus", "The virtual CPUs and their threads."),
        ("query-events", "All events the engine can send."),
        ("query-hotpluggable-cpus", "CPU slots."),
        ("query-kvm", "Whether KVM is used."),
        ("query-machines", "Machine types."),
        ("query-migrate", "How the snapshot goes that is being saved, or went."),
        ("query-mem", "What the memory is made of."),
        ("query-memory-size-summary", "How much memory the VM was given."),
        ("query-name", "The VM's name."),
        ("query-status", "The run state."),
        ("query-version", "The engine's version."),
        ("quit", "End the engine at once."),
        ("stop", "Hold the virtual CPUs."),
        ("system_powerdown", "Ask the guest to power down."),
        ("system_reset", "Reset the machine."),
    ];
}

/// <summary>Completes names of events.</summary>
public sealed class EventNameCompleter : ListCompleter
{
    private protected override IReadOnlyList<(string Value, string Tip)> Values =>
    [
        (VmEvent.Started, "The VM was started."),
        (VmEvent.Ended, "The VM's engine has ended, however that came."),
        ("ACPI_DEVICE_OST", "The guest has answered what it was asked of a CPU."),
        ("BALLOON_CHANGED", "The guest's memory has changed."),
        ("BLOCK_IO_ERROR", "A disk's request failed on the host."),
        ("CPU_RESIZE", "A CPU has come or gone."),
        ("DEVICE_DELETED", "A device has left the machine."),
        ("DUMP_COMPLETED", "A dump of the guest's memory has ended, well or not."),
        ("MIGRATION", "A snapshot is being saved, or has ended, well or not."),
        ("NETDEV_STREAM_DISCONNECTED", "The program behind a network interface has gone."),
        ("POWERDOWN", "The guest was asked to power down."),
        ("RESET", "The machine was reset."),
        ("RESUME", "The virtual CPUs go on."),
        ("SHUTDOWN", "The machine ends."),
        ("STOP", "The virtual CPUs are held."),
    ];
}
