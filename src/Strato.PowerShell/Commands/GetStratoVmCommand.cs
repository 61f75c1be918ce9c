using System.Collections.Generic;
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
    public string[] Id { get; set; } = null!;

    protected override void ProcessRecord()
    {
        if (ParameterSetName == IdSet)
        {
            foreach (string id in Id)
            {
                Write(Try<IReadOnlyList<VmDefinition>>(id, () => [Client.GetById(id)]));
            }
        }
        else if (Name is null)
        {
            VmListing? all = Try(target: null, Client.List);
            Write(all?.Definitions);
            Tell(all?.Damaged);
        }
        else
        {
            foreach (string name in Name)
            {
                Write(Try(name, () => VmTarget.Find(Client, name)));
                if (WildcardPattern.ContainsWildcardCharacters(name))
                {
                    Tell(Try(name, () => Client.FindDamaged(name)));
                }
            }
        }
    }

    private void Tell(IReadOnlyList<DamagedVm>? damaged)
    {
        foreach (DamagedVm vm in damaged ?? [])
        {
            WriteError(ErrorRecords.From(vm.Error, vm.Name ?? vm.Id));
        }
    }

    // All at once: each engine is asked in parallel, so that one that hangs costs a second and not a second each.
    private void Write(IReadOnlyList<VmDefinition>? definitions)
    {
        if (definitions is not { Count: > 0 })
        {
            return;
        }

        foreach (VmInfo info in Try(target: null, () => Client.Snapshot(definitions, Token)) ?? [])
        {
            WriteObject(new Vm(Client, info));
        }
    }
}
