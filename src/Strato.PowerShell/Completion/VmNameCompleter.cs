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
