using System.Management.Automation;
using System.Text.RegularExpressions;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Send-StratoConsole: types text into the console, and can wait for the answer.</summary>
[Cmdlet(VerbsCommunications.Send, "StratoConsole", DefaultParameterSetName = VMSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class SendStratoConsoleCommand : VmDeviceCmdlet
{
    private Regex? _expect;

    [Parameter(Mandatory = true, Position = 0, HelpMessage = "Text to type; a newline is appended.")]
    [AllowEmptyString]
    [ValidateNotNull]
    public string Text { get; set; } = null!;

    [Parameter(HelpMessage = "Send the text as it is, without a newline at its end.")]
    public SwitchParameter NoNewline { get; set; }

    [Parameter(HelpMessage = "Wait until what the guest prints after the text matches this regular expression.")]
    [ValidateNotNullOrEmpty]
    public string? ExpectMatch { get; set; }

    [Parameter(HelpMessage = "Seconds to wait for -ExpectMatch before that is an error; for ever if omitted.")]
    [ValidateRange(0, int.MaxValue / 1000)]
    public int Timeout { get; set; }

    [Parameter(HelpMessage = "Take the keyboard from whoever is attached to the console.")]
    public SwitchParameter Take { get; set; }

    [Parameter(HelpMessage = "Emit the VM as it is after the action; by default nothing is emitted.")]
    public SwitchParameter PassThru { get; set; }

    protected override void BeginProcessing() => _expect = ExpectMatch is null ? null : ParseMatch(nameof(ExpectMatch), ExpectMatch);

    private protected override void Process(VmTarget vm)
    {
        if (!ShouldProcess(vm.Name, "Type text into the console"))
        {
            return;
        }

        SendOptions options = new() { NoNewline = NoNewline, ExpectMatch = _expect, Timeout = Seconds(nameof(Timeout), Timeout), Take = Take };
        if (Try(vm.Name, () => { vm.Client.SendConsole(vm.Id, Text, options, Token); }) && PassThru)
        {
            WriteNow(vm);
        }
    }
}
