using System.Collections.Generic;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Get-StratoIoThread: the threads of VMs that serve devices.</summary>
[Cmdlet(VerbsCommon.Get, "StratoIoThread", DefaultParameterSetName = VMSet)]
[OutputType(typeof(IoThread))]
public sealed class GetStratoIoThreadCommand : VmDeviceCmdlet
{
    [Parameter(Position = 0, HelpMessage = "Id of the thread; wildcards are allowed. All threads if omitted.")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(IoThreadIdCompleter))]
    public string[]? Id { get; set; }

    private protected override void Process(VmTarget vm) => Try(vm.Name, () =>
    {
        VmDefinition definition = vm.Client.GetById(vm.Id);
        IReadOnlyDictionary<string, int> running = vm.Client.GetIoThreadIds(vm.Id, Token);
        WriteDevices(DeviceFamily.IoThreads, vm, Id, thread => new IoThread(vm, definition, thread, running.TryGetValue(thread.Id, out int id) ? id : null));
    });
}
