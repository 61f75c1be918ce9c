using System;
using System.Diagnostics;
using System.Linq;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Copy-StratoGuestFile: files between here and guests, by their agents.</summary>
[Cmdlet(VerbsCommon.Copy, "StratoGuestFile", DefaultParameterSetName = VMSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class CopyStratoGuestFileCommand : VmDeviceCmdlet
{
    // Shorter copies show no progress, so that quick work doesn't flicker.
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromMilliseconds(200);

    private int? _mode;

    [Parameter(Mandatory = true, Position = 0, HelpMessage = "Files to copy; with -FromGuest absolute paths in the guest.")]
    [ValidateNotNullOrEmpty]
    public string[] Path { get; set; } = null!;

    [Parameter(Mandatory = true, Position = 1, HelpMessage = "Where to: a file or a folder; with -ToGuest an absolute path in the guest.")]
    [ValidateNotNullOrEmpty]
    public string Destination { get; set; } = null!;

    [Parameter(HelpMessage = "Copy from here to the guest.")]
    public SwitchParameter ToGuest { get; set; }

    [Parameter(HelpMessage = "Copy from the guest to here.")]
    public SwitchParameter FromGuest { get; set; }

    [Parameter(HelpMessage = "Permissions of the file in the guest in octal, such as 0755; those of the file here if omitted.")]
    [ValidateNotNullOrEmpty]
    public string? Mode { get; set; }

    [Parameter(HelpMessage = "Replace a file that is there.")]
    public SwitchParameter Force { get; set; }

    [Parameter(HelpMessage = "Emit the VM as it is after the action; by default nothing is emitted.")]
    public SwitchParameter PassThru { get; set; }

    protected override void BeginProcessing()
    {
        if (ToGuest.IsPresent == FromGuest.IsPresent)
        {
            throw Terminating(new StratoException(
                StratoErrorKind.InvalidArgument,
                ToGuest ? "ParametersConflict" : "DirectionMissing",
                ToGuest ? "-ToGuest and -FromGuest are both given; give one." : "Neither -ToGuest nor -FromGuest says where the files go; give one."));
        }

        if (Mode is null)
        {
            return;
        }

        if (FromGuest)
        {
            throw Terminating(new StratoException(StratoErrorKind.InvalidArgument, "ParametersConflict", "-Mode is for files in the guest, and can't be given with -FromGuest."));
        }

        if (Mode.Length > 4 || !Mode.All(c => c is >= '0' and <= '7'))
        {
            throw Terminating(new StratoException(StratoErrorKind.InvalidArgument, "InvalidMode", $"-Mode '{Mode}' is not of one to four octal digits, such as 0755."));
        }

        _mode = Convert.ToInt32(Mode, 8);
    }

    private protected override void Process(VmTarget vm)
    {
        bool good = true;
        foreach (string path in Path)
        {
            if (ShouldProcess(vm.Name, ToGuest ? $"Copy '{path}' to '{Destination}' in the guest" : $"Copy '{path}' in the guest to '{Destination}'"))
            {
                good &= Copy(vm, path);
            }
        }

        if (good && PassThru)
        {
            WriteNow(vm);
        }
    }

    private bool Copy(VmTarget vm, string path)
    {
        ProgressRecord progress = new(0, $"Copying '{path}'", vm.Name);
        Stopwatch started = Stopwatch.StartNew();
        TimeSpan next = Patience;
        GuestCopyOptions options = new() { Overwrite = Force, Mode = _mode, Progress = Show };
        bool good = Try(path, () =>
        {
            if (ToGuest)
            {
                vm.Client.CopyToGuest(vm.Id, ResolveFile(path), Destination, options, Token);
            }
            else
            {
                vm.Client.CopyFromGuest(vm.Id, path, ResolveFile(Destination), options, Token);
            }
        });
        if (next > Patience)
        {
            progress.RecordType = ProgressRecordType.Completed;
            WriteProgress(progress);
        }

        return good;

        void Show(long done, long? all)
        {
            if (started.Elapsed < next)
            {
                return;
            }

            next = started.Elapsed + ProgressInterval;
            progress.PercentComplete = all is > 0 ? (int)Math.Min(100, done * 100 / all.Value) : -1;
            progress.StatusDescription = all is null ? $"{vm.Name}: {View.Size(done)}" : $"{vm.Name}: {View.Size(done)} of {View.Size(all)}";
            WriteProgress(progress);
        }
    }
}
