using Strato.Client;
using Strato.PowerShell;

namespace Strato;

/// <summary>Memory that a VM's guest gives back to the host, and takes again.</summary>
public sealed class Balloon
{
    internal Balloon(VmTarget vm, BalloonDefinition balloon, long memory, long? actual)
    {
        VMName = vm.Name;
        VMId = vm.Id;
        DeflateOnOom = balloon.DeflateOnOom;
        FreePageReporting = balloon.FreePageReporting;
        Memory = memory;
        Actual = actual;
    }

    /// <summary>Name of the VM it belongs to.</summary>
    public string VMName { get; }

    /// <summary>Id of that VM.</summary>
    public string VMId { get; }

    /// <summary>A guest that runs out of memory takes back what it gave.</summary>
    public bool DeflateOnOom { get; }

    /// <summary>The guest tells which of its pages are free, and the host has them meanwhile.</summary>
    public bool FreePageReporting { get; }

    /// <summary>Bytes of memory that the VM is defined with.</summary>
    public long Memory { get; }

    /// <summary>Bytes of memory that the guest has at the moment; null when the VM doesn't run.</summary>
    public long? Actual { get; }

    /// <summary>The VM's name, so that it can stand where one is expected: a VM has one at most.</summary>
    public override string ToString() => VMName;
}
