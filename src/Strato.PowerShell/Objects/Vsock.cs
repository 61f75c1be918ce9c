using Strato.Client;
using Strato.PowerShell;

namespace Strato;

/// <summary>Sockets between the host and a VM's guest.</summary>
public sealed class Vsock
{
    internal Vsock(VmTarget vm, VsockDefinition vsock)
    {
        VMName = vm.Name;
        VMId = vm.Id;
        GuestCid = vsock.GuestCid;
    }

    /// <summary>Name of the VM it belongs to.</summary>
    public string VMName { get; }

    /// <summary>Id of that VM.</summary>
    public string VMId { get; }

    /// <summary>The guest's address; the host's is 2.</summary>
    public long GuestCid { get; }

    /// <summary>The VM's name, so that it can stand where one is expected: a VM has one at most.</summary>
    public override string ToString() => VMName;
}
