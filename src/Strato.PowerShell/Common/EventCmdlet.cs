using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>A cmdlet that listens to VMs: to all, to those of a name or wildcard (also those that come later), or to those of objects.</summary>
public abstract class EventCmdlet : StratoCmdlet
{
    private protected const string VMNameSet = "VMName";
    private protected const string VMSet = "VM";

    private readonly List<string> _names = [];
    private readonly List<VmTarget> _objects = [];
    private bool _failed;

    [Parameter(Position = 0, ParameterSetName = VMNameSet, ValueFromPipeline = true, HelpMessage = "Name of the VM; wildcards are allowed, and mean VMs that are made later, too. All VMs if omitted.")]
    [Alias("Name")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(VmNameCompleter))]
    public string[]? VMName { get; set; }

    [Parameter(Mandatory = true, Position = 0, ParameterSetName = VMSet, ValueFromPipeline = true, HelpMessage = "VM object, as Get-StratoVm returns it.")]
    [ValidateNotNull]
    public Vm[] VM { get; set; } = null!;

    [Parameter(HelpMessage = "Only events of these names; wildcards are allowed. All if omitted.")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(EventNameCompleter))]
    public string[]? Event { get; set; }

    protected override void ProcessRecord()
    {
        if (ParameterSetName == VMSet)
        {
            _objects.AddRange(VM.Select(VmTarget.Of));
            return;
        }

        foreach (string name in VMName ?? ["*"])
        {
            // A name that no VM has is a mistake; a wildcard may mean those that come.
            if (Try(name, () => VmTarget.Find(Client, name)) is not null)
            {
                _names.Add(name);
            }
            else
            {
                _failed = true;
            }
        }
    }

    /// <summary>Begins to listen; null where there is nothing to listen to, after an error.</summary>
    private protected Func<EventWatch>? Watch()
    {
        if (_objects.Count == 0 && _names.Count == 0)
        {
            return _failed || ParameterSetName == VMSet ? null : () => Client.WatchEvents(["*"], [], Token);
        }

        StratoClient client = _objects.Count > 0 ? _objects[0].Client : Client;
        return () => client.WatchEvents(_names, _objects.Select(vm => vm.Id), Token);
    }

    /// <summary>Whether an event is one of those asked for.</summary>
    private protected Predicate<VmEvent> Filter()
    {
        WildcardPattern[] patterns = [.. (Event ?? ["*"]).Select(pattern => WildcardPattern.Get(pattern, WildcardOptions.IgnoreCase))];
        return told => Array.Exists(patterns, pattern => pattern.IsMatch(told.Name));
    }
}
