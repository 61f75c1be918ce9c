using System.Text;
using Strato.Client;
using Strato.PowerShell;

namespace Strato;

/// <summary>How a command in a guest ended, and what it wrote.</summary>
public sealed class GuestCommandResult
{
    private readonly GuestCommandOutcome _outcome;

    internal GuestCommandResult(VmTarget vm, GuestCommandOutcome outcome)
    {
        _outcome = outcome;
        VMName = vm.Name;
        VMId = vm.Id;
        StandardOutput = Encoding.UTF8.GetString(outcome.Output);
        StandardError = Encoding.UTF8.GetString(outcome.Error);
    }

    /// <summary>Name of the VM.</summary>
    public string VMName { get; }

    /// <summary>Id of that VM.</summary>
    public string VMId { get; }

    /// <summary>Null where a signal ended it.</summary>
    public int? ExitCode => _outcome.ExitCode;

    /// <summary>Number of the signal that ended it, or null.</summary>
    public int? Signal => _outcome.Signal;

    /// <summary>All of it, read as UTF-8; <see cref="GetOutputBytes"/> has it as it was.</summary>
    public string StandardOutput { get; }

    /// <summary>All of it, read as UTF-8; <see cref="GetErrorBytes"/> has it as it was.</summary>
    public string StandardError { get; }

    /// <summary>Whether the agent kept no more of the output.</summary>
    public bool OutputTruncated => _outcome.OutputTruncated;

    /// <summary>Whether the agent kept no more of standard error.</summary>
    public bool ErrorTruncated => _outcome.ErrorTruncated;

    /// <summary>Process id in the guest.</summary>
    public long ProcessId => _outcome.ProcessId;

    /// <summary>Standard output, byte by byte.</summary>
    public byte[] GetOutputBytes() => [.. _outcome.Output];

    /// <summary>Standard error, byte by byte.</summary>
    public byte[] GetErrorBytes() => [.. _outcome.Error];

    /// <summary>The output, so that the object can stand where a text is expected.</summary>
    public override string ToString() => StandardOutput;
}
