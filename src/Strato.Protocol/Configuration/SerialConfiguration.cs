namespace Strato.Protocol.Configuration;

/// <summary>What the serial port ttyS0 is connected to.</summary>
public enum SerialBackend
{
    /// <summary>The machine has no serial port.</summary>
    None,

    /// <summary>A port whose output is dropped and that never receives.</summary>
    Null,

    /// <summary>The engine's standard input and output.</summary>
    Stdio,

    /// <summary>Output goes to a file.</summary>
    File,

    /// <summary>A new pseudo-terminal, whose name is logged.</summary>
    Pty,

    /// <summary>A listening unix socket, one connection at a time.</summary>
    Unix,

    /// <summary>The engine's bounded ring, served to many readers on a unix socket, and a log file.</summary>
    Console,
}

/// <summary>The serial port and its host side.</summary>
/// <param name="Backend">What it is connected to.</param>
/// <param name="Path">Path of the file or of the socket; null for backends without one.</param>
/// <param name="LogFile">File of <see cref="SerialBackend.Console"/> that holds all bytes of this engine's life; null for none.</param>
public sealed record SerialConfiguration(SerialBackend Backend, string? Path = null, string? LogFile = null)
{
    /// <summary>Id of the <c>-chardev</c>; null where the port was given without one.</summary>
    public string? Id { get; init; }

    /// <summary>No serial port.</summary>
    public static SerialConfiguration None { get; } = new(SerialBackend.None);
}
