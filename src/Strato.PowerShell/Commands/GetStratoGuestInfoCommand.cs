using System.Management.Automation;
using System.Threading.Tasks;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Get-StratoGuestInfo: what guests' agents tell of their guests.</summary>
[Cmdlet(VerbsCommon.Get, "StratoGuestInfo", DefaultParameterSetName = VMNameSet)]
[OutputType(typeof(GuestInfo))]
public sealed class GetStratoGuestInfoCommand : VmPartCmdlet
{
    private ParallelWork<GuestDetails>? _work;

    [Parameter(HelpMessage = "Seconds that a guest's agent may take for all its answers; 60 if omitted.")]
    [Alias("TimeoutSeconds")]
    [ValidateRange(1, 86400)]
    public int Timeout { get; set; } = 60;

    protected override void BeginProcessing() => _work = Parallel<GuestDetails>("Asking guest agents", 32, Report);

    private protected override void Process(VmTarget vm) => _work!.Begin(vm, () => vm.Client.GetGuestInfo(vm.Id, System.TimeSpan.FromSeconds(Timeout), Token));

    private void Report(VmTarget vm, Task<GuestDetails> outcome) => Try(vm.Name, () => WriteObject(new GuestInfo(vm, outcome.GetAwaiter().GetResult())));
}
