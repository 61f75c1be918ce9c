using System.Collections;
using System.IO;
using System.Linq;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Invoke-StratoVm: a fresh VM, one command in it, its output; then the VM is gone.</summary>
[Cmdlet(VerbsLifecycle.Invoke, "StratoVm", SupportsShouldProcess = true)]
[OutputType(typeof(GuestCommandResult))]
public sealed class InvokeStratoVmCommand : StratoCmdlet
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, HelpMessage = "Archive (an OCI image, what docker save writes, a root file system), folder, or what New-StratoGuestImage returned.")]
    [ValidateNotNull]
    public object Image { get; set; } = null!;

    [Parameter(Position = 1, HelpMessage = "Command line for the image's shell; what the image names if omitted.")]
    [ValidateNotNullOrEmpty]
    public string? Command { get; set; }

    [Parameter(HelpMessage = "Program in the image, run without a shell.")]
    [ValidateNotNullOrEmpty]
    public string? FilePath { get; set; }

    [Parameter(HelpMessage = "Arguments for -FilePath, each as it is.")]
    [ValidateNotNull]
    [AllowEmptyCollection]
    [AllowEmptyString]
    public string[] ArgumentList { get; set; } = [];

    [Parameter(HelpMessage = "Variables of its environment beside those of the image, as a hashtable.")]
    [ValidateNotNull]
    public IDictionary? Environment { get; set; }

    [Parameter(HelpMessage = "Folder in the image that the command begins in; the image's own if omitted.")]
    [ValidateNotNullOrEmpty]
    public string? WorkingDirectory { get; set; }

    [Parameter(HelpMessage = "Memory in bytes, such as 1GB; 512MB if omitted.")]
    [Alias("MemoryStartupBytes")]
    public long Memory { get; set; }

    [Parameter(HelpMessage = "Number of virtual CPUs; 1 if omitted.")]
    [Alias("ProcessorCount")]
    public int Cpu { get; set; }

    [Parameter(HelpMessage = "Give the guest user networking, by passt.")]
    public SwitchParameter Network { get; set; }

    [Parameter(HelpMessage = "Ports of the host that lead to the guest while the command runs, such as 8080:80; means -Network.")]
    [ValidateNotNull]
    public string[] Publish { get; set; } = [];

    [Parameter(HelpMessage = "Kernel (bzImage) for the guest, as of New-StratoGuestImage.")]
    [ValidateNotNullOrEmpty]
    public string? Kernel { get; set; }

    [Parameter(HelpMessage = "Folder lib/modules/RELEASE of the kernel, as of New-StratoGuestImage.")]
    [ValidateNotNull]
    [AllowEmptyString]
    public string? ModulePath { get; set; }

    [Parameter(HelpMessage = "Seconds from the VM's start until a command that still runs is an error; for ever if omitted.")]
    [Alias("TimeoutSeconds")]
    [ValidateRange(1, int.MaxValue / 1000)]
    public int Timeout { get; set; }

    [Parameter(HelpMessage = "Run even where the host's KVM only emulates, which is too slow for most guests.")]
    public SwitchParameter AllowEmulation { get; set; }

    protected override void BeginProcessing()
    {
        if (CommandParameters.Conflict(Command, FilePath, ArgumentList, "image") is { } conflict)
        {
            throw Terminating(conflict);
        }
    }

    protected override void ProcessRecord()
    {
        object image = Image is PSObject wrapped ? wrapped.BaseObject : Image;
        Try(image, () =>
        {
            VmCommand command = With(image) with
            {
                Line = Command,
                Program = FilePath is null ? [] : [FilePath, .. ArgumentList],
                Environment = CommandParameters.Variables(Environment),
                WorkingDirectory = WorkingDirectory,
                Memory = MyInvocation.BoundParameters.ContainsKey(nameof(Memory)) ? Memory : null,
                Cpu = MyInvocation.BoundParameters.ContainsKey(nameof(Cpu)) ? Cpu : null,
                Network = Network,
                Ports = [.. Publish.Select(StratoClient.ParsePublished)],
                Kernel = Kernel is null ? null : ResolveFile(Kernel),
                ModulePath = string.IsNullOrEmpty(ModulePath) ? ModulePath : ResolveFile(ModulePath),
                Timeout = Seconds(nameof(Timeout), Timeout),
                Force = AllowEmulation,
            };
            string shown = Command ?? FilePath ?? "what the image names";
            if (!ShouldProcess($"{image}", $"Run '{shown}' in a VM of its own"))
            {
                return;
            }

            StepProgress progress = new(this, $"Running '{shown}' in a VM of '{image}'");
            try
            {
                VmCommandOutcome outcome = Client.Invoke(command with { Progress = progress.Show }, Token);
                WriteObject(new GuestCommandResult(new VmTarget(Client, outcome.Vm.Id, outcome.Vm.Name), outcome.Outcome));
            }
            finally
            {
                progress.Complete();
            }
        });
    }

    private VmCommand With(object image)
    {
        // One that came through a job or a remote session has its properties alone.
        string? folder = image is GuestImage made ? made.Folder : Image is PSObject value && value.TypeNames.Contains("Deserialized.Strato.GuestImage") ? $"{value.Properties["Folder"]?.Value}" : null;
        if (folder is { Length: > 0 })
        {
            return new VmCommand { Made = folder };
        }

        string path = ResolveFile(image switch
        {
            string text => text,
            FileSystemInfo file => file.FullName,
            _ => throw new StratoException(StratoErrorKind.InvalidArgument, "ImageUnknown", $"-Image is a {image.GetType().Name}; a path or what New-StratoGuestImage returned is needed.") { Where = "-Image" },
        });
        return new VmCommand { Image = path };
    }
}
