using System.Collections.Generic;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Remove-StratoVm: removes the definition and the logs, never a disk. It also takes VMs whose definition is damaged.</summary>
[Cmdlet(VerbsCommon.Remove, "StratoVm", DefaultParameterSetName = NameSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(void))]
public sealed class RemoveStratoVmCommand : VmActionCmdlet
{
    private const string IdSet = "Id";

    [Parameter(Mandatory = true, ParameterSetName = IdSet, HelpMessage = "Id of the VM: the eight characters that never change.")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(VmIdCompleter))]
    public string[] Id { get; set; } = null!;

    [Parameter(HelpMessage = "Don't ask. A running VM is refused all the same.")]
    public SwitchParameter Force { get; set; }

    protected override void ProcessRecord()
    {
        if (ParameterSetName != IdSet)
        {
            base.ProcessRecord();
            return;
        }

        foreach (string id in Id)
        {
            if (Try(id, () => ById(id)) is { } vm)
            {
                Process(vm);
            }
        }
    }

    private protected override void Process(VmTarget vm)
    {
        if (Consent.Given(this, Force, vm.Name, "Remove the definition and the logs"))
        {
            Try(vm.Name, () => vm.Client.Delete(vm.Id, Token));
        }
    }

    private protected override IEnumerable<VmTarget> Find(string name) => VmTarget.FindEvenDamaged(Client, name);

    private VmTarget ById(string id)
    {
        try
        {
            return new VmTarget(Client, id, Client.GetById(id).Name);
        }
        catch (StratoException e) when (e.Id == "VmDefinitionDamaged")
        {
            return new VmTarget(Client, id, e.VmName ?? id);
        }
    }
}
