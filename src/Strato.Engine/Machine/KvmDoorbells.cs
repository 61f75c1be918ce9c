using Strato.Engine.Bus;
using Strato.Engine.Kvm;

namespace Strato.Engine.Machine;

/// <summary>Doorbells of one device as ioeventfds: offsets of the device become guest addresses.</summary>
internal sealed class KvmDoorbells(KvmVm vm, ulong baseAddress) : IDoorbells
{
    public void Attach(ulong offset, uint value, int eventFd) => vm.AssignIoeventfd(baseAddress + offset, value, eventFd);

    public void Detach(ulong offset, uint value, int eventFd) => vm.DeassignIoeventfd(baseAddress + offset, value, eventFd);
}
