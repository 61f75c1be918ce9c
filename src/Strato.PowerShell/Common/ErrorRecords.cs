using System;
using System.IO;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>Turns failures of the client into error records: stable id, category, target and what to do.</summary>
internal static class ErrorRecords
{
    /// <summary>Whether it is a failure that can be reported about one item, not a fault of the module.</summary>
    public static bool IsExpected(Exception e) =>
        e is StratoException or IOException or UnauthorizedAccessException;

    public static ErrorRecord From(Exception exception, object? target)
    {
        StratoException e = exception as StratoException ?? Name(exception);
        return new ErrorRecord(e, e.Id, Category(e.Kind), target ?? e.VmName)
        {
            ErrorDetails = e.RecommendedAction is null ? null : new ErrorDetails(e.Message) { RecommendedAction = e.RecommendedAction },
        };
    }

    private static StratoException Name(Exception e) => e switch
    {
        UnauthorizedAccessException => new(StratoErrorKind.Permission, "AccessDenied", e.Message, e),
        _ => new(StratoErrorKind.Failed, "FileFailed", e.Message, e),
    };

    public static ErrorCategory Category(StratoErrorKind kind) => kind switch
    {
        StratoErrorKind.InvalidArgument => ErrorCategory.InvalidArgument,
        StratoErrorKind.NotFound => ErrorCategory.ObjectNotFound,
        StratoErrorKind.AlreadyExists => ErrorCategory.ResourceExists,
        StratoErrorKind.InvalidState => ErrorCategory.InvalidOperation,
        StratoErrorKind.Busy => ErrorCategory.ResourceBusy,
        StratoErrorKind.Timeout => ErrorCategory.OperationTimeout,
        StratoErrorKind.Permission => ErrorCategory.PermissionDenied,
        StratoErrorKind.Unavailable => ErrorCategory.ResourceUnavailable,
        StratoErrorKind.Connection => ErrorCategory.ConnectionError,
        StratoErrorKind.InvalidData => ErrorCategory.InvalidData,
        StratoErrorKind.Engine => ErrorCategory.DeviceError,
        StratoErrorKind.Ended => ErrorCategory.OperationStopped,
        _ => ErrorCategory.NotSpecified,
    };
}
