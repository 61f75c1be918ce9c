using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>New-StratoGuestImage: a root disk, a kernel and an initial RAM disk from a folder, an archive, or the distribution's packages.</summary>
[Cmdlet(VerbsCommon.New, "StratoGuestImage", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(GuestImage))]
public sealed class NewStratoGuestImageCommand : StratoCmdlet
{
    private const string PathSet = "Path";
    private const string DistributionSet = "Distribution";

    [Parameter(Mandatory = true, Position = 0, ParameterSetName = PathSet, ValueFromPipelineByPropertyName = true, HelpMessage = "Folder with a root file system, or archive: an OCI image, what docker save writes, or a root file system alone.")]
    [Alias("FullName")]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = null!;

    [Parameter(Mandatory = true, ParameterSetName = DistributionSet, HelpMessage = "Make it of a distribution's packages: debian.")]
    [ValidateSet("debian")]
    public string Distribution { get; set; } = null!;

    [Parameter(Mandatory = true, Position = 1, HelpMessage = "Folder for vmlinuz, initrd.img and root.ext4; made where it isn't there.")]
    [ValidateNotNullOrEmpty]
    public string Destination { get; set; } = null!;

    [Parameter(ParameterSetName = DistributionSet, HelpMessage = "Release of the distribution, such as bookworm; the host's own if omitted.")]
    [ValidateNotNullOrEmpty]
    public string? Suite { get; set; }

    [Parameter(ParameterSetName = DistributionSet, HelpMessage = "Packages beside those that a system needs to boot.")]
    [ValidateNotNull]
    public string[] Package { get; set; } = [];

    [Parameter(HelpMessage = "Kernel (bzImage) for the guest; the host's newest, or else Debian's cloud kernel, if omitted.")]
    [ValidateNotNullOrEmpty]
    public string? Kernel { get; set; }

    [Parameter(HelpMessage = "Folder lib/modules/RELEASE of the kernel; looked for beside it if omitted, an empty text where its drivers are built in.")]
    [ValidateNotNull]
    [AllowEmptyString]
    public string? ModulePath { get; set; }

    [Parameter(HelpMessage = "Size of the root disk in bytes, such as 4GB; what is in it and half a gigabyte if omitted.")]
    public long Size { get; set; }

    [Parameter(HelpMessage = "Replace files that are there.")]
    public SwitchParameter Force { get; set; }

    protected override void ProcessRecord() => Try(ParameterSetName == PathSet ? Path : Distribution, () =>
    {
        GuestImageSettings settings = new()
        {
            Path = ParameterSetName == PathSet ? ResolveFile(Path) : null,
            Suite = Suite,
            Packages = Package,
            Destination = ResolveFile(Destination),
            Kernel = Kernel is null ? null : ResolveFile(Kernel),
            ModulePath = string.IsNullOrEmpty(ModulePath) ? ModulePath : ResolveFile(ModulePath),
            Size = Size,
            Replace = Force,
        };

        // Checked first, so that -WhatIf tells what would be refused.
        StratoClient.CheckImage(settings);
        if (!ShouldProcess(settings.Destination, $"Make a root disk, a kernel and an initial RAM disk of '{settings.Path ?? Distribution}'"))
        {
            return;
        }

        StepProgress progress = new(this, $"Making a guest image of '{settings.Path ?? Distribution}'");
        try
        {
            WriteObject(new GuestImage(Client.CreateImage(settings with { Progress = progress.Show }, Token)));
        }
        finally
        {
            progress.Complete();
        }
    });
}
