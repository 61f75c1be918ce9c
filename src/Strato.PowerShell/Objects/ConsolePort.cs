using System.Threading;
using Strato.Client;
using Strato.PowerShell;

namespace Strato;

/// <summary>A port of a VM's virtio console.</summary>
public sealed class ConsolePort
{
    internal ConsolePort(VmTarget vm, ConsolePortDefinition port, CancellationToken token)
    {
        Vm = vm;
        VMName = vm.Name;
        VMId = vm.Id;
        Id = port.Id;
        Terminal = port.Terminal;
        Backend = port.Backend.ToString();
        Path = vm.Client.GetConsolePortPath(vm.Id, port, token);
    }

    internal VmTarget Vm { get; }

    /// <summary>Name of the VM the port belongs to.</summary>
    public string VMName { get; }

    /// <summary>Id of that VM.</summary>
    public string VMId { get; }

    /// <summary>Unique within the VM; the guest finds the port by it, as /dev/virtio-ports/ID, unless it is a terminal.</summary>
    public string Id { get; }

    /// <summary>The guest makes a terminal of it: hvc0 and on.</summary>
    public bool Terminal { get; }

    /// <summary>Socket, File or Pty.</summary>
    public string Backend { get; }

    /// <summary>The socket, file or terminal it leads to; a socket is there while the VM runs, and a pty has a path only then.</summary>
    public string? Path { get; }

    public override string ToString() => Id;
}
