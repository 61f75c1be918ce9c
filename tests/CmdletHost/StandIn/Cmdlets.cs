using System.Collections;
using System.Collections.Generic;
using System.Management.Automation.Host;

namespace System.Management.Automation;

/// <summary>Where a cmdlet's records go, and who answers its questions.</summary>
public interface ICommandRuntime
{
    PSHost Host { get; }

    void WriteObject(object? sendToPipeline);

    void WriteError(ErrorRecord errorRecord);

    void WriteWarning(string text);

    void WriteVerbose(string text);

    void WriteDebug(string text);

    void WriteProgress(ProgressRecord progressRecord);

    bool ShouldProcess(string target, string action);

    bool ShouldContinue(string query, string caption);
}

public abstract class Cmdlet
{
    public ICommandRuntime CommandRuntime { get; set; } = null!;

    public bool Stopping { get; internal set; }

    protected virtual void BeginProcessing()
    {
    }

    protected virtual void ProcessRecord()
    {
    }

    protected virtual void EndProcessing()
    {
    }

    protected virtual void StopProcessing()
    {
    }

    public void WriteObject(object? sendToPipeline)
    {
        ThrowIfStopping();
        CommandRuntime.WriteObject(sendToPipeline);
    }

    public void WriteObject(object? sendToPipeline, bool enumerateCollection)
    {
        if (enumerateCollection && sendToPipeline is IEnumerable many and not string and not IDictionary)
        {
            foreach (object? item in many)
            {
                WriteObject(item);
            }
        }
        else
        {
            WriteObject(sendToPipeline);
        }
    }

    public void WriteError(ErrorRecord errorRecord)
    {
        ThrowIfStopping();
        errorRecord.SetCommand(this);
        CommandRuntime.WriteError(errorRecord);
    }

    public void WriteWarning(string text) => CommandRuntime.WriteWarning(text);

    public void WriteVerbose(string text) => CommandRuntime.WriteVerbose(text);

    public void WriteDebug(string text) => CommandRuntime.WriteDebug(text);

    public void WriteProgress(ProgressRecord progressRecord)
    {
        ThrowIfStopping();
        CommandRuntime.WriteProgress(progressRecord);
    }

    public bool ShouldProcess(string target, string action) => CommandRuntime.ShouldProcess(target, action);

    public bool ShouldContinue(string query, string caption) => CommandRuntime.ShouldContinue(query, caption);

    public bool ShouldContinue(string query, string caption, ref bool yesToAll, ref bool noToAll) =>
        !noToAll && (yesToAll || CommandRuntime.ShouldContinue(query, caption));

    public void ThrowTerminatingError(ErrorRecord errorRecord)
    {
        errorRecord.SetCommand(this);
        throw new CmdletInvocationException(errorRecord);
    }

    internal void Begin() => BeginProcessing();

    internal void Process() => ProcessRecord();

    internal void End() => EndProcessing();

    internal void Stop()
    {
        Stopping = true;
        StopProcessing();
    }

    private void ThrowIfStopping()
    {
        if (Stopping)
        {
            throw new PipelineStoppedException();
        }
    }
}

public abstract class PSCmdlet : Cmdlet
{
    public PSHost Host => CommandRuntime.Host;

    public SessionState SessionState { get; internal set; } = null!;

    public PSEventManager Events => SessionState.Events;

    public InvocationInfo MyInvocation { get; internal set; } = new();

    public string ParameterSetName { get; internal set; } = ParameterAttribute.AllParameterSets;

    public object? GetVariableValue(string name) => SessionState.Variable(name);
}

public class InvocationInfo
{
    public Dictionary<string, object?> BoundParameters { get; } = new(StringComparer.OrdinalIgnoreCase);
}

public enum ProgressRecordType
{
    Processing,
    Completed,
}

public class ProgressRecord
{
    public ProgressRecord(int activityId, string activity, string statusDescription)
    {
        ActivityId = activityId;
        Activity = activity;
        StatusDescription = statusDescription;
    }

    public int ActivityId { get; }

    public string Activity { get; set; }

    public string StatusDescription { get; set; }

    public int PercentComplete { get; set; } = -1;

    public ProgressRecordType RecordType { get; set; }
}

/// <summary>Of the stand-in: what the driver may do to a cmdlet and PowerShell itself does from within.</summary>
public static class CmdletWiring
{
    public static void Attach(Cmdlet cmdlet, ICommandRuntime runtime, SessionState session)
    {
        cmdlet.CommandRuntime = runtime;
        if (cmdlet is PSCmdlet scripted)
        {
            scripted.SessionState = session;
        }
    }

    public static void SetParameterSet(Cmdlet cmdlet, string name)
    {
        if (cmdlet is PSCmdlet scripted)
        {
            scripted.ParameterSetName = name;
        }
    }

    public static void Begin(Cmdlet cmdlet) => cmdlet.Begin();

    public static void Process(Cmdlet cmdlet) => cmdlet.Process();

    public static void End(Cmdlet cmdlet) => cmdlet.End();

    public static void Stop(Cmdlet cmdlet) => cmdlet.Stop();
}
