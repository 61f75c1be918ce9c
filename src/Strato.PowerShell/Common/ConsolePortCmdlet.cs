using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>Where a console port leads.</summary>
public abstract class ConsolePortCmdlet : VmDeviceCmdlet
{
    [Parameter(HelpMessage = "What the port leads to.")]
    public ConsolePortBackend Backend { get; set; }

    [Parameter(HelpMessage = "Path of the socket or file, not of a pty; a socket in the running VM's own folder if omitted.")]
    public string? Path { get; set; }

    [Parameter(HelpMessage = "Emit the VM as it is after the action; by default nothing is emitted.")]
    public SwitchParameter PassThru { get; set; }

    /// <summary>What was given.</summary>
    private protected ConsolePortChange Settings => new()
    {
        Backend = MyInvocation.BoundParameters.ContainsKey(nameof(Backend)) ? Backend : null,
        Path = string.IsNullOrEmpty(Path) ? Path : ResolveFile(Path),
    };
}
