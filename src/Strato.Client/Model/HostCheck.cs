namespace Strato.Client;

/// <summary>One line of the checklist about a host.</summary>
/// <param name="Name">What was looked at.</param>
/// <param name="Result"><see cref="Passed"/>, <see cref="Warning"/> (something that VMs may want isn't there) or <see cref="Failed"/> (VMs won't start, or not well).</param>
/// <param name="Detail">What was found.</param>
/// <param name="Remedy">What to do about it; null where there is nothing to do.</param>
public sealed record HostCheck(string Name, string Result, string Detail, string? Remedy)
{
    public const string Passed = "Passed";

    public const string Warning = "Warning";

    public const string Failed = "Failed";
}
