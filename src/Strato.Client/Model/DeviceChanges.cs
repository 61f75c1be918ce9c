namespace Strato.Client;

/// <summary>What a user gives to change a drive. Null means "not given".</summary>
public sealed record DriveChange
{
    /// <summary>Absolute path; must exist.</summary>
    public string? Path { get; init; }

    /// <summary>The guest cannot write to it.</summary>
    public bool? ReadOnly { get; init; }

    /// <summary>At most 20 printable ASCII characters; empty for none.</summary>
    public string? Serial { get; init; }

    /// <summary>How its requests are served.</summary>
    public DriveIo Io { get; init; } = new();
}

/// <summary>What a user gives to make or change a console port. Null means "not given": the default on creation, unchanged on a change.</summary>
public sealed record ConsolePortChange
{
    /// <summary>Default <see cref="ConsolePortBackend.Socket"/>.</summary>
    public ConsolePortBackend? Backend { get; init; }

    /// <summary>Absolute path of the file or socket; empty for a socket in the running VM's own folder, which is the default.</summary>
    public string? Path { get; init; }
}

/// <summary>What a user gives to make or change a source of random bytes. Null means "not given".</summary>
public sealed record RngChange
{
    /// <summary>Absolute path; default /dev/urandom.</summary>
    public string? Source { get; init; }

    /// <summary>Most bytes in a <see cref="Period"/>; 0, the default, for no limit.</summary>
    public long? MaxBytes { get; init; }

    /// <summary>Milliseconds; default 65536.</summary>
    public long? Period { get; init; }
}

/// <summary>What a user gives to make or change a balloon. Null means "not given".</summary>
public sealed record BalloonChange
{
    /// <summary>Default off.</summary>
    public bool? DeflateOnOom { get; init; }

    /// <summary>Default off.</summary>
    public bool? FreePageReporting { get; init; }
}
