using System.Linq;
using System.Management.Automation;
using Strato.Client;
using Strato.PowerShell;
using Strato.Tests.CmdletHost;
using Strato.Tests.Unit.Client;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>New-, Get- and Remove-StratoSwitch, and -SwitchName, in a network of the test's own.</summary>
[Collection(CmdletCollection.Name)]
public sealed class SwitchCmdletTests : CmdletTests
{
    [Fact]
    public void ASwitchIsAnObjectAndVmsAreOnIt() => NetworkNamespace.Run(() =>
    {
        HostResult made = Run(new Step("New-StratoSwitch", "lan").Switch("NoDhcp"));
        Switch lan = made.Single<Switch>();
        Assert.Equal(
            ("lan", "Internal", "Up", "st-lan", "192.168.100.0/24", "192.168.100.1", false, null),
            (lan.Name, lan.SwitchType, lan.State, lan.BridgeName, lan.Subnet, lan.HostAddress, lan.Nat, lan.DhcpProcessId));
        Assert.Empty(made.Warnings);
        New();
        Vm vm = Run(new Step("Get-StratoVm", "web"), new Step("Add-StratoNetworkAdapter").With("SwitchName", "LAN").With("QueueCount", 2).Switch("Vhost", "PassThru")).Single<Vm>();
        NetworkAdapter adapter = vm.NetworkAdapters[0];
        Assert.Equal(("Switch", "lan", $"st{vm.Id}-net0", 2, true), (adapter.Type, adapter.SwitchName, adapter.TapName, adapter.QueueCount, adapter.Vhost));
        Assert.Empty(lan.VMs);
        lan.Refresh();
        Assert.Equal(["web"], lan.VMs);

        Assert.Equal(["lan"], Texts("l"));
        ErrorRecord error = Error(new Step("Remove-StratoSwitch", "lan"));
        AssertError(error, "SwitchInUse", ErrorCategory.InvalidOperation, "lan");
        Assert.Equal("The switch 'lan' is used by the VM 'web'.", error.ToString());

        // Elsewhere and back: what fits both stays.
        Run(new Step("Set-StratoNetworkAdapter", "net0").With("VMName", "web").With("TapName", "tap0"));
        Assert.Equal(new NetworkAdapterSettings { TapName = "tap0", QueueCount = 2, Vhost = true }, Store.Client.Get("web").NetworkAdapters[0].Settings);
        Run(new Step("Set-StratoNetworkAdapter", "net0").With("VMName", "web").With("SwitchName", "lan"));
        Run(new Step("Set-StratoNetworkAdapter", "net0").With("VMName", "web").Switch("User"));
        Assert.Equal(new NetworkAdapterSettings { User = true }, Store.Client.Get("web").NetworkAdapters[0].Settings);
        Assert.Empty(Run(new Step("Get-StratoSwitch", "lan"), new Step("Remove-StratoSwitch")).Output);
        Assert.Empty(Run(new Step("Get-StratoSwitch")).Output);
    });

    [Fact]
    public void WhatIfMakesAndRemovesNothing() => NetworkNamespace.Run(() =>
    {
        HostResult result = Run(new Step("New-StratoSwitch", "lan").Switch("WhatIf", "NoDhcp"));
        Assert.Equal(["Make a switch: lan"], result.ShouldProcess);
        Assert.Empty(Run(new Step("Get-StratoSwitch")).Output);
        AssertError(Error(new Step("New-StratoSwitch", "lan").With("Subnet", "10.0.0.0").Switch("WhatIf")), "InvalidSubnet", ErrorCategory.InvalidArgument, "lan");
        Run(new Step("New-StratoSwitch", "lan").Switch("NoDhcp"), new Step("Remove-StratoSwitch").Switch("WhatIf"));
        Assert.Equal("Up", Run(new Step("Get-StratoSwitch", "l*")).Single<Switch>().State);
        Run(new Step("Remove-StratoSwitch", "*"));
    });

    [Theory]
    [InlineData("A switch of the type External needs -NetAdapterName, the host's interface or bridge that it leads to.", "SwitchType", "External")]
    [InlineData("A switch of the type Private leads to no interface, and -NetAdapterName is given.", "SwitchType", "Private", "NetAdapterName", "br0")]
    [InlineData("-Nat is an Internal switch's; the type is Private.", "SwitchType", "Private", "Nat", null)]
    [InlineData("-Subnet is an Internal switch's; the type is External.", "NetAdapterName", "br0", "Subnet", "10.0.0.0/24")]
    [InlineData("-NoDhcp is an Internal switch's; one of the type Private gives no addresses anyway.", "SwitchType", "Private", "NoDhcp", null)]
    public void WhatDoesNotGoTogetherIsRefused(string message, params string?[] parameters)
    {
        Step step = new("New-StratoSwitch", "lan");
        for (int i = 0; i < parameters.Length; i += 2)
        {
            step = parameters[i + 1] is { } value ? step.With(parameters[i]!, value) : step.Switch(parameters[i]!);
        }

        ErrorRecord error = Error(step);
        AssertError(error, "ParametersConflict", ErrorCategory.InvalidArgument, "lan");
        Assert.Equal(message, error.ToString());
    }

    [Fact]
    public void ASwitchThatIsNotThereIsAnErrorAndAWildcardIsSilent()
    {
        New();
        Assert.Empty(Run(new Step("Get-StratoSwitch", "l*")).Output);
        Assert.Empty(Run(new Step("Remove-StratoSwitch", "l*")).Output);
        AssertError(Error(new Step("Get-StratoSwitch", "lan")), "SwitchNotFound", ErrorCategory.ObjectNotFound, "lan");
        ErrorRecord error = Error(new Step("Remove-StratoSwitch", "lan"));
        AssertError(error, "SwitchNotFound", ErrorCategory.ObjectNotFound, "lan");
        Assert.Equal("There is no switch 'lan'; there is none at all.", error.ToString());
        AssertError(Error(new Step("Add-StratoNetworkAdapter").With("VMName", "web").With("SwitchName", "lan")), "SwitchNotFound", ErrorCategory.ObjectNotFound, "web");
        error = Error(new Step("Add-StratoNetworkAdapter").With("VMName", "web").With("SwitchName", "lan").With("TapName", "tap0").Switch("User"));
        Assert.Equal("-TapName and -SwitchName and -User are all given; an adapter leads to one of them.", error.ToString());
        error = Error(new Step("Add-StratoNetworkAdapter").With("VMName", "web").With("SwitchName", "lan").With("PortForward", "tcp::1-:1"));
        Assert.Equal("-PortForward is given, which needs user networking (-User).", error.ToString());
    }

    private static string[] Texts(string word) =>
        [.. new SwitchNameCompleter().CompleteArgument("x", "y", word, new System.Management.Automation.Language.CommandAst(), new System.Collections.Hashtable()).Select(result => result.CompletionText)];
}
