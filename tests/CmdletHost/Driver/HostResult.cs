using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;

namespace Strato.Tests.CmdletHost;

/// <summary>What a pipeline left: its streams, in the order they were written.</summary>
public sealed class HostResult
{
    public List<object?> Output { get; } = [];

    public List<ErrorRecord> Errors { get; } = [];

    public List<string> Warnings { get; } = [];

    public List<string> Verbose { get; } = [];

    public List<ProgressRecord> Progress { get; } = [];

    /// <summary>Lines written to the host's screen.</summary>
    public List<string> Screen { get; } = [];

    /// <summary>ShouldProcess questions, as <c>action: target</c>, whether or not they were answered with yes.</summary>
    public List<string> ShouldProcess { get; } = [];

    /// <summary>The error that ended the pipeline, if one did.</summary>
    public ErrorRecord? Terminating { get; internal set; }

    /// <summary>Whether Ctrl-C ended it.</summary>
    public bool Stopped { get; internal set; }

    /// <summary>The output of one type.</summary>
    public IReadOnlyList<T> Of<T>() => [.. Output.Cast<T>()];

    /// <summary>The output, which has to be one object, and no error.</summary>
    public T Single<T>()
    {
        if (Errors.Count > 0 || Terminating is not null || Output.Count != 1)
        {
            throw new RuntimeException(
                $"{Output.Count} objects; errors: {string.Join(" | ", Errors.Append(Terminating).OfType<ErrorRecord>().Select(e => $"{e.FullyQualifiedErrorId}: {e}"))}");
        }

        return (T)Output[0]!;
    }
}
