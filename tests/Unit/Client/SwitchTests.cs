using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Strato.Client;
using Strato.Client.Linux;
using Strato.Client.Store;
using Strato.Client.Switches;
using Strato.Tests.Unit.Net;
using Xunit;

namespace Strato.Tests.Unit.Client;

/// <summary>Switches in a network of the test's own: what is made, what comes and goes with VMs, and what is another's.</summary>
[Collection(TapCollection.Name)]
public sealed class SwitchTests : IDisposable
{
    private readonly ClientFixture _fixture = new();
    private readonly List<SwitchDefinition> _made = [];

    public void Dispose()
    {
        // Those of a test that failed; each dnsmasq is known by a file in the fixture's folder.
        _made.ForEach(SwitchDhcp.Stop);
        _fixture.Dispose();
    }

    [Fact]
    public void ASwitchIsMadeAndRemovedWhole() => NetworkNamespace.Run(() =>
    {
        RequirePrograms();
        NewSwitch made = Create(new() { Name = "lan", Nat = true });
        SwitchDefinition lan = made.Definition;
        Assert.Equal(("Internal", "st-lan", "192.168.100.0/24", true), (lan.SwitchType, lan.BridgeName, lan.Subnet, lan.Nat));
        Assert.Equal(["This host forwards packets between its interfaces now (net.ipv4.ip_forward); it didn't before."], made.Remarks);
        Assert.Equal("1", File.ReadAllText("/proc/sys/net/ipv4/ip_forward").Trim());
        NetworkLink link = Link("st-lan")!;
        Assert.Equal(("bridge", SwitchMaker.AddressOf(lan.Id), true), (link.Kind, link.Address, link.IsUp));
        Assert.Contains("192.168.100.1/24", NetworkNamespace.Command("ip", "addr", "show", "st-lan"), StringComparison.Ordinal);
        Assert.Contains("masquerade", NetworkNamespace.Command("nft", "list", "table", "ip", $"strato_{lan.Id}"), StringComparison.Ordinal);
        SwitchInfo info = _fixture.Client.GetSwitchInfo(_fixture.Client.GetSwitch("LAN"));
        Assert.Equal(("Up", 0, 0), (info.State, info.Vms.Count, info.Leases.Count));
        int pid = info.DhcpProcessId!.Value;
        Assert.StartsWith("dnsmasq", Procfs.ReadText($"/proc/{pid}/comm"), StringComparison.Ordinal);

        // The next has a network of its own, and forwarding is no news any more.
        NewSwitch other = Create(new() { Name = "lan 2", Nat = true, NoDhcp = true });
        Assert.Equal(("192.168.101.0/24", $"st-{other.Definition.Id}", 0), (other.Definition.Subnet, other.Definition.BridgeName, other.Remarks.Count));

        _fixture.Client.RemoveSwitch("lan", force: false);
        Assert.Null(Link("st-lan"));
        Assert.Null(Procfs.TryReadStat(pid) is { State: not 'Z' } ? "runs" : null);
        Assert.DoesNotContain(lan.Id, NetworkNamespace.Command("nft", "list", "ruleset"), StringComparison.Ordinal);
        Assert.False(Directory.Exists(lan.Runtime));
        ClientFixture.Fails("SwitchNotFound", () => _fixture.Client.GetSwitch("lan"));
        _fixture.Client.RemoveSwitch("lan 2", force: false);
        Assert.Equal(["lo"], Links().Select(one => one.Name));
    });

    [Theory]
    [InlineData(1, "net0", "net0")]
    [InlineData(2, "the uplink", "")]
    public void ATapIsThereAsLongAsTheEngine(int queues, string id, string end) => NetworkNamespace.Run(() =>
    {
        _fixture.UseEngineScript("echo ok >&3; exec sleep 1000 3>&-");
        Create(new() { Name = "lan", NoDhcp = true });
        VmDefinition vm = OnSwitch("web", "LAN", queues, id);
        Assert.Equal("lan", vm.NetworkAdapters[0].Settings.SwitchName);
        NetworkNamespace.Command("ip", "link", "set", "st-lan", "mtu", "9000");
        int pid = _fixture.Client.Start(vm.Id, null, _fixture.Token).ProcessId!.Value;
        string name = SwitchTap.NameOf(vm.Id, id);
        Assert.InRange(name.Length, 15, 15);
        Assert.StartsWith($"st{vm.Id}-{end}", name, StringComparison.Ordinal);
        NetworkLink tap = Link(name)!;
        Assert.Equal(("tun", Link("st-lan")!.Index, 9000, true), (tap.Kind, tap.Master, tap.Mtu, tap.IsUp));
        Assert.Equal(9000, Link("st-lan")!.Mtu);
        Assert.Equal(["web"], _fixture.Client.GetSwitchInfo(_fixture.Client.GetSwitch("lan")).Vms);
        Assert.Equal("/dev/net/tun", new FileInfo(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/fd/{5 + queues - 1}")).LinkTarget);

        ClientFixture.Signal(pid, 9);
        ClientFixture.Until(() => Link(name) is null, "the tap's end");
        Assert.NotNull(Link("st-lan"));
    });

    [Fact]
    public void ASwitchThatIsDownIsTakenUpByAStart() => NetworkNamespace.Run(() =>
    {
        RequirePrograms();
        _fixture.UseEngineScript("echo ok >&3; exec sleep 1000 3>&-");
        SwitchDefinition lan = Create(new() { Name = "lan", Nat = true }).Definition;
        VmDefinition vm = OnSwitch("web", "lan");
        int before = SwitchDhcp.Find(lan)!.Value;

        // As after a reboot, but for a dnsmasq that listens on what is gone.
        NetworkNamespace.Command("ip", "link", "del", "st-lan");
        NetworkNamespace.Command("nft", "flush", "ruleset");
        File.WriteAllText("/proc/sys/net/ipv4/ip_forward", "0");
        Assert.Equal("Down", _fixture.Client.GetSwitchInfo(lan).State);
        _fixture.Client.Start(vm.Id, null, _fixture.Token);
        SwitchInfo info = _fixture.Client.GetSwitchInfo(lan);
        Assert.Equal("Up", info.State);
        Assert.NotEqual(before, info.DhcpProcessId);
        Assert.NotNull(info.DhcpProcessId);
        Assert.Contains($"strato_{lan.Id}", NetworkNamespace.Command("nft", "list", "ruleset"), StringComparison.Ordinal);
        Assert.Equal("1", File.ReadAllText("/proc/sys/net/ipv4/ip_forward").Trim());
        _fixture.Client.RemoveSwitch("lan", force: true);
    });

    [Fact]
    public void WhatAnotherMadeIsNeverUsedNorRemoved() => NetworkNamespace.Run(() =>
    {
        _fixture.UseEngineScript("echo ok >&3; exec sleep 1000 3>&-");
        NetworkNamespace.Command("ip", "link", "add", "st-lan", "type", "bridge");
        SwitchDefinition lan = Create(new() { Name = "lan", NoDhcp = true }).Definition;
        Assert.Equal($"st-{lan.Id}", lan.BridgeName);
        VmDefinition vm = OnSwitch("web", "lan");
        NetworkNamespace.Command("ip", "link", "del", lan.BridgeName);
        NetworkNamespace.Command("ip", "link", "add", lan.BridgeName, "type", "bridge");
        StratoException error = ClientFixture.Fails("SwitchBridgeTaken", () => _fixture.Client.Start(vm.Id, null, _fixture.Token));
        Assert.Equal($"The switch 'lan' can't have its bridge: the host has an interface '{lan.BridgeName}' that another made.", error.Message);
        Assert.Equal("Down", _fixture.Client.GetSwitchInfo(lan).State);
        ClientFixture.Fails("SwitchInUse", () => _fixture.Client.RemoveSwitch("lan", force: false));
        _fixture.Client.RemoveSwitch("lan", force: true);
        Assert.NotNull(Link(lan.BridgeName));
        ClientFixture.Fails("SwitchNotFound", () => _fixture.Client.Start(vm.Id, null, _fixture.Token));
        Assert.DoesNotContain(Links(), link => link.Kind == "tun");
    });

    [Fact]
    public void AnExternalSwitchLeadsToABridgeOrAnInterface() => NetworkNamespace.Run(() =>
    {
        NetworkNamespace.Command("ip", "link", "add", "br0", "type", "bridge");
        NetworkNamespace.Command("ip", "tuntap", "add", "up0", "mode", "tap");
        SwitchDefinition bridge = Create(new() { Name = "office", NetAdapterName = "br0" }).Definition;
        Assert.Equal(("External", "br0", false), (bridge.SwitchType, bridge.BridgeName, bridge.OwnsBridge));
        SwitchDefinition card = Create(new() { Name = "card", SwitchType = "External", NetAdapterName = "up0" }).Definition;
        Assert.Equal(Link("st-card")!.Index, Link("up0")!.Master);
        Assert.True(Link("up0")!.IsUp);
        StratoException error = ClientFixture.Fails("InvalidNetAdapter", () => Create(new() { Name = "again", NetAdapterName = "up0" }));
        Assert.Equal("'up0' is a port of 'st-card' already.", error.Message);
        _fixture.Client.RemoveSwitch("card", force: false);
        Assert.Equal(0, Link("up0")!.Master);
        _fixture.Client.RemoveSwitch("office", force: false);
        Assert.NotNull(Link("br0"));
        NetworkNamespace.Command("ip", "addr", "add", "10.0.0.5/24", "dev", "up0");
        error = ClientFixture.Fails("InvalidNetAdapter", () => Create(new() { Name = "card", NetAdapterName = "up0" }));
        Assert.Equal("'up0' has the address 10.0.0.5, which would be lost to the host on a switch.", error.Message);
        ClientFixture.Fails("NetAdapterNotFound", () => Create(new() { Name = "card", NetAdapterName = "up1" }));
        ClientFixture.Fails("InvalidNetAdapter", () => Create(new() { Name = "card", NetAdapterName = "lo" }));
        Assert.Empty(_fixture.Client.FindSwitches());
    });

    [Fact]
    public void APrivateSwitchKeepsTheHostOut() => NetworkNamespace.Run(() =>
    {
        SwitchDefinition made = Create(new() { Name = "inner", SwitchType = "Private" }).Definition;
        Assert.Null(made.Subnet);
        Assert.Equal("8", File.ReadAllText("/proc/sys/net/ipv4/conf/st-inner/arp_ignore").Trim());
        Assert.Equal("1", File.ReadAllText("/proc/sys/net/ipv6/conf/st-inner/disable_ipv6").Trim());
        Assert.DoesNotContain("inet", NetworkNamespace.Command("ip", "addr", "show", "st-inner"), StringComparison.Ordinal);
    });

    [Fact]
    public void NetworksThatAreTakenAreRefused() => NetworkNamespace.Run(() =>
    {
        NetworkNamespace.Command("ip", "tuntap", "add", "up0", "mode", "tap");
        NetworkNamespace.Command("ip", "addr", "add", "192.168.100.7/24", "dev", "up0");
        NetworkNamespace.Command("ip", "link", "set", "up0", "up");
        NetworkNamespace.Command("ip", "route", "add", "192.168.101.0/25", "via", "192.168.100.1", "dev", "up0", "onlink");
        Assert.Equal("192.168.102.0/24", Create(new() { Name = "a", NoDhcp = true }).Definition.Subnet);
        StratoException error = ClientFixture.Fails("SubnetInUse", () => Create(new() { Name = "b", Subnet = "192.168.101.0/24" }));
        Assert.Equal("The network 192.168.101.0/24 overlaps 192.168.101.0/25, which has a route of the host's by 'up0'.", error.Message);
        error = ClientFixture.Fails("SubnetInUse", () => Create(new() { Name = "b", Subnet = "192.168.100.16/28" }));
        Assert.Equal("The network 192.168.100.16/28 overlaps 192.168.100.0/24, which the host has on 'up0'.", error.Message);

        // That of a switch which is down, too.
        NetworkNamespace.Command("ip", "link", "del", "st-a");
        error = ClientFixture.Fails("SubnetInUse", () => Create(new() { Name = "b", Subnet = "192.168.102.0/24" }));
        Assert.Equal("The network 192.168.102.0/24 overlaps 192.168.102.0/24, which the switch 'a' has.", error.Message);
        Assert.Equal("SwitchExists", ClientFixture.Fails("SwitchExists", () => Create(new() { Name = "A" })).Id);
        Assert.Equal("10.0.0.0/29", Create(new() { Name = "b", Subnet = "10.0.0.0/29", NoDhcp = true }).Definition.Subnet);
    });

    [Fact]
    public void ManyAtOnceHaveNetworksOfTheirOwn() => NetworkNamespace.Run(() =>
    {
        Thread[] makers = [.. Enumerable.Range(0, 8).Select(i => new Thread(() => Create(new() { Name = $"s{i}", NoDhcp = true })))];
        Array.ForEach(makers, maker => maker.Start());
        Array.ForEach(makers, maker => maker.Join());
        IReadOnlyList<SwitchDefinition> all = _fixture.Client.FindSwitches();
        Assert.Equal(8, all.Select(one => one.Subnet).Distinct(StringComparer.Ordinal).Count());
        Assert.All(all, one => Assert.Equal("Up", _fixture.Client.GetSwitchInfo(one).State));
    });

    [Fact]
    public void WithoutTheRightThatIsTold() => NetworkNamespace.Run(() =>
    {
        SwitchDefinition lan = Create(new() { Name = "lan", NoDhcp = true }).Definition;
        VmDefinition vm = OnSwitch("web", "lan");
        NetworkNamespace.GiveUpNetAdmin();
        StratoException error = ClientFixture.Fails("SwitchNeedsRoot", () => Create(new() { Name = "b" }));
        Assert.Equal((StratoErrorKind.Permission, "The switch 'b' needs the right to change this host's network (CAP_NET_ADMIN)."), (error.Kind, error.Message));
        Assert.Contains("sudo pwsh", error.RecommendedAction, StringComparison.Ordinal);
        ClientFixture.Fails("SwitchNeedsRoot", () => _fixture.Client.Start(vm.Id, null, _fixture.Token));
        ClientFixture.Fails("SwitchNeedsRoot", () => _fixture.Client.RemoveSwitch("lan", force: true));
        Assert.Equal("Up", _fixture.Client.GetSwitchInfo(lan).State);
    });

    [Fact]
    public void WhatCanNotBeMadeLeavesNothing() => NetworkNamespace.Run(() =>
    {
        RequirePrograms();

        // Another server has the ports on all addresses.
        NetworkNamespace.Command("dnsmasq", "--conf-file=/dev/null", $"--pid-file={_fixture.Root}/other.pid", "--port=53", "--no-hosts");
        int other = int.Parse(File.ReadAllText($"{_fixture.Root}/other.pid"), CultureInfo.InvariantCulture);
        try
        {
            StratoException error = ClientFixture.Fails("SwitchDhcpFailed", () => Create(new() { Name = "lan", Nat = true }));
            Assert.Contains("Address already in use", error.Message, StringComparison.Ordinal);
            Assert.Equal(["lo"], Links().Select(one => one.Name));
            Assert.Empty(_fixture.Client.FindSwitches());
            Assert.Equal("", NetworkNamespace.Command("nft", "list", "ruleset"));
            Assert.Empty(Directory.GetDirectories(_fixture.Paths.RuntimeRoot));
        }
        finally
        {
            ClientFixture.Signal(other, 9);
        }

        using CancellationTokenSource cancelled = new();
        cancelled.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => _fixture.Client.CreateSwitch(new() { Name = "lan", NoDhcp = true }, cancelled.Token));
        Assert.Equal(["lo"], Links().Select(one => one.Name));
    });

    [Fact]
    public void ASwitchWithoutNatIsShutOffFromOtherNetworks() => NetworkNamespace.Run(() =>
    {
        RequirePrograms();
        SwitchDefinition lan = Create(new() { Name = "lan", NoDhcp = true }).Definition;
        string rules = NetworkNamespace.Command("nft", "list", "table", "ip", $"strato_{lan.Id}");
        Assert.Contains("iifname \"st-lan\" drop", rules, StringComparison.Ordinal);
        Assert.Contains("oifname \"st-lan\" drop", rules, StringComparison.Ordinal);
        Assert.DoesNotContain("masquerade", rules, StringComparison.Ordinal);
        _fixture.Client.RemoveSwitch("lan", force: false);
        Assert.DoesNotContain(lan.Id, NetworkNamespace.Command("nft", "list", "ruleset"), StringComparison.Ordinal);
    });

    [Fact]
    public void WhatCanBeTakenAwayIsWhateverCanNot() => NetworkNamespace.Run(() =>
    {
        RequirePrograms();
        SwitchDefinition lan = Create(new() { Name = "lan", Nat = true }).Definition;
        int pid = SwitchDhcp.Find(lan)!.Value;
        NetworkNamespace.GiveUpNetAdmin();
        ClientFixture.Fails("SwitchNeedsRoot", () => SwitchMaker.Remove(lan));
        Assert.NotNull(Link("st-lan"));
        Assert.Null(Procfs.TryReadStat(pid) is { State: not 'Z' } ? "runs" : null);
        Assert.False(Directory.Exists(lan.Runtime));
    });

    [Fact]
    public void AnAddressThatASwitchGaveIsTheGuests() => NetworkNamespace.Run(() =>
    {
        RequirePrograms();
        _fixture.UseEngineScript("echo ok >&3; exec sleep 1000 3>&-");
        SwitchDefinition lan = Create(new() { Name = "lan" }).Definition;
        VmDefinition vm = OnSwitch("web", "lan");
        string mac = StratoClient.GetMacAddress(vm, vm.NetworkAdapters[0]);

        // One of its run before.
        DateTimeOffset now = DateTimeOffset.UtcNow;
        string Lease(DateTimeOffset given, string address) => string.Create(CultureInfo.InvariantCulture, $"{(given + SwitchDhcp.LeaseTime).ToUnixTimeSeconds()} {mac} {address} guest 01:{mac}\n");
        string old = Lease(now.AddHours(-1), "192.168.100.200");
        File.WriteAllText(SwitchDhcp.LeaseFile(lan), old);
        int pid = _fixture.Client.Start(vm.Id, null, _fixture.Token).ProcessId!.Value;
        ClientFixture.Fails("GuestAgentNotFound", () => _fixture.Client.GetGuestInfo(vm.Id, null, _fixture.Token));
        ClientFixture.Fails("WaitTimeout", () => _fixture.Client.Wait(vm.Id, WaitTarget.IPAddress, new WaitOptions { Timeout = TimeSpan.Zero }, _fixture.Token));

        Task wait = Task.Run(() => _fixture.Client.Wait(vm.Id, WaitTarget.IPAddress, null, _fixture.Token), _fixture.Token);
        File.WriteAllText(SwitchDhcp.LeaseFile(lan), Lease(now.AddSeconds(30), "192.168.100.201") + old.Replace(mac, "52:54:00:00:00:01", StringComparison.Ordinal));
        Assert.True(wait.Wait(TimeSpan.FromSeconds(20), _fixture.Token));
        GuestDetails known = _fixture.Client.GetGuestInfo(vm.Id, null, _fixture.Token);
        GuestInterface one = Assert.Single(known.Interfaces!);
        Assert.Equal(("guest", "net0", mac, new GuestAddress("192.168.100.201", 24)), (known.HostName, one.Name, one.MacAddress, Assert.Single(one.Addresses)));

        // Nothing is waited for when it has ended.
        File.WriteAllText(SwitchDhcp.LeaseFile(lan), "");
        wait = Task.Run(() => _fixture.Client.Wait(vm.Id, WaitTarget.IPAddress, null, _fixture.Token), _fixture.Token);
        ClientFixture.Signal(pid, 9);
        AggregateException ended = Assert.Throws<AggregateException>(() => wait.Wait(TimeSpan.FromSeconds(20), _fixture.Token));
        Assert.Contains(Assert.IsType<StratoException>(ended.InnerException).Id, (string[])["VmEnded", "VmNotRunning"]);
        ClientFixture.Until(() => _fixture.Client.Snapshot(vm.Id).State == VmState.Stopped, "the end");
        _fixture.Client.RemoveSwitch("lan", force: true);
    });

    [Fact]
    public void ANumberOfAnothersIsLeftAlone()
    {
        SwitchDefinition definition = new() { Id = "abcdefgh", Name = "lan", SwitchType = "Internal", BridgeName = "st-lan", Subnet = "10.0.0.0/24", Runtime = _fixture.Root, Created = default };
        File.WriteAllText(Path.Combine(_fixture.Root, "dnsmasq.pid"), $"{Environment.ProcessId}\n");
        Assert.Null(SwitchDhcp.Find(definition));
        SwitchDhcp.Stop(definition);
    }

    [Fact]
    public void LeasesAreRead()
    {
        DateTimeOffset now = DateTimeOffset.FromUnixTimeSeconds(1000);
        Assert.Equal(
            [new("10.0.0.130", "52:54:00:12:34:56", null, DateTimeOffset.MaxValue), new("10.0.0.131", "52:54:00:12:34:57", "web", DateTimeOffset.FromUnixTimeSeconds(1001))],
            SwitchDhcp.ParseLeases("1001 52:54:00:12:34:57 10.0.0.131 web 01:52\n0 52:54:00:12:34:56 10.0.0.130 *\n1000 52:54:00:12:34:58 10.0.0.132 old *\nduid 00:01\nnonsense\n", now));
    }

    [Theory]
    [InlineData("192.168.100.0/24", "192.168.100.1", "192.168.100.128", "192.168.100.254", "192.168.100.255", "255.255.255.0")]
    [InlineData("10.1.2.8/29", "10.1.2.9", "10.1.2.12", "10.1.2.14", "10.1.2.15", "255.255.255.248")]
    [InlineData("172.16.0.0/16", "172.16.0.1", "172.16.128.0", "172.16.255.254", "172.16.255.255", "255.255.0.0")]
    public void NetworksAreDivided(string text, string host, string first, string last, string broadcast, string mask)
    {
        Ipv4Subnet subnet = Ipv4Subnet.Parse(text);
        Assert.Equal(
            (text, host, first, last, broadcast, mask),
            (subnet.ToString(), subnet.HostAddress.ToString(), subnet.FirstLease.ToString(), subnet.LastLease.ToString(), subnet.Broadcast.ToString(), subnet.Netmask.ToString()));
    }

    [Theory]
    [InlineData("192.168.100.0", "'192.168.100.0' isn't an IPv4 network, such as 192.168.100.0/24.")]
    [InlineData("fd00::/64", "'fd00::/64' isn't an IPv4 network, such as 192.168.100.0/24.")]
    [InlineData("10.1/16", "'10.1/16' isn't an IPv4 network, such as 192.168.100.0/24.")]
    [InlineData("10.0.0.0/33", "'10.0.0.0/33' isn't an IPv4 network, such as 192.168.100.0/24.")]
    [InlineData("10.0.0.0/8", "The network '10.0.0.0/8' has a prefix of 8 bits; allowed: 16 to 29.")]
    [InlineData("10.0.0.0/30", "The network '10.0.0.0/30' has a prefix of 30 bits; allowed: 16 to 29.")]
    [InlineData("192.168.100.1/24", "'192.168.100.1/24' isn't the first address of its network; that is 192.168.100.0/24.")]
    [InlineData("224.0.0.0/24", "The network '224.0.0.0/24' has no addresses for hosts; take one of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16.")]
    [InlineData("127.0.0.0/24", "The network '127.0.0.0/24' has no addresses for hosts; take one of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16.")]
    public void WhatIsNoNetworkIsRefused(string text, string message) =>
        Assert.Equal(message, ClientFixture.Fails("InvalidSubnet", () => Ipv4Subnet.Parse(text)).Message);

    [Theory]
    [InlineData("192.168.0.0/16", "192.168.100.0/24", true)]
    [InlineData("192.168.100.0/25", "192.168.100.128/25", false)]
    [InlineData("10.0.0.0/24", "10.0.1.0/24", false)]
    public void OverlapsAreSeen(string one, string other, bool overlap) =>
        Assert.Equal((overlap, overlap), (Ipv4Subnet.Parse(one).Overlaps(Ipv4Subnet.Parse(other)), Ipv4Subnet.Parse(other).Overlaps(Ipv4Subnet.Parse(one))));

    [Fact]
    public void ADamagedDefinitionIsTold()
    {
        SwitchStore store = new(_fixture.Paths);
        SwitchDefinition definition = new() { Id = "abcdefgh", Name = "lan", SwitchType = "Internal", BridgeName = "st-lan", Subnet = "10.0.0.0/24", Nat = true, Runtime = "/run/x", Created = DateTimeOffset.UtcNow };
        using (store.Lock(_fixture.Token))
        {
            store.Write(definition);
        }

        string file = Path.Combine(_fixture.Paths.SwitchesDirectory, "abcdefgh.json");
        string good = File.ReadAllText(file);
        Assert.Equal(definition, store.Get("LAN") with { Extra = definition.Extra });

        // What a newer version wrote stays.
        File.WriteAllText(file, good.Replace("\"nat\"", "\"colour\": \"red\", \"nat\"", StringComparison.Ordinal));
        using (store.Lock(_fixture.Token))
        {
            store.Write(store.Get("lan"));
        }

        Assert.Contains("\"colour\": \"red\"", File.ReadAllText(file), StringComparison.Ordinal);
        foreach ((string from, string to, string fault) in (ReadOnlySpan<(string, string, string)>)[("\"version\": 1", "\"version\": 2", "version is 2; this module knows 1"), ("Internal", "Private", "type is 'Private' with a subnet"), ("{", "[", "")])
        {
            File.WriteAllText(file, good.Replace(from, to, StringComparison.Ordinal));
            Assert.Empty(store.List());
            StratoException error = Assert.Single(_fixture.Client.FindDamagedSwitches());
            Assert.Equal("SwitchDefinitionDamaged", error.Id);
            Assert.Contains(fault, error.Message, StringComparison.Ordinal);
            Assert.Equal(file, error.Where);

            // It may be the one that is asked for; the others go on.
            ClientFixture.Fails("SwitchDefinitionDamaged", () => store.Get("lan"));
            using (store.Lock(_fixture.Token))
            {
                store.Write(definition with { Id = "bbbbbbbb", Name = "other" });
            }

            Assert.Equal("other", store.Get("OTHER").Name);
            Assert.Equal("other", Assert.Single(_fixture.Client.FindSwitches()).Name);
            File.Delete(Path.Combine(_fixture.Paths.SwitchesDirectory, "bbbbbbbb.json"));
        }
    }

    private static void RequirePrograms() =>
        Assert.SkipUnless(ProgramPath.Find("dnsmasq", SwitchDhcp.Folders) is not null && ProgramPath.Find("nft", SwitchDhcp.Folders) is not null, "needs dnsmasq and nft");

    private NewSwitch Create(SwitchSettings settings)
    {
        NewSwitch made = _fixture.Client.CreateSwitch(settings, _fixture.Token);
        lock (_made)
        {
            _made.Add(made.Definition);
        }

        return made;
    }

    private VmDefinition OnSwitch(string name, string switchName, int queues = 1, string? id = null)
    {
        VmDefinition vm = _fixture.Create(name);
        _fixture.Client.AddNetworkAdapter(vm.Id, new NetworkAdapterSettings { SwitchName = switchName, QueueCount = queues }, id, token: _fixture.Token);
        return _fixture.Client.GetById(vm.Id);
    }

    private static List<NetworkLink> Links()
    {
        using RouteSocket socket = new();
        return NetworkLinks.List(socket);
    }

    private static NetworkLink? Link(string name) => Links().Find(link => link.Name == name);
}
