using Strato.Client;
using Strato.PowerShell;

namespace Strato;

/// <summary>Random bytes of the host for a VM's guest.</summary>
public sealed class Rng
{
    internal Rng(VmTarget vm, RngDefinition rng)
    {
        VMName = vm.Name;
        VMId = vm.Id;
        Source = rng.Source;
        MaxBytes = rng.MaxBytes;
        Period = rng.Period;
    }

    /// <summary>Name of the VM it belongs to.</summary>
    public string VMName { get; }

    /// <summary>Id of that VM.</summary>
    public string VMId { get; }

    /// <summary>What gives the bytes.</summary>
    public string Source { get; }

    /// <summary>Most bytes in a <see cref="Period"/>; 0 for no limit.</summary>
    public long MaxBytes { get; }

    /// <summary>Milliseconds.</summary>
    public long Period { get; }

    /// <summary>The VM's name, so that it can stand where one is expected: a VM has one at most.</summary>
    public override string ToString() => VMName;
}
