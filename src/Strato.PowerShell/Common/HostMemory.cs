using System;
using System.Management.Automation;

namespace Strato.PowerShell;

/// <summary>Warns of VMs larger than the host. Memory is given to guests as they touch it, so that is not an error.</summary>
internal static class HostMemory
{
    public static void Warn(Cmdlet cmdlet, long? memory)
    {
        long host = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (memory > host)
        {
            cmdlet.WriteWarning($"The VM's memory of {View.Size(memory)} is more than the host's {View.Size(host)}; the guest fails when it uses more than there is.");
        }
    }
}
