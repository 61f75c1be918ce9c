using Strato.Engine.Bus;
using Strato.Engine.Kvm;
using Strato.Engine.Linux;

namespace Strato.Engine.Machine;

/// <summary>An interrupt's level as KVM's controllers see it: a guest that unmasks it later finds it still asserted.</summary>
internal sealed class KvmInterruptLevel(KvmVm vm, uint gsi) : ILevelInterruptLine
{
    public void Set(bool asserted)
    {
        try
        {
            vm.SetInterruptLevel(gsi, asserted);
        }
        catch (LinuxException)
        {
            // Of a GSI that the controllers have, KVM refuses it for a VM alone that it has given up.
        }
    }
}
