namespace System.Management.Automation;

public enum ErrorCategory
{
    NotSpecified,
    OpenError,
    CloseError,
    DeviceError,
    DeadlockDetected,
    InvalidArgument,
    InvalidData,
    InvalidOperation,
    InvalidResult,
    InvalidType,
    MetadataError,
    NotImplemented,
    NotInstalled,
    ObjectNotFound,
    OperationStopped,
    OperationTimeout,
    SyntaxError,
    ParserError,
    PermissionDenied,
    ResourceBusy,
    ResourceExists,
    ResourceUnavailable,
    ReadError,
    WriteError,
    FromStdErr,
    SecurityError,
    ProtocolError,
    ConnectionError,
    AuthenticationError,
    LimitsExceeded,
    QuotaExceeded,
    NotEnabled,
}

public class ErrorDetails
{
    public ErrorDetails(string message) => Message = message;

    public string Message { get; }

    public string? RecommendedAction { get; set; }
}

public class ErrorCategoryInfo
{
    internal ErrorCategoryInfo(ErrorCategory category) => Category = category;

    public ErrorCategory Category { get; }
}

public class ErrorRecord
{
    private readonly string _errorId;
    private string? _command;

    public ErrorRecord(Exception exception, string errorId, ErrorCategory errorCategory, object? targetObject)
    {
        Exception = exception;
        _errorId = errorId;
        CategoryInfo = new ErrorCategoryInfo(errorCategory);
        TargetObject = targetObject;
    }

    public Exception Exception { get; }

    public object? TargetObject { get; }

    public ErrorCategoryInfo CategoryInfo { get; }

    public ErrorDetails? ErrorDetails { get; set; }

    public string FullyQualifiedErrorId => _command is null ? _errorId : $"{_errorId},{_command}";

    public override string ToString() => ErrorDetails?.Message ?? Exception.Message;

    internal void SetCommand(Cmdlet cmdlet) => _command ??= cmdlet.GetType().FullName;
}

public class RuntimeException : SystemException
{
    public RuntimeException(string message)
        : base(message)
    {
    }

    public RuntimeException(string message, Exception inner)
        : base(message, inner)
    {
    }
}

public class PipelineStoppedException : RuntimeException
{
    public PipelineStoppedException()
        : base("The pipeline has been stopped.")
    {
    }
}

/// <summary>What ThrowTerminatingError throws to unwind the cmdlet.</summary>
public class CmdletInvocationException : RuntimeException
{
    public CmdletInvocationException(ErrorRecord error)
        : base(error.ToString(), error.Exception) => ErrorRecord = error;

    public ErrorRecord ErrorRecord { get; }
}

public class PSInvalidCastException : InvalidCastException
{
    public PSInvalidCastException(string message)
        : base(message)
    {
    }
}
