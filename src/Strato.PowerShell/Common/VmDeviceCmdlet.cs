using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>A cmdlet about a part of a VM: the VM comes from the pipeline (default) or by <c>-VMName</c>, which has no position.</summary>
/// <remarks>
/// The first position belongs to the device's own argument. With the name there, <c>New-StratoVm … | Add-StratoDrive root.ext4</c>
/// would take root.ext4 for a name and fail to bind.
/// </remarks>
public abstract class VmDeviceCmdlet : VmSelectingCmdlet
{
    /// <summary>Objects of Get-StratoVm or New-StratoVm.</summary>
    [Parameter(Mandatory = true, ParameterSetName = VMSet, ValueFromPipeline = true, HelpMessage = "VM object, as Get-StratoVm returns it.")]
    [ValidateNotNull]
    public Vm[] VM { get; set; } = null!;

    /// <summary>Names or wildcards.</summary>
    [Parameter(Mandatory = true, ParameterSetName = VMNameSet, HelpMessage = "Name of the VM; wildcards are allowed.")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(VmNameCompleter))]
    public string[] VMName { get; set; } = null!;

    private protected override IReadOnlyList<string>? Names => ParameterSetName == VMNameSet ? VMName : null;

    private protected override IReadOnlyList<Vm>? Objects => ParameterSetName == VMSet ? VM : null;

    /// <summary>For cmdlets that take devices as objects, too: does the work for each device, or for the ids given of each VM.</summary>
    /// <param name="devices">What was given as objects; null where VMs and ids are given.</param>
    /// <param name="work">Gets a VM and ids of its devices.</param>
    private protected void ProcessDevices(IEnumerable<(VmTarget Vm, string Id)>? devices, Action<VmTarget, string[]> work)
    {
        if (devices is null)
        {
            base.ProcessRecord();
            return;
        }

        foreach ((VmTarget vm, string id) in devices)
        {
            work(vm, [id]);
        }
    }

    /// <summary>Emits the devices that ids or wildcards mean; all where none are given.</summary>
    private protected void WriteDevices<T>(DeviceFamily<T> family, VmTarget vm, string[]? ids, Func<T, object> toObject)
    {
        if (Try(vm.Name, () => vm.Client.GetById(vm.Id)) is not { } definition)
        {
            return;
        }

        if (ids is null)
        {
            WriteObject(family.Of(definition).Select(toObject), enumerateCollection: true);
            return;
        }

        foreach (string id in ids)
        {
            Try(id, () => WriteObject(family.Find(definition, id).Select(toObject), enumerateCollection: true));
        }
    }

    /// <summary>What was given of how a running VM is changed.</summary>
    private protected HotPlugOptions HotPlug(bool transient, bool wait, string timeoutParameter, int timeout) =>
        new() { Transient = transient, Wait = wait, Timeout = Seconds(timeoutParameter, timeout) };

    /// <summary>Does something to each device that ids or wildcards mean, after asking; then emits the VM if wished.</summary>
    /// <param name="family">Its kind.</param>
    /// <param name="vm">Whose.</param>
    /// <param name="ids">What was given.</param>
    /// <param name="verb">For the question.</param>
    /// <param name="work">Gets each id.</param>
    /// <param name="passThru">Whether the VM is emitted.</param>
    /// <param name="evenUndefined">Whether an id is taken as it is that the definition doesn't know: a running VM may have it.</param>
    private protected void ForDevices<T>(DeviceFamily<T> family, VmTarget vm, IEnumerable<string> ids, string verb, Action<string> work, bool passThru, bool evenUndefined = false)
    {
        foreach (string given in ids)
        {
            bool plain = evenUndefined && !WildcardPattern.ContainsWildcardCharacters(given);
            foreach (string id in plain ? [given] : Try(given, () => family.Find(vm.Client.GetById(vm.Id), given))?.Select(family.IdOf) ?? [])
            {
                if (ShouldProcess(vm.Name, $"{verb} the {family.Noun} '{id}'"))
                {
                    Try(id, () => work(id));
                }
            }
        }

        if (passThru)
        {
            WriteNow(vm);
        }
    }
}
