using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>New-StratoSwitch: a bridge that VMs' adapters are on.</summary>
[Cmdlet(VerbsCommon.New, "StratoSwitch", SupportsShouldProcess = true)]
[OutputType(typeof(Switch))]
public sealed class NewStratoSwitchCommand : StratoCmdlet
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, HelpMessage = "Name of the switch, unique without regard to case.")]
    [ValidateNotNullOrEmpty]
    public string Name { get; set; } = null!;

    [Parameter(Position = 1, HelpMessage = "Internal (VMs and the host), Private (VMs alone) or External (a network of the host's, too).")]
    [ValidateSet("Internal", "Private", "External")]
    public string? SwitchType { get; set; }

    [Parameter(HelpMessage = "For an external switch: a bridge of the host, or an interface without addresses.")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(NetAdapterNameCompleter))]
    public string? NetAdapterName { get; set; }

    [Parameter(HelpMessage = "Guests of an internal switch reach the outside by the host's address.")]
    public SwitchParameter Nat { get; set; }

    [Parameter(HelpMessage = "Network of an internal switch; a free 192.168.x.0/24 if omitted.")]
    [ValidateNotNullOrEmpty]
    public string? Subnet { get; set; }

    [Parameter(HelpMessage = "Give guests no addresses; without, dnsmasq does where it is installed.")]
    public SwitchParameter NoDhcp { get; set; }

    protected override void ProcessRecord() => Try(Name, () =>
    {
        SwitchSettings settings = new()
        {
            Name = Name,
            SwitchType = SwitchType,
            NetAdapterName = NetAdapterName,
            Subnet = Subnet,
            Nat = Nat,
            NoDhcp = NoDhcp,
        };

        // Checked first, so that -WhatIf tells what would be refused.
        Client.CheckSwitch(settings);
        if (!ShouldProcess(Name, "Make a switch"))
        {
            return;
        }

        NewSwitch made = Client.CreateSwitch(settings, Token);
        foreach (string remark in made.Remarks)
        {
            WriteWarning(remark);
        }

        WriteObject(new Switch(Client, Client.GetSwitchInfo(made.Definition)));
    });
}
