namespace Strato.Engine.Security;

/// <summary>How an engine shuts itself in.</summary>
/// <param name="User">The user id that it takes; null for one that no account has, where it may take one.</param>
/// <param name="Group">The group id that goes with <paramref name="User"/>.</param>
/// <param name="Namespaces">Whether it leaves the host's network, System V IPC and host name.</param>
internal sealed record SandboxPlan(uint? User, uint Group, bool Namespaces);
