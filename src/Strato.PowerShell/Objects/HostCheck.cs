namespace Strato;

/// <summary>One line of the checklist about a host.</summary>
public sealed class HostCheck
{
    private readonly global::Strato.Client.HostCheck _check;

    internal HostCheck(global::Strato.Client.HostCheck check)
    {
        _check = check;
    }

    /// <summary>What was looked at.</summary>
    public string Name => _check.Name;

    /// <summary>Passed, Warning (something that VMs may want isn't there) or Failed (VMs won't start, or not well).</summary>
    public string Result => _check.Result;

    /// <summary>What was found.</summary>
    public string Detail => _check.Detail;

    /// <summary>What to do about it; null where there is nothing to do.</summary>
    public string? Remedy => _check.Remedy;

    public override string ToString() => $"{Name}: {Result}";
}
