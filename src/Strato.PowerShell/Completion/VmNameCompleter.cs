using System;
using System.Collections;
using System.Collections.Generic;
using System.IO;
using System.Linq;
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

/// <summary>Completes ids of VMs, also of those whose definition is damaged: Remove-StratoVm -Id takes them.</summary>
public sealed class VmIdCompleter : IArgumentCompleter
{
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters) =>
        SwitchNameCompleter.Offered(Ids, wordToComplete);

    private static IEnumerable<(string Id, string Tip)> Ids()
    {
        VmListing vms = StratoClient.FromEnvironment().List();
        return [.. vms.Definitions.Select(vm => (vm.Id, vm.Name)), .. vms.Damaged.Select(vm => (vm.Id, $"{vm.Name ?? "no name"} (damaged)"))];
    }
}
