namespace Strato.Client;

/// <summary>A device of the host that VMs may want.</summary>
/// <param name="Name">Such as <c>VhostNet</c>.</param>
/// <param name="Path">Where it is.</param>
/// <param name="Use">What it is for.</param>
/// <param name="Usable">Whether this process may use it.</param>
/// <param name="Detail">What was found.</param>
/// <param name="Remedy">What to do about it; null where there is nothing to do.</param>
public sealed record HostDeviceInfo(string Name, string Path, string Use, bool Usable, string Detail, string? Remedy);

/// <summary>A program of the host that a feature relies on.</summary>
/// <param name="Name">Such as <c>passt</c>.</param>
/// <param name="Path">Where it is; null where it isn't installed.</param>
/// <param name="Version">As it tells it; null where it tells none.</param>
/// <param name="Use">What it is for.</param>
/// <param name="Remedy">What to do about it; null where it is there.</param>
public sealed record HostProgramInfo(string Name, string? Path, string? Version, string Use, string? Remedy);
