using System;

namespace Strato.Protocol;

/// <summary>A mistake that the user can see and mend: in an option, the configuration, a file, or the host.</summary>
/// <remarks>
/// <see cref="Exception.Message"/> is one sentence that says what was given and what is allowed; it reaches the user
/// unchanged, as text, as QMP error or through the readiness pipe.
/// </remarks>
public sealed class UserErrorException : Exception
{
    /// <summary>Makes an error.</summary>
    /// <param name="id">Stable PascalCase name that scripts may test, such as <c>DriveLocked</c>.</param>
    /// <param name="message">What was given, and what is allowed.</param>
    /// <param name="where">The option, JSON path or QMP argument that is meant, such as <c>-drive id=root</c>; empty where none is.</param>
    /// <param name="innerException">What the host said, if it said something.</param>
    public UserErrorException(string id, string message, string where = "", Exception? innerException = null)
        : base(message, innerException)
    {
        Id = id;
        Where = where;
    }

    /// <summary>Stable PascalCase name of the kind of error.</summary>
    public string Id { get; }

    /// <summary>The option, JSON path or QMP argument that is meant; may be empty.</summary>
    public string Where { get; }
}
