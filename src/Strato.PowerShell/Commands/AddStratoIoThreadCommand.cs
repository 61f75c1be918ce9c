using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Add-StratoIoThread: gives a stopped VM a thread that devices can name.</summary>
[Cmdlet(VerbsCommon.Add, "StratoIoThread", DefaultParameterSetName = VMSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class AddStratoIoThreadCommand : VmDeviceCmdlet
{
    [Parameter(Position = 0, HelpMessage = "Id of the thread, unique among the VM's threads; the first free of iothread0, iothread1 and so on if omitted.")]
    [ValidateNotNullOrEmpty]
    public string? Id { get; set; }

    [Parameter(HelpMessage = "Emit the VM as it is after the action; by default nothing is emitted.")]
    public SwitchParameter PassThru { get; set; }

    private protected override void Process(VmTarget vm) => Try(vm.Name, () =>
    {
        if (!ShouldProcess(vm.Name, Id is null ? "Add an iothread" : $"Add the iothread '{Id}'"))
        {
            return;
        }

        vm.Client.AddIoThread(vm.Id, Id, Token);
        if (PassThru)
        {
            WriteNow(vm);
        }
    });
}
