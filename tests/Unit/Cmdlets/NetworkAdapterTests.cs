using System;
using System.Linq;
using System.Management.Automation;
using Strato.Client;
using Strato.Client.Runtime;
using Strato.PowerShell;
using Strato.Protocol.Configuration;
using Strato.Tests.CmdletHost;
using Strato.Tests.Unit.Net;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Add-, Get-, Set- and Remove-StratoNetworkAdapter.</summary>
[Collection(CmdletCollection.Name)]
public sealed class NetworkAdapterTests : CmdletTests
{
    [Fact]
    public void TheTapIsFirstAndTheVmComesThroughThePipeline()
    {
        Vm vm = Run(
            new Step("New-StratoVm", "web", "vmlinuz"),
            new Step("Add-StratoNetworkAdapter", "tap0").With("QueueCount", 4).Switch("Vhost", "PassThru"),
            new Step("Add-StratoNetworkAdapter").With("Id", "out").With("MacAddress", "52-54-00-12-34-5A").With("PortForward", new[] { "tcp::2222-:22", "udp:127.0.0.1:53-:53" }).Switch("User", "PassThru")).Single<Vm>();
        NetworkAdapter tap = vm.NetworkAdapters[0];
        Assert.Equal(("net0", "Tap", "tap0", 4, true, ""), (tap.Id, tap.Type, tap.TapName, tap.QueueCount, tap.Vhost, tap.PortForward));
        Assert.Equal(MacAddress.Format(MacAddress.Generate("web", 0)), tap.MacAddress);
        NetworkAdapter user = vm.NetworkAdapters[1];
        Assert.Equal(
            ("out", "User", null, "52:54:00:12:34:5a", "tcp::2222-:22 udp:127.0.0.1:53-:53", "web", vm.Id),
            (user.Id, user.Type, user.TapName, user.MacAddress, user.PortForward, user.VMName, user.VMId));
    }

    [Fact]
    public void TheEngineIsToldOfThem()
    {
        New();
        Run(new Step("Add-StratoIoThread", "fast").With("VMName", "web"));
        Run(new Step("Add-StratoNetworkAdapter", "t,0").With("VMName", "web").With("QueueCount", 2).With("IoThread", "fast").Switch("Vhost"));
        Run(new Step("Add-StratoNetworkAdapter").With("VMName", "web").With("MacAddress", "52:54:00:12:34:56").With("PortForward", "tcp:127.0.0.1:2222-:22").Switch("User"));
        string line = string.Join(' ', EngineArguments.Build(Store.Client.Get("web"), "/run/r", "/log", "/console", new StartOptions()));
        Assert.Contains(
            "-iothread id=fast -netdev tap,id=net0,ifname=t,,0,queues=2,vhost=on -device virtio-net-device,netdev=net0,id=net0,iothread=fast "
            + "-netdev user,id=net1,hostfwd=tcp:127.0.0.1:2222-:22 -device virtio-net-device,netdev=net1,id=net1,mac=52:54:00:12:34:56 -serial ",
            line,
            StringComparison.Ordinal);
    }

    [Fact]
    public void AddIsSilentAndTakesAName()
    {
        New();
        Assert.Empty(Run(new Step("Add-StratoNetworkAdapter", "tap0").With("VMName", "web")).Output);
        Run(new Step("Add-StratoNetworkAdapter", "tap1").With("VMName", "web").Switch("WhatIf"));
        Assert.Single(Run(new Step("Get-StratoNetworkAdapter").With("VMName", "web")).Output);
    }

    [Fact]
    public void PublishedPortsAreForwards()
    {
        New();
        Run(new Step("Add-StratoNetworkAdapter").With("VMName", "web").With("Publish", new[] { "8080:80", "127.0.0.1:2222:22", "[::1]:53:53/udp" }));
        NetworkAdapter adapter = Run(new Step("Get-StratoNetworkAdapter").With("VMName", "web")).Single<NetworkAdapter>();
        Assert.Equal(("User", "tcp::8080-:80 tcp:127.0.0.1:2222-:22 udp:[::1]:53-:53"), (adapter.Type, adapter.PortForward));
        Assert.Equal(["8080:80", "127.0.0.1:2222:22", "[::1]:53:53/udp"], adapter.Publish);
        Run(new Step("Set-StratoNetworkAdapter", "net0").With("VMName", "web").With("PortForward", "tcp::1-:2").With("Publish", "3:4/tcp"));
        Assert.Equal(["1:2", "3:4"], Run(new Step("Get-StratoNetworkAdapter").With("VMName", "web")).Single<NetworkAdapter>().Publish);
        Run(new Step("Set-StratoNetworkAdapter", "net0").With("VMName", "web").With("Publish", Array.Empty<string>()));
        Assert.Empty(Run(new Step("Get-StratoNetworkAdapter").With("VMName", "web")).Single<NetworkAdapter>().Publish);
    }

    [Fact]
    public void APortLeadsToOnePlace()
    {
        New();
        ErrorRecord error = Error(new Step("Add-StratoNetworkAdapter").With("VMName", "web").With("Publish", new[] { "80:80", "80:80/udp", "80:81" }));
        AssertError(error, "InvalidForward", ErrorCategory.InvalidArgument, "web");
        Assert.StartsWith("The host's TCP port 80 is given twice", error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("80")]
    [InlineData("")]
    [InlineData(":")]
    [InlineData("80:")]
    [InlineData(":80")]
    [InlineData("0:80")]
    [InlineData("80:65536")]
    [InlineData("80:80/sctp")]
    [InlineData("80:80/")]
    [InlineData("::1:80:80")]
    [InlineData("localhost:80:80")]
    [InlineData("80-81:80-81")]
    [InlineData("1.2.3:x:80:80")]
    public void WhatIsNoPublishedPortIsToldAsItWasGiven(string text)
    {
        New();
        ErrorRecord error = Error(new Step("Add-StratoNetworkAdapter").With("VMName", "web").With("Publish", text));
        AssertError(error, "InvalidPublish", ErrorCategory.InvalidArgument, "web");
        Assert.Contains($"'{text}' isn't [ADDRESS:]PORT:GUESTPORT[/udp]", error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("InvalidNetworkAdapter", "None of -TapName, -SwitchName and -User says where the network adapter leads; give one.")]
    [InlineData("ParametersConflict", "-TapName and -User are both given; an adapter leads to one of them.", "TapName", "tap0", "User", null)]
    [InlineData("InvalidNetworkAdapter", "-QueueCount is given, which needs a tap (-TapName, -SwitchName).", "QueueCount", 2, "User", null)]
    [InlineData("InvalidNetworkAdapter", "-Vhost is given, which needs a tap (-TapName, -SwitchName).", "Vhost", null, "User", null)]
    [InlineData("InvalidNetworkAdapter", "-PortForward is given, which needs user networking (-User).", "TapName", "tap0", "PortForward", "tcp::1-:1")]
    [InlineData("OutOfRange", "17 is out of range; allowed: 1 to 16.", "TapName", "tap0", "QueueCount", 17)]
    [InlineData("InvalidMac", "'52:54' isn't six bytes in hexadecimal divided by colons", "TapName", "tap0", "MacAddress", "52:54")]
    [InlineData("InvalidForward", "'80:80' isn't [tcp|udp]:[ADDRESS]:PORT-:PORT", "User", null, "PortForward", "80:80")]
    public void WhatCannotBeIsRefused(string id, string message, params object?[] parameters)
    {
        New();
        Step step = new Step("Add-StratoNetworkAdapter").With("VMName", "web");
        for (int i = 0; i < parameters.Length; i += 2)
        {
            step = parameters[i + 1] is { } value ? step.With((string)parameters[i]!, value) : step.Switch((string)parameters[i]!);
        }

        ErrorRecord error = Error(step);
        AssertError(error, id, ErrorCategory.InvalidArgument, "web");
        Assert.StartsWith(message, error.ToString(), StringComparison.Ordinal);
        Assert.Empty(Run(new Step("Get-StratoNetworkAdapter").With("VMName", "web")).Output);
    }

    [Fact]
    public void IdsAreUniqueAndAdaptersTwo()
    {
        New();
        Run(new Step("Add-StratoDrive", "vmlinuz").With("VMName", "web").With("Id", "root"));
        AssertError(Error(new Step("Add-StratoNetworkAdapter", "tap0").With("VMName", "web").With("Id", "ROOT")), "NetworkAdapterExists", ErrorCategory.ResourceExists, "web");
        Run(new Step("Add-StratoNetworkAdapter", "tap0").With("VMName", "web"));
        Run(new Step("Add-StratoNetworkAdapter", "tap1").With("VMName", "web"));
        ErrorRecord error = Error(new Step("Add-StratoNetworkAdapter", "tap2").With("VMName", "web"));
        AssertError(error, "TooManyNetworkAdapters", ErrorCategory.InvalidArgument, "web");
        Assert.Equal("The VM 'web' has 2 network adapters; a microvm has at most 2.", error.ToString());
        error = Error(new Step("Get-StratoNetworkAdapter", "eth0").With("VMName", "web"));
        AssertError(error, "NetworkAdapterNotFound", ErrorCategory.ObjectNotFound, "eth0");
        Assert.Equal("The VM 'web' has no network adapter 'eth0'; it has 'net0', 'net1'.", error.ToString());
    }

    [Fact]
    public void AChangeKeepsWhatIsNotGivenAndAChangeOfKindWhatFits()
    {
        New();
        Run(new Step("Add-StratoNetworkAdapter", "tap0").With("VMName", "web").With("QueueCount", 4).With("MacAddress", "52:54:00:12:34:56").Switch("Vhost"));
        Run(new Step("Set-StratoNetworkAdapter", "*").With("VMName", "web").With("TapName", "tap1"));
        Assert.Equal(
            new NetworkAdapterSettings { TapName = "tap1", QueueCount = 4, MacAddress = "52:54:00:12:34:56", Vhost = true },
            Store.Client.Get("web").NetworkAdapters[0].Settings);
        Run(new Step("Set-StratoNetworkAdapter", "net0").With("VMName", "web").With("MacAddress", "").Switch("User"));
        Run(new Step("Get-StratoNetworkAdapter").With("VMName", "web"), new Step("Set-StratoNetworkAdapter").With("PortForward", "tcp::2222-:22"));
        NetworkAdapter adapter = Run(new Step("Get-StratoNetworkAdapter").With("VMName", "web")).Single<NetworkAdapter>();
        Assert.Equal(("User", null, 1, false, "tcp::2222-:22"), (adapter.Type, adapter.TapName, adapter.QueueCount, adapter.Vhost, adapter.PortForward));
        Assert.Equal(MacAddress.Format(MacAddress.Generate("web", 0)), adapter.MacAddress);
        Run(new Step("Set-StratoNetworkAdapter", "net0").With("VMName", "web").With("TapName", "tap0"));
        Assert.Equal("", Run(new Step("Get-StratoNetworkAdapter").With("VMName", "web")).Single<NetworkAdapter>().PortForward);
    }

    [Fact]
    public void ARunningVmsAdapterKeepsItsSettings()
    {
        New();
        Run(new Step("Add-StratoNetworkAdapter").With("VMName", "web").Switch("User"));
        Run(new Step("Start-StratoVm", "web"));
        AssertError(Error(new Step("Set-StratoNetworkAdapter", "net0").With("VMName", "web").With("TapName", "tap0")), "VmRunning", ErrorCategory.InvalidOperation, "net0");
    }

    [Fact]
    public void ARunningVmGetsAnAdapterAndLosesIt()
    {
        New();
        Run(new Step("Start-StratoVm", "web"));
        Run(new Step("Add-StratoNetworkAdapter", "tap0").With("VMName", "web").With("Connected", new SwitchParameter(false)).Switch("Wait", "Vhost"));
        Run(new Step("Add-StratoNetworkAdapter", "tap1").With("VMName", "web").With("QueueCount", 1).Switch("Transient"));
        Assert.Equal(["net0"], Run(new Step("Get-StratoNetworkAdapter").With("VMName", "web")).Of<NetworkAdapter>().Select(adapter => adapter.Id));
        Run(new Step("Remove-StratoNetworkAdapter", "net1").With("VMName", "web").Switch("Transient"));
        Run(new Step("Get-StratoNetworkAdapter").With("VMName", "web"), new Step("Remove-StratoNetworkAdapter").Switch("Wait"));
        Assert.Empty(Run(new Step("Get-StratoNetworkAdapter").With("VMName", "web")).Output);
        Assert.Equal(
            [
                "fake engine",
                "netdev_add {\"id\":\"net0\",\"type\":\"tap\",\"ifname\":\"tap0\",\"vhost\":true}",
                "device_add {\"id\":\"net0\",\"driver\":\"virtio-net-mmio\",\"up\":false}",
                "netdev_add {\"id\":\"net1\",\"type\":\"tap\",\"ifname\":\"tap1\",\"queues\":1,\"vhost\":false}",
                "device_add {\"id\":\"net1\",\"driver\":\"virtio-net-mmio\"}",
                "device_del {\"id\":\"net1\"}",
                "device_del {\"id\":\"net0\"}",
            ],
            Run(new Step("Get-StratoConsole", "web")).Of<string>());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void OneWithoutACableHasNoneFromTheGuestsFirstMoment(bool paused)
    {
        New();
        Run(new Step("Add-StratoNetworkAdapter", "tap0").With("VMName", "web"));
        Run(new Step("Add-StratoNetworkAdapter").With("VMName", "web").With("Connected", new SwitchParameter(false)).Switch("User"));
        Run(new Step("Set-StratoNetworkAdapter", "*").With("VMName", "web").With("MacAddress", ""));
        Assert.Equal([true, false], Run(new Step("Get-StratoNetworkAdapter").With("VMName", "web")).Of<NetworkAdapter>().Select(adapter => adapter.Connected));
        Step start = new("Start-StratoVm", "web");
        Run(paused ? start.Switch("Paused") : start);
        Assert.Equal(paused ? "Paused" : "Running", State("web"));
        Assert.Equal(["fake engine", "{\"name\":\"net1\",\"up\":false}"], Run(new Step("Get-StratoConsole", "web")).Of<string>());
    }

    [Fact]
    public void TheCableOfARunningVmIsPulledAndPutIn()
    {
        New();
        Run(new Step("Add-StratoNetworkAdapter", "tap0").With("VMName", "web"));
        Run(new Step("Start-StratoVm", "web"));
        Run(new Step("Set-StratoNetworkAdapter", "NET0").With("VMName", "web").With("Connected", new SwitchParameter(false)));
        Assert.False(Run(new Step("Get-StratoNetworkAdapter").With("VMName", "web")).Single<NetworkAdapter>().Connected);
        ErrorRecord error = Error(new Step("Set-StratoNetworkAdapter", "net0").With("VMName", "web").Switch("Connected").With("TapName", "tap1"));
        AssertError(error, "VmRunning", ErrorCategory.InvalidOperation, "net0");
        Assert.Contains("Its network adapters, but for -Connected, can change only while it is stopped.", error.Exception.Message, StringComparison.Ordinal);
        Run(new Step("Get-StratoNetworkAdapter").With("VMName", "web"), new Step("Set-StratoNetworkAdapter").Switch("Connected"));
        Assert.True(Run(new Step("Get-StratoNetworkAdapter").With("VMName", "web")).Single<NetworkAdapter>().Connected);
        Assert.Equal(
            ["fake engine", "{\"name\":\"net0\",\"up\":false}", "{\"name\":\"net0\",\"up\":true}"], Run(new Step("Get-StratoConsole", "web")).Of<string>());
    }

    [Fact]
    public void WhatTheEngineRefusesOfALinkIsNotKeptAndEndsAStart()
    {
        string id = New("web", "deaf").Id;
        Run(new Step("Add-StratoNetworkAdapter", "tap0").With("VMName", "web"));
        Run(new Step("Start-StratoVm", "web"));
        Step pull = new Step("Set-StratoNetworkAdapter", "net0").With("VMName", "web").With("Connected", new SwitchParameter(false));
        AssertError(Error(pull), "QmpCommandNotFound", ErrorCategory.InvalidArgument, "net0");
        Assert.True(Run(new Step("Get-StratoNetworkAdapter").With("VMName", "web")).Single<NetworkAdapter>().Connected);
        Run(new Step("Stop-StratoVm", "web").Switch("TurnOff"));
        Run(pull);
        AssertError(Error(new Step("Start-StratoVm", "web")), "QmpCommandNotFound", ErrorCategory.InvalidArgument, "web");
        Assert.Equal(("Stopped", null), (State("web"), Run(new Step("Get-StratoVm")).Single<Vm>().StateReason));
        Assert.False(System.IO.Directory.Exists(Store.Paths.RuntimeDirectory(id)));
    }

    [Fact]
    public void AdaptersAreRemovedByIdAndAsObjects()
    {
        New();
        Run(new Step("Add-StratoNetworkAdapter", "tap0").With("VMName", "web"));
        Run(new Step("Add-StratoNetworkAdapter").With("VMName", "web").Switch("User"));
        Run(new Step("Get-StratoNetworkAdapter", "net0").With("VMName", "web"), new Step("Remove-StratoNetworkAdapter"));
        Assert.Equal(["net1"], Run(new Step("Get-StratoNetworkAdapter").With("VMName", "web")).Of<NetworkAdapter>().Select(adapter => adapter.Id));
        Vm vm = Run(new Step("Get-StratoVm"), new Step("Remove-StratoNetworkAdapter", "*").Switch("PassThru")).Single<Vm>();
        Assert.Empty(vm.NetworkAdapters);
    }

    [Fact]
    public void TabOffersIdsAndTaps()
    {
        New();
        Run(new Step("Add-StratoNetworkAdapter", "tap0").With("VMName", "web").With("Id", "lan"));
        Assert.Equal(["lan"], Texts(new NetworkAdapterIdCompleter(), "l"));
        using TemporaryTap tap = new();
        Assert.Contains(tap.Name, Texts(new TapNameCompleter(), tap.Name[..4]));
        Assert.DoesNotContain("lo", Texts(new TapNameCompleter(), "l"));
    }

    private static string[] Texts(IArgumentCompleter completer, string word) =>
        [.. completer.CompleteArgument("", "", word, null!, new System.Collections.Hashtable()).Select(result => result.CompletionText)];
}
