using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>New-StratoVm: defines a VM; nothing is started.</summary>
[Cmdlet(VerbsCommon.New, "StratoVm", DefaultParameterSetName = KernelSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class NewStratoVmCommand : StratoCmdlet
{
    private const string KernelSet = "Kernel";
    private const string DomainXmlSet = "DomainXml";
    private const string CommandLineSet = "CommandLine";

    [Parameter(Mandatory = true, Position = 0, ParameterSetName = KernelSet, ValueFromPipelineByPropertyName = true, HelpMessage = "Name of the new VM, unique without regard to case.")]
    [Parameter(Position = 0, ParameterSetName = DomainXmlSet, HelpMessage = "Name of the new VM, in the place of the domain's.")]
    [Parameter(Position = 0, ParameterSetName = CommandLineSet, HelpMessage = "Name of the new VM, in the place of that of -name.")]
    [ValidateNotNull]
    [AllowEmptyString]
    public string Name { get; set; } = null!;

    [Parameter(Mandatory = true, Position = 1, ParameterSetName = KernelSet, ValueFromPipelineByPropertyName = true, HelpMessage = "Kernel image: a bzImage or an ELF vmlinux.")]
    [Parameter(ParameterSetName = DomainXmlSet, HelpMessage = "Kernel image, in the place of the domain's.")]
    [Parameter(ParameterSetName = CommandLineSet, HelpMessage = "Kernel image, in the place of that of -kernel.")]
    [ValidateNotNullOrEmpty]
    public string Kernel { get; set; } = null!;

    [Parameter(Mandatory = true, ParameterSetName = DomainXmlSet, HelpMessage = "File with a libvirt domain, as virsh dumpxml prints it; the other parameters win over it.")]
    [ValidateNotNullOrEmpty]
    public string FromDomainXml { get; set; } = null!;

    [Parameter(Mandatory = true, ParameterSetName = CommandLineSet, HelpMessage = "Command line of StratoVirt, QEMU or strato-engine, quoted as for sh; the other parameters win over it.")]
    [ValidateNotNullOrEmpty]
    public string FromCommandLine { get; set; } = null!;

    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Initial RAM disk.")]
    public string? Initrd { get; set; }

    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Kernel command line; by default the console is ttyS0.")]
    [Alias("Append")]
    public string? CommandLine { get; set; }

    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Memory in bytes, 256MB to 512GB, such as 512MB; 512MB if omitted.")]
    [Alias("MemoryStartupBytes")]
    public long Memory { get; set; }

    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Size of the host's huge pages that hold the memory, 2MB or 1GB; plain pages if omitted.")]
    [ArgumentCompleter(typeof(HugePageSizeCompleter))]
    public long? HugePage { get; set; }

    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Number of virtual CPUs, 1 to 254; all of the topology if omitted, 1 without one or with -MaximumCpu.")]
    [Alias("ProcessorCount")]
    public int Cpu { get; set; }

    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Number of virtual CPUs that there can be, 1 to 254, the product of the topology.")]
    [Alias("MaximumProcessorCount")]
    public int? MaximumCpu { get; set; }

    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Number of sockets that the guest sees.")]
    public int? Socket { get; set; }

    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Dies of a socket.")]
    public int? Die { get; set; }

    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Cores of a die.")]
    public int? Core { get; set; }

    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Threads of a core.")]
    [Alias("HwThreadCountPerCore")]
    public int? Thread { get; set; }

    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "What the CPUs can do: host, x86-64-v2 or x86-64-v3; host if omitted.")]
    [ArgumentCompleter(typeof(CpuModelCompleter))]
    [ValidateNotNullOrEmpty]
    public string? CpuModel { get; set; }

    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "CPU features more or less than the model's, such as +aes and -rdtscp.")]
    [ValidateNotNull]
    [ArgumentCompleter(typeof(CpuFeatureCompleter))]
    public string[]? CpuFeature { get; set; }

    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Machine type; microvm if omitted.")]
    [ArgumentCompleter(typeof(MachineCompleter))]
    public string? Machine { get; set; }

    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Leave out the empty slots for disks and network adapters that are added while the VM runs.")]
    public SwitchParameter NoHotPlug { get; set; }

    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Don't shut the VM's engine in, even where the host allows it.")]
    public SwitchParameter NoSandbox { get; set; }

    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Throw away what the guest writes to disks, and remove the VM when it has run.")]
    [Alias("IsEphemeral")]
    public SwitchParameter Ephemeral { get; set; }

    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Give the VM the console port on which the QEMU guest agent answers.")]
    public SwitchParameter GuestAgent { get; set; }

    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Free text about the VM.")]
    public string? Notes { get; set; }

    protected override void ProcessRecord() => Try(Name ?? FromDomainXml ?? FromCommandLine, () =>
    {
        VmSettings settings = new()
        {
            Name = Name,
            Kernel = Kernel is null ? null : ResolveFile(Kernel),
            Initrd = string.IsNullOrEmpty(Initrd) ? null : ResolveFile(Initrd),
            CommandLine = CommandLine,
            Memory = Given(nameof(Memory)) ? Memory : null,
            HugePage = HugePage,
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
            Ephemeral = Given(nameof(Ephemeral)) ? Ephemeral : null,
            Notes = Notes,
        };

        // Checked first, so that -WhatIf tells what would be refused.
        VmConfigurationDocument? foreign = ReadForeign();
        string name;
        if (foreign is null)
        {
            Client.Check(settings);
            name = Name!;
        }
        else
        {
            name = Client.CheckImport(foreign, settings).Name;
        }

        if (ShouldProcess(name, "Define a VM"))
        {
            VmDefinition made = foreign is null ? Client.Create(settings, Token) : Client.Import(foreign, settings, Token);
            foreach (string warning in Client.GetWarnings(made))
            {
                WriteWarning(warning);
            }

            WriteObject(new Vm(Client, Client.Snapshot(made.Id, Token)));
        }
    });

    /// <summary>What another program's description gives, with a warning for each thing that can't be carried over; null where there is none.</summary>
    private VmConfigurationDocument? ReadForeign()
    {
        VmConfigurationDocument? foreign = ParameterSetName switch
        {
            DomainXmlSet => Client.ReadDomainXml(ResolveFile(FromDomainXml)),
            CommandLineSet => StratoClient.ReadCommandLine(FromCommandLine, ResolveFile(".")),
            _ => null,
        };
        foreach (string warning in foreign?.Warnings ?? [])
        {
            WriteWarning(warning);
        }

        return foreign;
    }

    private bool Given(string parameter) => MyInvocation.BoundParameters.ContainsKey(parameter);
}
