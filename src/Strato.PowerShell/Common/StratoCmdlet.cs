using System;
using System.IO;
using System.Management.Automation;
using System.Text.RegularExpressions;
using System.Threading;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>What every cmdlet of the module has: a client, a token that Ctrl-C cancels, error records, and paths as the user means them.</summary>
public abstract class StratoCmdlet : PSCmdlet, IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private StratoClient? _client;

    /// <summary>Cancelled by Ctrl-C and when the pipeline is torn down.</summary>
    private protected CancellationToken Token => _stop.Token;

    /// <summary>The store that the environment names. It is asked for once per invocation, so that runspaces share nothing.</summary>
    private protected StratoClient Client => _client ??= OpenClient();

    protected override void StopProcessing() => _stop.Cancel();

    /// <summary>PowerShell disposes of a cmdlet when its pipeline ends, also by an error of a neighbour, where StopProcessing isn't called.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
        if (disposing)
        {
            _stop.Cancel();
        }
    }

    /// <summary>Does the work for one item; a failure becomes a non-terminating error about that item.</summary>
    /// <returns>Whether it went well.</returns>
    private protected bool Try(object? target, Action work) => Try(target, () =>
    {
        work();
        return true;
    });

    /// <summary>Does the work for one item; a failure becomes a non-terminating error about that item, and the default value is returned.</summary>
    private protected T? Try<T>(object? target, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (OperationCanceledException)
        {
            throw new PipelineStoppedException();
        }
        catch (Exception e) when (ErrorRecords.IsExpected(e))
        {
            WriteError(ErrorRecords.From(e, target));
            return default;
        }
    }

    /// <summary>A file as the user means it: relative to PowerShell's location, with <c>~</c> and PowerShell drives, wildcards taken as they stand.</summary>
    private protected string ResolveFile(string path)
    {
        string resolved = SessionState.Path.GetUnresolvedProviderPathFromPSPath(path, out ProviderInfo provider, out _);
        return provider.Name == "FileSystem"
            ? Path.GetFullPath(resolved)
            : throw new StratoException(
                StratoErrorKind.InvalidArgument, "PathNotFile", $"'{path}' is a path of PowerShell's provider {provider.Name}; a path of the file system is needed.");
    }

    /// <summary>As PowerShell's -match: case does not matter; <c>^</c> and <c>$</c> stand for the ends of a console line.</summary>
    private protected Regex ParseMatch(string parameter, string pattern)
    {
        try
        {
            // The text comes from the guest, which may be hostile: no match may hold the shell for long.
            return new Regex(pattern, RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.Multiline, TimeSpan.FromSeconds(5));
        }
        catch (ArgumentException e)
        {
            throw Terminating(new StratoException(StratoErrorKind.InvalidArgument, "MatchInvalid", $"-{parameter} '{pattern}' is not a regular expression: {e.Message}", e)
            {
                RecommendedAction = $"Escape plain text with [regex]::Escape() before it is given to -{parameter}.",
            });
        }
    }

    private protected TimeSpan? Seconds(string parameter, int value) =>
        MyInvocation.BoundParameters.ContainsKey(parameter) ? TimeSpan.FromSeconds(value) : null;

    /// <summary>Ends the cmdlet: for mistakes that concern all items. Written as <c>throw Terminating(…)</c>.</summary>
    private protected Exception Terminating(Exception e, object? target = null)
    {
        ThrowTerminatingError(ErrorRecords.From(e, target));
        return e;
    }

    private StratoClient OpenClient()
    {
        try
        {
            return StratoClient.FromEnvironment();
        }
        catch (StratoException e)
        {
            throw Terminating(e);
        }
    }
}
