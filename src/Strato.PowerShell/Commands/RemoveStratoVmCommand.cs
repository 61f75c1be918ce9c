using System.Collections.Generic;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Remove-StratoVm: removes the definition, the logs and the snapshots, never a disk. It also takes VMs whose definition is damaged.</summary>
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
        int snapshots = CountSnapshots(vm);
        string lost = snapshots switch
        {
            0 => "Remove the definition and the logs",
            1 => "Remove the definition, the logs and 1 snapshot",
            _ => $"Remove the definition, the logs and {snapshots} snapshots",
        };
        if (Consent.Given(this, Force, vm.Name, lost))
        {
            Try(vm.Name, () => vm.Client.Delete(vm.Id, Token));
        }
    }

    private protected override IEnumerable<VmTarget> Find(string name) => VmTarget.FindEvenDamaged(Client, name);

    private static int CountSnapshots(VmTarget vm)
    {
        try
        {
            SnapshotListing all = vm.Client.ListSnapshots(vm.Id);
            return all.Snapshots.Count + all.Damaged.Count;
        }
        catch (StratoException)
        {
            // The removal tells what is wrong.
            return 0;
        }
    }

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
