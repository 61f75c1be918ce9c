using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Host;

namespace Strato.Tests.CmdletHost;

/// <summary>One cmdlet of a running pipeline; what it emits goes straight into the next.</summary>
internal sealed class Stage : ICommandRuntime, IDisposable
{
    private static readonly string[] CommonParameters = ["WhatIf", "Confirm", "Verbose", "ErrorAction"];

    private readonly TestHost _host;
    private readonly HostResult _result;
    private readonly Stage? _next;
    private readonly PSCmdlet _cmdlet;
    private readonly Binder _binder;
    private readonly bool _takesInput;
    private readonly Dictionary<string, object?> _common = new(StringComparer.OrdinalIgnoreCase);

    public Stage(TestHost host, HostResult result, Step step, Stage? next, bool takesInput)
    {
        _host = host;
        _result = result;
        _next = next;
        _takesInput = takesInput;
        CmdletInfo info = CmdletInfo.Get(step.Name);
        _cmdlet = (PSCmdlet)Activator.CreateInstance(info.Type)!;
        _binder = new Binder(info, _cmdlet);
        CmdletWiring.Attach(_cmdlet, this, new SessionState(host.Location, host.Variables, host.Events));
        foreach ((string name, object? value) in step.Named)
        {
            if (CommonParameters.Contains(name, StringComparer.OrdinalIgnoreCase))
            {
                if (name is "WhatIf" or "Confirm" && !info.Attribute.SupportsShouldProcess)
                {
                    throw new BindingException("NamedParameterNotFound", $"A parameter cannot be found that matches parameter name '{name}' of {info.Name}.");
                }

                _common.Add(name, value);
                _cmdlet.MyInvocation.BoundParameters.Add(name, value);
            }
        }

        _binder.BindArguments(step.Named.Where(pair => !_common.ContainsKey(pair.Key)), step.Positional);
        _binder.RequireMandatory(takesInput);
    }

    public PSHost Host => _host.Screen(_result);

    public void Begin()
    {
        if (!_takesInput)
        {
            _binder.ChooseSet();
        }

        CmdletWiring.Begin(_cmdlet);
    }

    public void ProcessOnce() => CmdletWiring.Process(_cmdlet);

    public void End() => CmdletWiring.End(_cmdlet);

    public void Stop() => CmdletWiring.Stop(_cmdlet);

    public void Dispose() => (_cmdlet as IDisposable)?.Dispose();

    public void Accept(object? record)
    {
        if (!_binder.BindPipeline(record))
        {
            ErrorRecord error = new(
                new RuntimeException("The input object cannot be bound to any parameters for the command."), "InputObjectNotBound", ErrorCategory.InvalidArgument, record);
            _cmdlet.WriteError(error);
            return;
        }

        _binder.ChooseSet();
        CmdletWiring.Process(_cmdlet);
    }

    public void WriteObject(object? sendToPipeline)
    {
        if (_next is null)
        {
            _result.Output.Add(sendToPipeline);
            _host.OnOutput?.Invoke(sendToPipeline);
        }
        else
        {
            _next.Accept(sendToPipeline);
        }
    }

    public void WriteError(ErrorRecord errorRecord)
    {
        if ("Stop".Equals(_common.GetValueOrDefault("ErrorAction")?.ToString(), StringComparison.OrdinalIgnoreCase))
        {
            throw new CmdletInvocationException(errorRecord);
        }

        _result.Errors.Add(errorRecord);
    }

    public void WriteWarning(string text) => _result.Warnings.Add(text);

    public void WriteVerbose(string text) => _result.Verbose.Add(text);

    public void WriteDebug(string text)
    {
    }

    public void WriteProgress(ProgressRecord progressRecord)
    {
        // A copy: cmdlets may reuse theirs.
        _result.Progress.Add(new ProgressRecord(progressRecord.ActivityId, progressRecord.Activity, progressRecord.StatusDescription)
        {
            PercentComplete = progressRecord.PercentComplete,
            RecordType = progressRecord.RecordType,
        });
        _host.OnProgress?.Invoke(progressRecord);
    }

    public bool ShouldProcess(string target, string action)
    {
        _result.ShouldProcess.Add($"{action}: {target}");
        return !LanguagePrimitives.IsTrue(_common.GetValueOrDefault("WhatIf")) && (_host.Ask?.Invoke($"{action}: {target}") ?? true);
    }

    public bool ShouldContinue(string query, string caption) => _host.Ask?.Invoke(query) ?? true;
}
