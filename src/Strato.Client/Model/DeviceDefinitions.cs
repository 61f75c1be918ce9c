using System.Collections.Generic;
using System.Text.Json;
using Strato.Protocol.Configuration;

namespace Strato.Client;

/// <summary>Where a console port leads on the host.</summary>
public enum ConsolePortBackend
{
    /// <summary>A listening unix socket, one connection at a time.</summary>
    Socket,

    /// <summary>A file that the guest's output goes to.</summary>
    File,

    /// <summary>A new pseudo-terminal of the host, whose path the running VM tells.</summary>
    Pty,
}

/// <summary>One port of a VM's virtio console.</summary>
public sealed record ConsolePortDefinition
{
    /// <summary>Unique within the VM; what the guest finds the port by (<c>/dev/virtio-ports/ID</c>), unless it is a terminal.</summary>
    public required string Id { get; init; }

    /// <summary>The guest makes a terminal of it: hvc0 and on.</summary>
    public bool Terminal { get; init; }

    /// <summary>Where it leads.</summary>
    public ConsolePortBackend Backend { get; init; }

    /// <summary>Absolute path of the file or socket; null for a socket in the running VM's own folder, and for a pty.</summary>
    public string? Path { get; init; }

    /// <summary>Whether the QEMU guest agent answers on it: by its name in the guest, and on a socket.</summary>
    public bool IsGuestAgent => Id == Guest.AgentSession.PortName && !Terminal && Backend == ConsolePortBackend.Socket;

    /// <summary>Fields that a newer version wrote; kept as they are.</summary>
    internal IReadOnlyList<KeyValuePair<string, JsonElement>> Extra { get; init; } = [];
}

/// <summary>A thread of the engine that serves the devices which name it.</summary>
public sealed record IoThreadDefinition
{
    /// <summary>Unique among the VM's threads; the thread bears its first 15 bytes as its name.</summary>
    public required string Id { get; init; }

    /// <summary>Fields that a newer version wrote; kept as they are.</summary>
    internal IReadOnlyList<KeyValuePair<string, JsonElement>> Extra { get; init; } = [];
}

/// <summary>A folder of the host that a VM's guest can mount.</summary>
public sealed record SharedFolderDefinition
{
    /// <summary>Unique within the VM; the guest mounts the folder by it: 1 to 36 bytes of UTF-8.</summary>
    public required string Tag { get; init; }

    /// <summary>Absolute path of the folder.</summary>
    public required string Path { get; init; }

    /// <summary>Fields that a newer version wrote; kept as they are.</summary>
    internal IReadOnlyList<KeyValuePair<string, JsonElement>> Extra { get; init; } = [];
}

/// <summary>Sockets between the host and a VM's guest.</summary>
public sealed record VsockDefinition
{
    /// <summary>The guest's address, which no other running VM of the host has: 3 to 4294967294.</summary>
    public required long GuestCid { get; init; }

    /// <summary>Fields that a newer version wrote; kept as they are.</summary>
    internal IReadOnlyList<KeyValuePair<string, JsonElement>> Extra { get; init; } = [];
}

/// <summary>Random bytes of the host for a VM.</summary>
public sealed record RngDefinition
{
    /// <summary>Absolute path of what gives the bytes.</summary>
    public string Source { get; init; } = RngConfiguration.DefaultSource;

    /// <summary>Most bytes in a <see cref="Period"/>; 0 for no limit.</summary>
    public long MaxBytes { get; init; }

    /// <summary>Milliseconds.</summary>
    public long Period { get; init; } = RngConfiguration.DefaultPeriod;

    /// <summary>Fields that a newer version wrote; kept as they are.</summary>
    internal IReadOnlyList<KeyValuePair<string, JsonElement>> Extra { get; init; } = [];
}

/// <summary>Memory that a VM's guest gives back to the host, and takes again.</summary>
public sealed record BalloonDefinition
{
    /// <summary>A guest that runs out of memory takes back what it gave.</summary>
    public bool DeflateOnOom { get; init; }

    /// <summary>The guest tells which of its pages are free, and the host has them meanwhile.</summary>
    public bool FreePageReporting { get; init; }

    /// <summary>Fields that a newer version wrote; kept as they are.</summary>
    internal IReadOnlyList<KeyValuePair<string, JsonElement>> Extra { get; init; } = [];
}
