using System;
using System.Globalization;
using Strato.Client;
using Strato.PowerShell;

namespace Strato;

/// <summary>A virtual CPU of a VM.</summary>
public sealed class Cpu
{
    internal Cpu(VmTarget vm, CpuInfo cpu)
    {
        Vm = vm;
        VMName = vm.Name;
        VMId = vm.Id;
        Index = cpu.Index;
        (Socket, Die, Core, Thread) = cpu.Place;
        ThreadId = cpu.ThreadId;
        HostCpu = cpu.HostCpu;
        Affinity = cpu.Affinity;
        Time = Math.Round(cpu.Time.TotalSeconds, 3);
    }

    /// <summary>Name of the VM it belongs to.</summary>
    public string VMName { get; }

    /// <summary>Id of that VM.</summary>
    public string VMId { get; }

    /// <summary>Number from 0.</summary>
    public int Index { get; }

    /// <summary>The socket that the guest sees it in.</summary>
    public int Socket { get; }

    /// <summary>The die within the socket.</summary>
    public int Die { get; }

    /// <summary>The core within the die.</summary>
    public int Core { get; }

    /// <summary>The thread within the core.</summary>
    public int Thread { get; }

    /// <summary>The host's id of its thread, while the VM runs; else null.</summary>
    public int? ThreadId { get; }

    /// <summary>The host's CPU that it runs on, or ran on last; null when the VM doesn't run.</summary>
    public int? HostCpu { get; }

    /// <summary>The host's CPUs that it may run on, such as 0-3,8; of a stopped VM those that it is pinned to, or null.</summary>
    public string? Affinity { get; }

    /// <summary>Seconds of processor time that it has used since the VM was started.</summary>
    public double Time { get; }

    internal VmTarget Vm { get; }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{VMName} {Index}");
}
