using System;

namespace Strato.Client;

/// <summary>How a device is added to or removed from a VM that may be running.</summary>
public sealed record HotPlugOptions
{
    /// <summary>Only the running VM is changed; its definition stays, and so its next start is as before.</summary>
    public bool Transient { get; init; }

    /// <summary>Return when the running VM's guest has looked at the change.</summary>
    public bool Wait { get; init; }

    /// <summary>How long to wait; null for ever. Past it the wait fails with <c>WaitTimeout</c>.</summary>
    public TimeSpan? Timeout { get; init; }
}
