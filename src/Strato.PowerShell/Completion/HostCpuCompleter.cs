using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Language;

namespace Strato.PowerShell;

/// <summary>Completes the host's CPUs: all of a NUMA node, and each by itself.</summary>
public sealed class HostCpuCompleter : IArgumentCompleter
{
    private const string Cpus = "/sys/devices/system/cpu";
    private const string Nodes = "/sys/devices/system/node";

    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        foreach ((string cpus, string tip) in Offered())
        {
            if (Completion.Matches(cpus, wordToComplete))
            {
                yield return cpus.All(char.IsAsciiDigit) ? Completion.Number(cpus, tip) : Completion.Result(cpus, tip);
            }
        }
    }

    /// <summary>Completion shows nothing rather than an error.</summary>
    private static List<(string Cpus, string Tip)> Offered()
    {
        List<(string Cpus, string Tip)> offered = [];
        try
        {
            // Documentation/ABI/stable/sysfs-devices-node: cpulist; a node of memory alone has an empty one.
            foreach (int node in Numbers(Nodes, "node"))
            {
                offered.Add((Read($"{Nodes}/node{node}/cpulist"), $"NUMA node {node} of this host"));
            }

            // A CPU that can't be taken offline has no such file.
            offered.AddRange(Numbers(Cpus, "cpu").Where(cpu => Read($"{Cpus}/cpu{cpu}/online") is not "0").Select(cpu => (cpu.ToString(CultureInfo.InvariantCulture), "CPU of this host")));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A CPU may go meanwhile.
        }

        return [.. offered.Where(item => item.Cpus.Length > 0).DistinctBy(item => item.Cpus, StringComparer.Ordinal)];
    }

    private static IEnumerable<int> Numbers(string folder, string prefix) => !Directory.Exists(folder) ? [] :
        Directory.GetDirectories(folder, prefix + "*").Select(path => Path.GetFileName(path)[prefix.Length..])
            .Where(rest => rest.Length > 0 && rest.All(char.IsAsciiDigit)).Select(rest => int.Parse(rest, CultureInfo.InvariantCulture)).Order();

    private static string Read(string path) => File.Exists(path) ? File.ReadAllText(path).Trim() : "";
}
