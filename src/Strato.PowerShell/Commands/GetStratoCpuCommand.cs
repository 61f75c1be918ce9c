using System.Linq;
using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Get-StratoCpu: the virtual CPUs of VMs, their threads, and where they run.</summary>
[Cmdlet(VerbsCommon.Get, "StratoCpu", DefaultParameterSetName = VMNameSet)]
[OutputType(typeof(Cpu))]
public sealed class GetStratoCpuCommand : VmPartCmdlet
{
    private protected override void Process(VmTarget vm) => Try(vm.Name, () => WriteObject(vm.Client.GetCpus(vm.Id, Token).Select(cpu => new Cpu(vm, cpu)), enumerateCollection: true));
}
