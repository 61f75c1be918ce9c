namespace Strato.Protocol.Configuration;

/// <summary>How a drive's requests reach the host's kernel.</summary>
public enum DriveAio
{
    /// <summary>By calls on threads that may wait; what the host has in memory is read at once.</summary>
    Threads,

    /// <summary>By the kernel's asynchronous I/O; only with O_DIRECT.</summary>
    Native,

    /// <summary>By an io_uring.</summary>
    IoUring,

    /// <summary>One after the other, by calls on the thread that serves the drive.</summary>
    Off,
}

/// <summary>What is in force between guest and disk; QEMU's names.</summary>
public enum DriveCache
{
    /// <summary>Through the host's page cache; a flush makes writes stable.</summary>
    Writeback,

    /// <summary>Past the page cache (O_DIRECT); a flush makes writes stable.</summary>
    None,

    /// <summary>Through the page cache; each write is stable when it is answered.</summary>
    Writethrough,

    /// <summary>Past the page cache; each write is stable when it is answered.</summary>
    DirectSync,

    /// <summary>Through the page cache; flushes are answered and not done. A crash of the host loses what it likes.</summary>
    Unsafe,
}

/// <summary>What becomes of a guest's discards.</summary>
public enum DriveDiscard
{
    /// <summary>They aren't offered.</summary>
    Ignore,

    /// <summary>They give space back to the host.</summary>
    Unmap,
}

/// <summary>Whether writes of nothing but zeros are looked for.</summary>
public enum DriveDetectZeroes
{
    /// <summary>They are written like others.</summary>
    Off,

    /// <summary>They become a range of zeros, still allocated.</summary>
    On,

    /// <summary>They give space back to the host.</summary>
    Unmap,
}

/// <summary>What is done when the host fails at a request.</summary>
public enum DriveErrorAction
{
    /// <summary>The guest gets the error.</summary>
    Report,

    /// <summary>The guest is told that it went well.</summary>
    Ignore,

    /// <summary>The machine pauses; what failed is tried again when it goes on.</summary>
    Stop,

    /// <summary>Stop when the host's disk is full, else Report.</summary>
    Enospc,
}

/// <summary>The names of these choices on command lines, in JSON and in QMP.</summary>
public static class DriveNames
{
    /// <summary>In the order of the enum's members.</summary>
    public static readonly string[] Aio = ["threads", "native", "io_uring", "off"];

    /// <inheritdoc cref="Aio"/>
    public static readonly string[] Cache = ["writeback", "none", "writethrough", "directsync", "unsafe"];

    /// <inheritdoc cref="Aio"/>
    public static readonly string[] Discard = ["ignore", "unmap"];

    /// <inheritdoc cref="Aio"/>
    public static readonly string[] DetectZeroes = ["off", "on", "unmap"];

    /// <inheritdoc cref="Aio"/>
    public static readonly string[] WriteError = ["report", "ignore", "stop", "enospc"];

    /// <summary>A read never finds the disk full.</summary>
    public static readonly string[] ReadError = WriteError[..3];

    /// <summary>The name of a choice.</summary>
    public static string Of(DriveAio value) => Aio[(int)value];

    /// <inheritdoc cref="Of(DriveAio)"/>
    public static string Of(DriveCache value) => Cache[(int)value];

    /// <inheritdoc cref="Of(DriveAio)"/>
    public static string Of(DriveErrorAction value) => WriteError[(int)value];
}
