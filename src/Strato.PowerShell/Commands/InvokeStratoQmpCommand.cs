using System;
using System.Collections;
using System.Management.Automation;
using System.Text.Json;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Invoke-StratoQmp: one QMP command, its answer as objects.</summary>
[Cmdlet(VerbsLifecycle.Invoke, "StratoQmp", DefaultParameterSetName = VMSet, SupportsShouldProcess = true)]
[OutputType(typeof(PSObject))]
public sealed class InvokeStratoQmpCommand : VmDeviceCmdlet
{
    private JsonElement? _arguments;

    [Parameter(Mandatory = true, Position = 0, HelpMessage = "QMP command, such as query-status.")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(QmpCommandCompleter))]
    public string Command { get; set; } = null!;

    [Parameter(Position = 1, HelpMessage = "The command's arguments: a hashtable, an object, or JSON.")]
    [ValidateNotNull]
    public object? Arguments { get; set; }

    [Parameter(HelpMessage = "Seconds to wait for the answer; 10 if omitted.")]
    [ValidateRange(1, 86400)]
    public int Timeout { get; set; } = 10;

    protected override void BeginProcessing()
    {
        try
        {
            _arguments = Arguments is null ? null : Json.ParseArguments(Arguments);
        }
        catch (StratoException e)
        {
            throw Terminating(e, Arguments);
        }
    }

    private protected override void Process(VmTarget vm)
    {
        bool asks = Command.StartsWith("query-", StringComparison.Ordinal) || Command == "qmp_capabilities";
        if (!asks && !ShouldProcess(vm.Name, $"QMP {Command}"))
        {
            return;
        }

        object? answer = Try<object>(vm.Name, () => Json.ToObject(vm.Client.InvokeQmp(vm.Id, Command, _arguments, TimeSpan.FromSeconds(Timeout), Token))!);

        // Most commands answer an empty object; there is nothing in it for a pipeline.
        if (answer is not null && !(answer is PSObject custom && !((IEnumerable)custom.Properties).GetEnumerator().MoveNext()))
        {
            WriteObject(answer, enumerateCollection: true);
        }
    }
}
