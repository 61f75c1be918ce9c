using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Get-StratoRng: where VMs' random bytes come from.</summary>
[Cmdlet(VerbsCommon.Get, "StratoRng", DefaultParameterSetName = VMNameSet)]
[OutputType(typeof(Rng))]
public sealed class GetStratoRngCommand : VmPartCmdlet
{
    private protected override void Process(VmTarget vm) => Try(vm.Name, () =>
    {
        if (vm.Client.GetById(vm.Id).Rng is { } rng)
        {
            WriteObject(new Rng(vm, rng));
        }
    });
}
