namespace Strato;

/// <summary>One line of the checklist about a VM that is to be started.</summary>
public sealed class VmCheck
{
    private readonly global::Strato.Client.HostCheck _check;

    internal VmCheck(string name, global::Strato.Client.HostCheck check)
    {
        VMName = name;
        _check = check;
    }

    /// <summary>The VM.</summary>
    public string VMName { get; }

    /// <summary>What was looked at, such as Kernel, or Drive disk0.</summary>
    public string Name => _check.Name;

    /// <summary>Passed, Warning (it starts, but perhaps not well) or Failed (it doesn't start).</summary>
    public string Result => _check.Result;

    /// <summary>What was found.</summary>
    public string Detail => _check.Detail;

    /// <summary>What to do about it; null where there is nothing to do.</summary>
    public string? Remedy => _check.Remedy;

    public override string ToString() => $"{VMName}, {Name}: {Result}";
}
