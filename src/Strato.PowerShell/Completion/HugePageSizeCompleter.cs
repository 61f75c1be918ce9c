using System.Collections;
using System.Collections.Generic;
using System.Management.Automation;
using System.Management.Automation.Language;
using Strato.Client;
using Strato.Protocol.Configuration;

namespace Strato.PowerShell;

/// <summary>Completes sizes of huge pages: those that the host has.</summary>
public sealed class HugePageSizeCompleter : IArgumentCompleter
{
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        foreach (HugePageInfo pages in StratoClient.GetHugePages())
        {
            // PowerShell's units.
            string size = ByteSize.Format(pages.PageSize) + "B";
            if (Completion.Matches(size, wordToComplete))
            {
                yield return Completion.Number(size, $"{pages.Free} of {pages.Total} are free");
            }
        }
    }
}
