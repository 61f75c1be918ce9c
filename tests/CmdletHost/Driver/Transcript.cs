using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;

namespace Strato.Tests.CmdletHost;

/// <summary>Runs steps and writes them as a session would look, each line's prompt naming the cmdlet test host. For the demo.</summary>
public sealed class Transcript
{
    private readonly TestHost _host;
    private readonly TextWriter _writer;

    public Transcript(TestHost host, TextWriter writer)
    {
        _host = host;
        _writer = writer;
    }

    /// <summary>Prints the pipeline, runs it, prints what came; errors too.</summary>
    public HostResult Run(params Step[] pipeline)
    {
        _writer.WriteLine($"{TestHost.Name}> {string.Join(" | ", pipeline.Select(step => step.ToString()))}");
        HostResult result = _host.Invoke(pipeline);
        Show(result);
        return result;
    }

    private void Show(HostResult result)
    {
        result.Warnings.ForEach(warning => _writer.WriteLine($"WARNING: {warning}"));
        foreach (IGrouping<Type?, object?> group in result.Output.GroupBy(item => item?.GetType()))
        {
            Table(group.Key, [.. group]);
        }

        foreach (ErrorRecord error in result.Errors.Append(result.Terminating).OfType<ErrorRecord>())
        {
            _writer.WriteLine($"ERROR: {error} ({error.FullyQualifiedErrorId})");
            if (error.ErrorDetails?.RecommendedAction is { } action)
            {
                _writer.WriteLine($"       {action}");
            }
        }

        _writer.Flush();
    }

    private void Table(Type? type, IReadOnlyList<object?> items)
    {
        if (type == typeof(Vm))
        {
            Rows(
                ["Name", "State", "CpuUsage(%)", "MemoryAssigned", "Uptime", "Status"],
                items.Cast<Vm>().Select(vm => (string[])[vm.Name, vm.State, $"{vm.CpuUsage}", View.Size(vm.MemoryAssigned), View.Duration(vm.Uptime), vm.Status]));
        }
        else if (type == typeof(Drive))
        {
            Rows(
                ["VMName", "Id", "Size", "ReadOnly", "Path"],
                items.Cast<Drive>().Select(drive => (string[])[drive.VMName, drive.Id, View.Size(drive.Size), $"{drive.ReadOnly}", drive.Path]));
        }
        else
        {
            foreach (object? item in items)
            {
                Properties(item);
            }
        }
    }

    private void Properties(object? item)
    {
        if (item is null or string || item.GetType().IsPrimitive)
        {
            _writer.WriteLine(item);
            return;
        }

        List<PSPropertyInfo> properties = [.. PSObject.AsPSObject(item).Properties];
        int width = properties.Select(property => property.Name.Length).DefaultIfEmpty().Max();
        properties.ForEach(property => _writer.WriteLine($"{property.Name.PadRight(width)} : {property.Value}"));
    }

    private void Rows(string[] headers, IEnumerable<string[]> rows)
    {
        List<string[]> all = [headers, [.. headers.Select(header => new string('-', header.Length))], .. rows];
        int[] widths = [.. headers.Select((_, column) => all.Max(row => row[column].Length))];
        all.ForEach(row => _writer.WriteLine(string.Join(' ', row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd()));
    }
}
