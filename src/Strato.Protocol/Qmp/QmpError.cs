using System;

namespace Strato.Protocol.Qmp;

/// <summary>Error classes of QMP. Only these may be told apart by programs; the description is for people.</summary>
public static class QmpErrorClass
{
    public const string GenericError = "GenericError";
    public const string CommandNotFound = "CommandNotFound";
    public const string DeviceNotActive = "DeviceNotActive";
    public const string DeviceNotFound = "DeviceNotFound";
}

/// <summary>A QMP command that failed: thrown by a command of the server, and by a client that got an error.</summary>
public sealed class QmpException : Exception
{
    public QmpException(string description)
        : this(QmpErrorClass.GenericError, description)
    {
    }

    /// <param name="errorClass">One of <see cref="QmpErrorClass"/>.</param>
    /// <param name="description">What was given and what is allowed, in one sentence.</param>
    public QmpException(string errorClass, string description)
        : base(description)
    {
        ErrorClass = errorClass;
    }

    public string ErrorClass { get; }
}
