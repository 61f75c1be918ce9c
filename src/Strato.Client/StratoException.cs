using System;

namespace Strato.Client;

/// <summary>What kind of failure it is; a cmdlet maps it to an ErrorCategory.</summary>
public enum StratoErrorKind
{
    /// <summary>Something in the host or the engine failed; no more is known.</summary>
    Failed,

    /// <summary>A value given by the user is not allowed.</summary>
    InvalidArgument,

    /// <summary>The VM, drive or file does not exist.</summary>
    NotFound,

    /// <summary>A VM or drive of that name exists.</summary>
    AlreadyExists,

    /// <summary>The VM is in a state that does not allow the operation.</summary>
    InvalidState,

    /// <summary>Somebody else holds what is needed: a lock, the console's keyboard.</summary>
    Busy,

    /// <summary>A time limit passed.</summary>
    Timeout,

    /// <summary>The user may not do that.</summary>
    Permission,

    /// <summary>The host lacks what is needed, such as KVM or the engine.</summary>
    Unavailable,

    /// <summary>The connection to the engine was refused or broke off.</summary>
    Connection,

    /// <summary>A file of the store cannot be understood.</summary>
    InvalidData,

    /// <summary>The engine reports a failure of its own, of KVM or of a device of the host.</summary>
    Engine,

    /// <summary>The VM ended while it was being waited for.</summary>
    Ended,
}

/// <summary>Every failure that the client reports on purpose.</summary>
/// <remarks>
/// Cancellation is not one: that is <see cref="OperationCanceledException"/>. <see cref="Id"/> is stable and is the ErrorId of the
/// ErrorRecord; <see cref="Exception.Message"/> says what was given and what is allowed.
/// </remarks>
public sealed class StratoException : Exception
{
    public StratoException(StratoErrorKind kind, string id, string message, Exception? inner = null)
        : base(message, inner)
    {
        Kind = kind;
        Id = id;
    }

    /// <summary>The kind of failure.</summary>
    public StratoErrorKind Kind { get; }

    /// <summary>Stable PascalCase identifier, such as <c>VmNotFound</c>, <c>KernelNotFound</c>, <c>QmpTimeout</c>.</summary>
    public string Id { get; }

    /// <summary>Where the fault lies: an option, a file, a JSON path or a QMP argument; null where the message says it all.</summary>
    public string? Where { get; init; }

    /// <summary>What the user can do about it, one sentence; null if nothing is known.</summary>
    public string? RecommendedAction { get; init; }

    /// <summary>The name (or id) of the VM concerned; null if there is none.</summary>
    public string? VmName { get; init; }
}
