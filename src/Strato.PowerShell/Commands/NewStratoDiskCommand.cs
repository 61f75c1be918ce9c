using System.IO;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>New-StratoDisk: an image file for a disk.</summary>
[Cmdlet(VerbsCommon.New, "StratoDisk", SupportsShouldProcess = true)]
[OutputType(typeof(FileInfo))]
public sealed class NewStratoDiskCommand : StratoCmdlet
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true, HelpMessage = "The file to make.")]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = null!;

    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true, HelpMessage = "Bytes, such as 10GB: a multiple of 512.")]
    [Alias("SizeBytes")]
    public long Size { get; set; }

    [Parameter(HelpMessage = "Take the room for the whole disk now; without, the file grows with what is written.")]
    public SwitchParameter Preallocate { get; set; }

    [Parameter(HelpMessage = "File system to make in it: ext4; an empty disk if omitted.")]
    [ValidateSet("ext4")]
    public string? Format { get; set; }

    [Parameter(HelpMessage = "Label of the file system, at most 16 bytes.")]
    [ValidateNotNullOrEmpty]
    public string? Label { get; set; }

    [Parameter(HelpMessage = "Replace a file that is there.")]
    public SwitchParameter Force { get; set; }

    protected override void BeginProcessing()
    {
        if (Label is not null && Format is null)
        {
            throw Terminating(new StratoException(StratoErrorKind.InvalidArgument, "ParametersConflict", "-Label is a file system's, and -Format isn't given."));
        }
    }

    protected override void ProcessRecord() => Try(Path, () =>
    {
        DiskSettings settings = new()
        {
            Path = ResolveFile(Path),
            Size = Size,
            Preallocate = Preallocate,
            Format = Format,
            Label = Label,
            Replace = Force,
        };

        // Checked first, so that -WhatIf tells what would be refused.
        StratoClient.CheckDisk(settings);
        if (ShouldProcess(settings.Path, "Make a disk"))
        {
            StratoClient.CreateDisk(settings, Token);
            WriteObject(new FileInfo(settings.Path));
        }
    });
}
