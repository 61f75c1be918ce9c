using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Get-StratoVm: the VMs and their states.</summary>
[Cmdlet(VerbsCommon.Get, "StratoVm", DefaultParameterSetName = NameSet)]
[OutputType(typeof(Vm))]
public sealed class GetStratoVmCommand : StratoCmdlet
{
    private const string NameSet = "Name";
    private const string IdSet = "Id";

    [Parameter(Position = 0, ParameterSetName = NameSet, ValueFromPipeline = true, HelpMessage = "Name of the VM; wildcards are allowed. All VMs if omitted.")]
    [Alias("VMName")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(VmNameCompleter))]
    public string[]? Name { get; set; }

    [Parameter(Mandatory = true, ParameterSetName = IdSet, HelpMessage = "Id of the VM: the eight characters that never change.")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(VmIdCompleter))]
    public string[] Id { get; set; } = null!;

    protected override void ProcessRecord()
    {
        if (ParameterSetName == IdSet)
        {
            foreach (string id in Id)
            {
                Try(id, () =>
                {
                    DamagedVm[] damaged = [.. Client.FindDamaged(id).Where(vm => vm.Id == id)];
                    Write(new VmListing(damaged.Length > 0 ? [] : [Client.GetById(id)], damaged));
                });
            }
        }
        else if (Name is null)
        {
            Try(target: null, () => Write(Client.List()));
        }
        else
        {
            foreach (string name in Name)
            {
                Try(name, () =>
                {
                    IReadOnlyList<VmDefinition> found = Client.Find(name);
                    bool exact = found.Count > 0 && !WildcardPattern.ContainsWildcardCharacters(name);
                    IReadOnlyList<DamagedVm> damaged = exact ? [] : Client.FindDamaged(name);
                    Write(new VmListing(found.Count + damaged.Count > 0 ? found : VmTarget.Find(Client, name), damaged));
                });
            }
        }
    }

    // All at once: each engine is asked in parallel, so that one that hangs costs a second and not a second each. Of damaged ones
    // those are there that run, since they can be stopped.
    private void Write(VmListing vms)
    {
        foreach (VmInfo info in Client.Snapshot(vms, Token))
        {
            WriteObject(new Vm(Client, info));
        }

        foreach (DamagedVm vm in vms.Damaged)
        {
            WriteError(ErrorRecords.From(vm.Error, vm.Name ?? vm.Id));
        }
    }
}
