using System;
using System.Collections;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Language;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>Completes names of switches.</summary>
public sealed class SwitchNameCompleter : IArgumentCompleter
{
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters) =>
        Offered(() => StratoClient.FromEnvironment().FindSwitches().Select(found => (found.Name, $"{found.SwitchType}{(found.Subnet is null ? "" : $", {found.Subnet}")}{(found.Nat ? " with NAT" : "")}")), wordToComplete);

    /// <summary>Completion shows nothing rather than an error.</summary>
    internal static List<CompletionResult> Offered(Func<IEnumerable<(string Name, string Tip)>> all, string typed)
    {
        try
        {
            return [.. all().Where(item => Completion.Matches(item.Name, typed)).Select(item => Completion.Result(item.Name, item.Tip))];
        }
        catch (Exception e) when (e is StratoException or IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}

/// <summary>Completes interfaces of the host that a switch may lead to.</summary>
public sealed class NetAdapterNameCompleter : IArgumentCompleter
{
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters) =>
        SwitchNameCompleter.Offered(StratoClient.GetUplinks, wordToComplete);
}
