using System;
using System.Collections;
using System.Collections.Generic;
using System.IO;
using System.Management.Automation;
using System.Management.Automation.Language;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>Completes names of VMs from their definitions; no engine is asked or started.</summary>
public sealed class VmNameCompleter : IArgumentCompleter
{
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        foreach (VmDefinition vm in Definitions())
        {
            if (Completion.Matches(vm.Name, wordToComplete))
            {
                yield return Completion.Result(vm.Name, $"{vm.Name} ({vm.Id}): {vm.Cpu} CPU, {View.Size(vm.Memory)}");
            }
        }
    }

    /// <summary>Completion shows nothing rather than an error.</summary>
    internal static IReadOnlyList<VmDefinition> Definitions()
    {
        try
        {
            return StratoClient.FromEnvironment().List().Definitions;
        }
        catch (Exception e) when (e is StratoException or IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}

/// <summary>Completes ids of drives, of the VMs that the command line names so far.</summary>
public sealed class DriveIdCompleter : IArgumentCompleter
{
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        HashSet<string> seen = new(StringComparer.OrdinalIgnoreCase);
        foreach (VmDefinition vm in VmNameCompleter.Definitions())
        {
            if (!IsMeant(vm, fakeBoundParameters))
            {
                continue;
            }

            foreach (DriveDefinition drive in vm.Drives)
            {
                if (Completion.Matches(drive.Id, wordToComplete) && seen.Add(drive.Id))
                {
                    yield return Completion.Result(drive.Id, drive.Path);
                }
            }
        }
    }

    private static bool IsMeant(VmDefinition vm, IDictionary bound)
    {
        object? given = bound["VMName"] ?? bound["VM"];
        given = given is PSObject wrapped ? wrapped.BaseObject : given;
        if (given is null)
        {
            return true;
        }

        foreach (object? item in given is IEnumerable many and not string ? many : new[] { given })
        {
            if (item?.ToString() is { } name && WildcardPattern.Get(name, WildcardOptions.IgnoreCase).IsMatch(vm.Name))
            {
                return true;
            }
        }

        return false;
    }
}
