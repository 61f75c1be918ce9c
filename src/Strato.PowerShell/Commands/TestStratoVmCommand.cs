using System.Linq;
using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Test-StratoVm: what would stop VMs from starting on this host, as a checklist.</summary>
[Cmdlet(VerbsDiagnostic.Test, "StratoVm", DefaultParameterSetName = NameSet)]
[OutputType(typeof(VmCheck), typeof(bool))]
public sealed class TestStratoVmCommand : VmActionCmdlet
{
    [Parameter(HelpMessage = "Emit only whether nothing has failed; warnings don't count.")]
    public SwitchParameter Quiet { get; set; }

    [Parameter(HelpMessage = "Take a KVM that only emulates for good enough, as Start-StratoVm -AllowEmulation does.")]
    public SwitchParameter AllowEmulation { get; set; }

    private protected override void Process(VmTarget vm)
    {
        if (Try(vm.Name, () => vm.Client.Test(vm.Id, AllowEmulation, Token)) is not { } checks)
        {
            return;
        }

        if (Quiet)
        {
            WriteObject(checks.All(check => check.Result != global::Strato.Client.HostCheck.Failed));
            return;
        }

        foreach (global::Strato.Client.HostCheck check in checks)
        {
            WriteObject(new VmCheck(vm.Name, check));
        }
    }
}
