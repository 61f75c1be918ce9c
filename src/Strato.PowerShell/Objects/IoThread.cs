using Strato.Client;
using Strato.PowerShell;

namespace Strato;

/// <summary>A thread of a VM's engine that serves the devices which name it.</summary>
public sealed class IoThread
{
    internal IoThread(VmTarget vm, VmDefinition definition, IoThreadDefinition thread, int? threadId)
    {
        Vm = vm;
        VMName = vm.Name;
        VMId = vm.Id;
        Id = thread.Id;
        ThreadId = threadId;
        Devices = string.Join(' ', StratoClient.GetIoThreadUsers(definition, thread.Id));
    }

    internal VmTarget Vm { get; }

    /// <summary>Name of the VM the thread belongs to.</summary>
    public string VMName { get; }

    /// <summary>Id of that VM.</summary>
    public string VMId { get; }

    /// <summary>Unique among the VM's threads; the host shows the thread under its first 15 bytes.</summary>
    public string Id { get; }

    /// <summary>The host's id of the thread, while the VM runs; else null.</summary>
    public int? ThreadId { get; }

    /// <summary>Ids of the devices that it serves, divided by blanks.</summary>
    public string Devices { get; }

    public override string ToString() => Id;
}
