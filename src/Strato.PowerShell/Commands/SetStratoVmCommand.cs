using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Set-StratoVm: changes a definition.</summary>
[Cmdlet(VerbsCommon.Set, "StratoVm", DefaultParameterSetName = NameSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class SetStratoVmCommand : VmPassThruCmdlet
{
    private static readonly string[] Settings =
    [
        nameof(NewName), nameof(Kernel), nameof(Initrd), nameof(CommandLine), nameof(Memory), nameof(HugePage), nameof(Cpu), nameof(MaximumCpu), nameof(Socket), nameof(Die), nameof(Core),
        nameof(Thread), nameof(CpuModel), nameof(CpuFeature), nameof(Machine), nameof(NoHotPlug), nameof(NoSandbox), nameof(GuestAgent), nameof(Notes),
    ];

    private VmConfigurationDocument? _configuration;

    [Parameter(HelpMessage = "Configuration file, .psd1 or .json, whose settings the VM gets; it keeps its name.")]
    [ValidateNotNullOrEmpty]
    public string? Configuration { get; set; }

    [Parameter(HelpMessage = "New name of the VM; may change while it runs.")]
    [Alias("NewVMName")]
    [ValidateNotNull]
    [AllowEmptyString]
    public string? NewName { get; set; }

    [Parameter(HelpMessage = "Kernel image: a bzImage or an ELF vmlinux.")]
    [ValidateNotNullOrEmpty]
    public string? Kernel { get; set; }

    [Parameter(HelpMessage = "Initial RAM disk; an empty string removes it.")]
    [AllowEmptyString]
    public string? Initrd { get; set; }

    [Parameter(HelpMessage = "Kernel command line.")]
    [Alias("Append")]
    [AllowEmptyString]
    public string? CommandLine { get; set; }

    [Parameter(HelpMessage = "Memory in bytes, 256MB to 512GB, such as 512MB.")]
    [Alias("MemoryStartupBytes")]
    public long Memory { get; set; }

    [Parameter(HelpMessage = "Size of the host's huge pages that hold the memory, 2MB or 1GB; 0 for plain pages.")]
    [ArgumentCompleter(typeof(HugePageSizeCompleter))]
    public long HugePage { get; set; }

    [Parameter(HelpMessage = "Number of virtual CPUs, 1 to 254; while the VM runs from those that it was started with to -MaximumCpu.")]
    [Alias("ProcessorCount")]
    public int Cpu { get; set; }

    [Parameter(HelpMessage = "Number of virtual CPUs that there can be, 1 to 254, the product of the topology; 0 for as many as there are.")]
    [Alias("MaximumProcessorCount")]
    public int? MaximumCpu { get; set; }

    [Parameter(HelpMessage = "Number of sockets that the guest sees; 0 for what follows from the others.")]
    public int? Socket { get; set; }

    [Parameter(HelpMessage = "Dies of a socket; 0 for what follows from the others.")]
    public int? Die { get; set; }

    [Parameter(HelpMessage = "Cores of a die; 0 for what follows from the others.")]
    public int? Core { get; set; }

    [Parameter(HelpMessage = "Threads of a core; 0 for what follows from the others.")]
    [Alias("HwThreadCountPerCore")]
    public int? Thread { get; set; }

    [Parameter(HelpMessage = "What the CPUs can do: host, x86-64-v2 or x86-64-v3.")]
    [ArgumentCompleter(typeof(CpuModelCompleter))]
    [ValidateNotNullOrEmpty]
    public string? CpuModel { get; set; }

    [Parameter(HelpMessage = "CPU features more or less than the model's, such as +aes and -rdtscp; an empty list for none.")]
    [AllowEmptyCollection]
    [ValidateNotNull]
    [ArgumentCompleter(typeof(CpuFeatureCompleter))]
    public string[]? CpuFeature { get; set; }

    [Parameter(HelpMessage = "Machine type.")]
    [ArgumentCompleter(typeof(MachineCompleter))]
    [ValidateNotNullOrEmpty]
    public string? Machine { get; set; }

    [Parameter(HelpMessage = "Leave out the empty slots for disks and network adapters that are added while the VM runs; -NoHotPlug:$false gives them back.")]
    public SwitchParameter NoHotPlug { get; set; }

    [Parameter(HelpMessage = "Don't shut the VM's engine in, even where the host allows it; -NoSandbox:$false does again.")]
    public SwitchParameter NoSandbox { get; set; }

    [Parameter(HelpMessage = "Give the VM the console port on which the QEMU guest agent answers; -GuestAgent:$false takes it away.")]
    public SwitchParameter GuestAgent { get; set; }

    [Parameter(HelpMessage = "Free text about the VM; may change while it runs.")]
    [AllowEmptyString]
    public string? Notes { get; set; }

    [Parameter(HelpMessage = "Wait until a running VM's guest has taken the CPUs that came, and given up those that go.")]
    public SwitchParameter Wait { get; set; }

    [Parameter(HelpMessage = "Seconds to wait before that is an error; for ever if omitted.")]
    [ValidateRange(0, int.MaxValue / 1000)]
    public int Timeout { get; set; }

    protected override void BeginProcessing()
    {
        if (Configuration is null)
        {
            return;
        }

        foreach (string own in Settings)
        {
            if (Given(own))
            {
                throw Terminating(new StratoException(StratoErrorKind.InvalidArgument, "ParametersConflict", $"-Configuration gives all settings, and -{own} is given, too; give one of them."));
            }
        }

        try
        {
            _configuration = StratoClient.ReadConfiguration(ResolveFile(Configuration));
        }
        catch (StratoException e)
        {
            throw Terminating(e, Configuration);
        }

        foreach (string warning in _configuration.Warnings)
        {
            WriteWarning(warning);
        }
    }

    private protected override void Process(VmTarget vm) => Try(vm.Name, () =>
    {
        if (_configuration is not null)
        {
            Apply(vm, _configuration);
            return;
        }

        VmSettings changes = new()
        {
            Name = NewName,
            Kernel = Kernel is null ? null : ResolveFile(Kernel),
            Initrd = string.IsNullOrEmpty(Initrd) ? Initrd : ResolveFile(Initrd),
            CommandLine = CommandLine,
            Memory = Given(nameof(Memory)) ? Memory : null,
            HugePage = Given(nameof(HugePage)) ? HugePage : null,
            Cpu = Given(nameof(Cpu)) ? Cpu : null,
            MaximumCpu = MaximumCpu,
            Socket = Socket,
            Die = Die,
            Core = Core,
            Thread = Thread,
            CpuModel = CpuModel,
            CpuFeature = CpuFeature,
            Machine = Machine,
            NoHotPlug = Given(nameof(NoHotPlug)) ? NoHotPlug : null,
            NoSandbox = Given(nameof(NoSandbox)) ? NoSandbox : null,
            GuestAgent = Given(nameof(GuestAgent)) ? GuestAgent : null,
            Notes = Notes,
        };
        if (ShouldProcess(vm.Name, "Change the definition"))
        {
            VmDefinition changed = vm.Client.Update(vm.Id, changes, new HotPlugOptions { Wait = Wait, Timeout = Seconds(nameof(Timeout), Timeout) }, Token);
            foreach (string warning in changes.Memory is null && changes.Cpu is null ? [] : vm.Client.GetWarnings(changed))
            {
                WriteWarning(warning);
            }

            if (PassThru)
            {
                WriteNow(vm);
            }
        }
    });

    /// <summary>Each difference is a question, and a line of -WhatIf; one no, and nothing is changed.</summary>
    private void Apply(VmTarget vm, VmConfigurationDocument configuration)
    {
        bool wanted = true;
        foreach (VmDifference difference in vm.Client.Compare(vm.Client.GetById(vm.Id), configuration))
        {
            wanted &= ShouldProcess(vm.Name, difference.Change);
        }

        if (!wanted)
        {
            return;
        }

        IReadOnlyList<VmDifference> refused = vm.Client.Apply(vm.Id, configuration, new HotPlugOptions { Wait = Wait, Timeout = Seconds(nameof(Timeout), Timeout) }, Token);
        if (refused.Count > 0)
        {
            string names = string.Join(", ", refused.Select(difference => difference.Path));
            throw new StratoException(StratoErrorKind.InvalidState, "VmRunning", $"The VM '{vm.Name}' is running, and can be given this only while it is stopped: {names}. All else it has.")
            {
                VmName = vm.Name,
                RecommendedAction = $"Stop-StratoVm '{vm.Name}', then the same once more.",
            };
        }

        if (PassThru)
        {
            WriteNow(vm);
        }
    }

    private bool Given(string parameter) => MyInvocation.BoundParameters.ContainsKey(parameter);
}
