using Strato.Engine.Bus;
using Strato.Engine.Diagnostics;
using Strato.Engine.Kvm;
using Strato.Engine.Linux;

namespace Strato.Engine.Machine;

/// <summary>Doorbells of one device as ioeventfds: offsets of the device become guest addresses.</summary>
internal sealed class KvmDoorbells(KvmVm vm, ulong baseAddress) : IDoorbells
{
    public void Attach(ulong offset, uint value, int eventFd) => vm.AssignIoeventfd(baseAddress + offset, value, eventFd);

    public void Detach(ulong offset, uint value, int eventFd)
    {
        try
        {
            vm.DeassignIoeventfd(baseAddress + offset, value, eventFd);
        }
        catch (LinuxException error)
        {
            // What stays goes with the VM; it must not hinder a machine that ends.
            Log.Warning("machine", $"a doorbell stays: {error.Message}");
        }
    }
}
