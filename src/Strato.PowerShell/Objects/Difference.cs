using Strato.Client;

namespace Strato;

/// <summary>A setting in which a VM differs from a configuration, or from another VM.</summary>
public sealed class Difference
{
    private readonly VmDifference _difference;

    internal Difference(string name, VmDifference difference)
    {
        VMName = name;
        _difference = difference;
    }

    /// <summary>The VM that was compared.</summary>
    public string VMName { get; }

    /// <summary>Such as Memory, Drives[disk0].Iops, or Drives[disk1] where only one of them has it.</summary>
    public string Path => _difference.Path;

    /// <summary>The VM's own value: a text, a number, a bool, or null.</summary>
    public object? ReferenceValue => _difference.Reference;

    /// <summary>The value of the configuration or other VM.</summary>
    public object? DifferenceValue => _difference.Difference;

    /// <summary>&lt;= where only the VM has it, =&gt; where only the other has, &lt;&gt; where both have and differ.</summary>
    public string SideIndicator => _difference.SideIndicator;

    /// <summary>Whether the VM, where it runs, has to be stopped to be given the other's value.</summary>
    public bool NeedsRestart => _difference.NeedsRestart;

    public override string ToString() => $"{VMName}: {_difference.Change}";
}
