namespace Strato.Client;

/// <summary>One setting in which two VMs, or a VM and a configuration, differ.</summary>
/// <param name="Path">Which: <c>Memory</c>, <c>Drives[disk0].Iops</c>, or <c>Drives[disk1]</c> for one that only one of them has.</param>
/// <param name="Reference">Its value in the first: a string, a long, a bool, or null.</param>
/// <param name="Difference">Its value in the second.</param>
/// <param name="SideIndicator"><see cref="Reference"/> alone has it (<c>&lt;=</c>), the other alone (<c>=&gt;</c>), or both (<c>&lt;&gt;</c>).</param>
/// <param name="NeedsRestart">Whether the first, where it runs, has to be stopped to be given the second's.</param>
/// <param name="Change">What gives the first the second's: <c>Change Memory from 512MB to 1GB</c>.</param>
public sealed record VmDifference(string Path, object? Reference, object? Difference, string SideIndicator, bool NeedsRestart, string Change)
{
    public const string OnlyReference = "<=";

    public const string OnlyDifference = "=>";

    public const string Both = "<>";
}
