using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>The parameters of a network adapter.</summary>
public abstract class NetworkAdapterCmdlet : VmDeviceCmdlet
{
    [Parameter(HelpMessage = "Switch that the adapter is on, as New-StratoSwitch makes it.")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(SwitchNameCompleter))]
    public string? SwitchName { get; set; }

    [Parameter(HelpMessage = "User networking by passt, which needs no rights on the host.")]
    public SwitchParameter User { get; set; }

    [Parameter(HelpMessage = "Address that the guest's interface has, such as 52:54:00:12:34:56; one that follows from the VM's name if omitted.")]
    [ValidateNotNull]
    public string? MacAddress { get; set; }

    [Parameter(HelpMessage = "Queue pairs of a tap, 1 to 16.")]
    public int QueueCount { get; set; }

    [Parameter(HelpMessage = "The kernel moves a tap's frames (vhost-net).")]
    public SwitchParameter Vhost { get; set; }

    [Parameter(HelpMessage = "Id of the iothread that serves the adapter; an empty text is the main thread.")]
    [ArgumentCompleter(typeof(IoThreadIdCompleter))]
    [ValidateNotNull]
    public string? IoThread { get; set; }

    [Parameter(HelpMessage = "With user networking: ports of the host that lead to the guest, such as tcp:127.0.0.1:2222-:22.")]
    [ValidateNotNull]
    public string[]? PortForward { get; set; }

    [Parameter(HelpMessage = "With user networking: ports of the host that lead to the guest, such as 8080:80, 127.0.0.1:8080:80 or 53:53/udp.")]
    [ValidateNotNull]
    public string[]? Publish { get; set; }

    [Parameter(HelpMessage = "Whether the cable is in, as it is by default; -Connected:$false takes the link down.")]
    public SwitchParameter Connected { get; set; }

    /// <summary>What was given.</summary>
    private protected NetworkAdapterSettings SettingsOf(string? tapName) => new()
    {
        TapName = tapName,
        SwitchName = SwitchName,
        User = User ? true : null,
        MacAddress = MacAddress,
        QueueCount = MyInvocation.BoundParameters.ContainsKey(nameof(QueueCount)) ? QueueCount : null,
        Vhost = MyInvocation.BoundParameters.ContainsKey(nameof(Vhost)) ? Vhost : null,
        IoThread = IoThread,
        Connected = MyInvocation.BoundParameters.ContainsKey(nameof(Connected)) ? Connected : null,
        PortForward = Publish is null ? PortForward : [.. PortForward ?? [], .. Publish.Select(StratoClient.ParsePublished)],
    };

    /// <summary>Refuses two places to lead to.</summary>
    private protected void RefuseBoth(string? tapName)
    {
        List<string> given = [];
        given.AddRange(tapName is null ? [] : ["-TapName"]);
        given.AddRange(SwitchName is null ? [] : ["-SwitchName"]);
        given.AddRange(User ? ["-User"] : []);
        if (given.Count > 1)
        {
            throw new StratoException(StratoErrorKind.InvalidArgument, "ParametersConflict", $"{string.Join(" and ", given)} are {(given.Count == 2 ? "both" : "all")} given; an adapter leads to one of them.");
        }
    }
}
