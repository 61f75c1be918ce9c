using System.Collections.Generic;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Compare-StratoVm: in what a VM differs from a configuration, or from another VM.</summary>
[Cmdlet(VerbsData.Compare, "StratoVm", DefaultParameterSetName = NameSet)]
[OutputType(typeof(Difference))]
public sealed class CompareStratoVmCommand : VmActionCmdlet
{
    private VmConfigurationDocument? _configuration;
    private VmDefinition? _other;

    [Parameter(Position = 1, HelpMessage = "Configuration file, .psd1 or .json, to compare the VM with.")]
    [ValidateNotNullOrEmpty]
    public string? Configuration { get; set; }

    [Parameter(HelpMessage = "Name of another VM to compare it with.")]
    [ArgumentCompleter(typeof(VmNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string? DifferenceName { get; set; }

    protected override void BeginProcessing()
    {
        if (Configuration is null == DifferenceName is null)
        {
            throw Terminating(new StratoException(StratoErrorKind.InvalidArgument, "ParametersConflict", "A VM is compared with a -Configuration, or with another VM (-DifferenceName); give one of them."));
        }

        try
        {
            _configuration = Configuration is null ? null : StratoClient.ReadConfiguration(ResolveFile(Configuration));
            _other = DifferenceName is null ? null : Client.Get(DifferenceName);
        }
        catch (StratoException e)
        {
            throw Terminating(e, Configuration ?? DifferenceName);
        }

        foreach (string warning in _configuration?.Warnings ?? [])
        {
            WriteWarning(warning);
        }
    }

    private protected override void Process(VmTarget vm)
    {
        IReadOnlyList<VmDifference>? found = Try(vm.Name, () =>
        {
            VmDefinition reference = vm.Client.GetById(vm.Id);
            return _configuration is null ? StratoClient.Compare(reference, _other!) : vm.Client.Compare(reference, _configuration);
        });
        foreach (VmDifference difference in found ?? [])
        {
            WriteObject(new Difference(vm.Name, difference));
        }
    }
}
