using System;
using System.Collections.Generic;
using System.IO;
using System.Management.Automation;
using System.Management.Automation.Host;

namespace Strato.Tests.CmdletHost;

/// <summary>The cmdlet test host: runs pipelines of the module's cmdlet classes under plain dotnet. It is not PowerShell and parses none.</summary>
/// <example><code>
/// TestHost host = new();
/// host.Invoke(new Step("New-StratoVm", "web").With("Kernel", "vmlinuz"), new Step("Start-StratoVm").Switch("PassThru"));
/// </code></example>
public sealed class TestHost
{
    /// <summary>How it calls itself wherever it prints.</summary>
    public const string Name = "cmdlet test host";

    private volatile Stage[] _running = [];
    private volatile bool _stopped;

    /// <summary>PowerShell's location; paths are relative to it, whatever the process directory is.</summary>
    public string Location { get; set; } = Directory.GetCurrentDirectory();

    /// <summary>Variables that cmdlets ask for, such as ConfirmPreference.</summary>
    public Dictionary<string, object?> Variables { get; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Who has subscribed to events.</summary>
    public PSEventManager Events { get; } = new();

    /// <summary>Answers ShouldProcess and ShouldContinue; null says yes to all.</summary>
    public Func<string, bool>? Ask { get; set; }

    /// <summary>Called with each object that leaves the pipeline, on its thread.</summary>
    public Action<object?>? OnOutput { get; set; }

    /// <summary>Called with each progress record.</summary>
    public Action<ProgressRecord>? OnProgress { get; set; }

    /// <summary>Called with each line a cmdlet writes to the screen.</summary>
    public Action<string>? OnScreen { get; set; }

    /// <summary>Runs a pipeline to its end. Binding errors are thrown, all others are in the result.</summary>
    public HostResult Invoke(params Step[] pipeline) => Invoke(input: null, pipeline);

    /// <summary>Runs a pipeline over objects, as <c>$input | …</c>.</summary>
    public HostResult Invoke(IEnumerable<object?>? input, params Step[] pipeline)
    {
        HostResult result = new();
        List<Stage> stages = [];
        try
        {
            Stage? next = null;
            for (int i = pipeline.Length - 1; i >= 0; i--)
            {
                next = new Stage(this, result, pipeline[i], next, takesInput: i > 0 || input is not null);
                stages.Insert(0, next);
            }

            _stopped = false;
            _running = [.. stages];
            Run(stages, input);
        }
        catch (CmdletInvocationException e)
        {
            result.Terminating = e.ErrorRecord;
        }
        catch (PipelineStoppedException) when (_stopped)
        {
            result.Stopped = true;
        }
        finally
        {
            _running = [];
            stages.ForEach(stage => stage.Dispose());
        }

        return result;
    }

    /// <summary>Ctrl-C: stops the running pipeline; to be called from another thread or from a callback.</summary>
    public void Stop()
    {
        _stopped = true;
        foreach (Stage stage in _running)
        {
            stage.Stop();
        }
    }

    internal PSHost Screen(HostResult result) => new ScreenHost(line =>
    {
        result.Screen.Add(line);
        OnScreen?.Invoke(line);
    });

    private static void Run(List<Stage> stages, IEnumerable<object?>? input)
    {
        foreach (Stage stage in stages)
        {
            stage.Begin();
        }

        if (input is null)
        {
            stages[0].ProcessOnce();
        }
        else
        {
            foreach (object? record in input)
            {
                stages[0].Accept(record);
            }
        }

        foreach (Stage stage in stages)
        {
            stage.End();
        }
    }

    private sealed class ScreenHost(Action<string> write) : PSHost
    {
        public override string Name => TestHost.Name;

        public override PSHostUserInterface UI { get; } = new Lines(write);

        private sealed class Lines(Action<string> write) : PSHostUserInterface
        {
            public override void WriteLine(string value) => write(value);
        }
    }
}
