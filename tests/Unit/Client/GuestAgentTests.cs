using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Strato.Client;
using Xunit;

namespace Strato.Tests.Unit.Client;

/// <summary>The guest agent's client, with an agent whose guest is this host.</summary>
public sealed class GuestAgentTests : IDisposable
{
    private readonly ClientFixture _fixture = new();
    private readonly string _id;
    private FakeAgent? _agent;

    public GuestAgentTests()
    {
        _id = Client.Create(new VmSettings { Name = "web", Kernel = _fixture.Kernel, CommandLine = "quiet", GuestAgent = true }).Id;
        Client.Start(_id, null, _fixture.Token);
    }

    private StratoClient Client => _fixture.Client;

    private FakeAgent Agent => _agent ??= new FakeAgent(_fixture, _id);

    public void Dispose()
    {
        _agent?.Dispose();
        _fixture.Dispose();
    }

    [Fact]
    public void ACommandHasInputOutputAndAnExitCode()
    {
        _ = Agent;
        GuestCommandOutcome outcome = Run(GuestCommand.Shell("cat; printf ü >&2; exit 3") with { Input = "hello"u8.ToArray() });
        Assert.Equal(("hello", "ü", 3), (Text(outcome.Output), Text(outcome.Error), outcome.ExitCode));
        Assert.Null(outcome.Signal);
        outcome = Run(GuestCommand.Shell("kill -KILL $$"));
        Assert.Equal((null, 9), (outcome.ExitCode, outcome.Signal));
    }

    [Fact]
    public void ArgumentsAreTakenAsTheyAreAndVariablesAreAdded()
    {
        _ = Agent;
        GuestCommand command = new() { Path = "printf", Arguments = ["%s|", "a b", "$x", "", "ü"] };
        Assert.Equal("a b|$x||ü|", Text(Run(command).Output));
        command = GuestCommand.Shell("echo \"$GREETING\"; [ -n \"$PATH\" ]") with { Environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["GREETING"] = "a = b" } };
        GuestCommandOutcome outcome = Run(command);
        Assert.Equal(("a = b\n", 0), (Text(outcome.Output), outcome.ExitCode));
        foreach (string name in (string[])["", "-i", "A=B"])
        {
            ClientFixture.Fails("InvalidEnvironment", () => Run(command with { Environment = new Dictionary<string, string>(StringComparer.Ordinal) { [name] = "x" } }));
        }
    }

    [Fact]
    public void OutputOfMegabytesComesWhole()
    {
        _ = Agent;
        Assert.Equal(5_000_000, Run(GuestCommand.Shell("head -c 5000000 /dev/zero")).Output.Length);
        ClientFixture.Fails("GuestInputTooLarge", () => Run(GuestCommand.Shell("cat") with { Input = new byte[GuestCommand.MaximumInput + 1] }));
    }

    [Fact]
    public void WhatCantBeRunIsTold()
    {
        Assert.Contains("/no/such", ClientFixture.Fails("GuestCommandNotStarted", () => RunAgent(new GuestCommand { Path = "/no/such" })).Message, StringComparison.Ordinal);
        Agent.Disabled.Add("guest-exec");
        StratoException error = ClientFixture.Fails("GuestCommandUnavailable", () => Run(GuestCommand.Shell("true")));
        Assert.Equal((StratoErrorKind.Unavailable, "web"), (error.Kind, error.VmName));
        Assert.Contains("qemu-ga.conf", error.RecommendedAction, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"return\": 5}\n")]
    [InlineData("\u00ff{\"return\": 7}\n{\"return\": {}}\n")]
    [InlineData("\u00ff\u00ffnoise\u00ff{\"return\"")]
    [InlineData("{\"return\": {\"pid\": 1}}\n\u00ff[1]\n\u00ff{\"error\": 3}\n\n\n")]
    public void AnswersForOthersAreDropped(string stale)
    {
        Agent.Stale = Encoding.Latin1.GetBytes(stale);
        Assert.Equal("x\n", Text(Run(GuestCommand.Shell("echo x")).Output));
    }

    [Fact]
    public void MuchNoiseBeforeTheFirstAnswerIsDropped()
    {
        byte[] noise = new byte[4 << 20];
        noise.AsSpan().Fill((byte)'n');
        noise[1 << 20] = 0xff;
        Agent.Stale = noise;
        Assert.Equal(0, Run(GuestCommand.Shell("true")).ExitCode);
    }

    [Theory]
    [InlineData("nonsense\u001b[31m\n", "GuestAgentProtocol")]
    [InlineData("[]\n", "GuestAgentProtocol")]
    [InlineData("{\"return\": []}\n", "GuestAgentProtocol")]
    [InlineData("{\"return\": {\"pid\": \"one\"}}\n", "GuestAgentProtocol")]
    [InlineData("{\"error\": {}}\n", "GuestCommandNotStarted")]
    [InlineData("{\"error\": {\"class\": \"GenericError\", \"desc\": \"bad\\u001b[31m\\u0007\\u009b\"}}\n", "GuestCommandNotStarted")]
    [InlineData("{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"bad\\u001b[31m\"}}\n", "GuestCommandUnavailable")]
    [InlineData("{\"error\": {\"class\": \"GenericError\", \"desc\": \"\\ud800\"}}\n", "GuestCommandNotStarted")]
    [InlineData("{\"error\": {\"class\": \"\\udc00\", \"desc\": \"\u00ff\u00fe\"}}\n", "GuestCommandNotStarted")]
    [InlineData("{\"error\": {\"\\ud800\": \"\u0080\"}}\n", "GuestCommandNotStarted")]
    [InlineData("{\"\\ud800\": {}, \"\u00c3\": 1}\n", "GuestAgentProtocol")]
    public void AnswersThatMeanNothingAreErrorsAndTheNextGoesWell(string answer, string id)
    {
        bool first = true;
        Agent.Answer = name =>
        {
            bool wrong = first && name == "guest-exec";
            first &= !wrong;
            return wrong ? Encoding.Latin1.GetBytes(answer) : null;
        };
        StratoException error = ClientFixture.Fails(id, () => Run(GuestCommand.Shell("true")));
        Assert.DoesNotContain(error.Message, char.IsControl);
        Assert.Equal(0, Run(GuestCommand.Shell("true")).ExitCode);
    }

    [Fact]
    public void AnAnswerWithoutAnEndIsCut()
    {
        byte[] huge = new byte[2 << 20];
        huge.AsSpan().Fill((byte)' ');
        Agent.Answer = name => name == "guest-exec" ? huge : null;
        Assert.Contains("more than 1048576 bytes", ClientFixture.Fails("GuestAgentProtocol", () => Run(GuestCommand.Shell("true"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OutputThatIsNoBase64IsAnError()
    {
        Agent.Answer = name => name == "guest-exec-status" ? "{\"return\": {\"exited\": true, \"exitcode\": 0, \"out-data\": \"***\"}}\n"u8.ToArray() : null;
        ClientFixture.Fails("GuestAgentProtocol", () => Run(GuestCommand.Shell("true")));
    }

    [Fact]
    public void NobodyInTheGuestIsAnErrorWithARemedy()
    {
        _agent = new FakeAgent(_fixture, _id, open: false);
        StratoException error = ClientFixture.Fails("GuestAgentTimeout", () => Run(GuestCommand.Shell("true") with { Timeout = TimeSpan.FromSeconds(1) }));
        Assert.Contains("nothing in the guest has its port open", error.Message, StringComparison.Ordinal);
        Assert.Contains("Install qemu-guest-agent", error.RecommendedAction, StringComparison.Ordinal);
        Agent.Opened.Set();
        Assert.Equal(0, Run(GuestCommand.Shell("true")).ExitCode);
    }

    [Fact]
    public void AnAgentThatHangsIsToldFromNone()
    {
        Agent.Answer = _ => [];
        StratoException error = ClientFixture.Fails("GuestAgentTimeout", () => Run(GuestCommand.Shell("true") with { Timeout = TimeSpan.FromSeconds(1) }));
        Assert.Contains("doesn't answer", error.Message, StringComparison.Ordinal);
        Agent.Answer = _ => null;
        Assert.Equal(0, Run(GuestCommand.Shell("true")).ExitCode);
    }

    [Fact]
    public void AConnectionThatIsCutIsAnError()
    {
        Agent.CutAt = "guest-exec";
        ClientFixture.Fails("GuestAgentDisconnected", () => Run(GuestCommand.Shell("true")));
        Agent.CutAt = null;
        Assert.Equal(0, Run(GuestCommand.Shell("true")).ExitCode);
    }

    [Fact]
    public void WithoutAPortOrAVmThereIsAnErrorWithARemedy()
    {
        VmDefinition other = _fixture.Create("other");
        ClientFixture.Fails("VmNotRunning", () => Client.GetGuestInfo(other.Id, null, _fixture.Token));
        Client.Start(other.Id, null, _fixture.Token);
        StratoException error = ClientFixture.Fails("GuestAgentNotFound", () => Client.GetGuestInfo(other.Id, null, _fixture.Token));
        Assert.Contains("Set-StratoVm 'other' -GuestAgent", error.RecommendedAction, StringComparison.Ordinal);
        ClientFixture.Fails("GuestAgentNotFound", () => Client.Wait(other.Id, WaitTarget.GuestAgent, null, _fixture.Token));
    }

    [Fact]
    public async Task TheEndOfTheVmEndsWhatWaits()
    {
        Agent.Answer = name => name == "guest-exec-status" ? "{\"return\": {\"exited\": false}}\n"u8.ToArray() : null;
        Task<StratoException> waiting = Task.Run(() => Assert.Throws<StratoException>(() => Run(GuestCommand.Shell("true"))), _fixture.Token);
        ClientFixture.Until(() => Agent.Commands.Contains("guest-exec-status", StringComparer.Ordinal), "the command's start");
        Client.Stop(_id, new StopOptions { TurnOff = true }, _fixture.Token);
        Assert.Equal("VmEnded", (await waiting.WaitAsync(TimeSpan.FromSeconds(20), _fixture.Token)).Id);
        ClientFixture.Fails("VmNotRunning", () => Run(GuestCommand.Shell("true")));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task CancellationEndsTheCommandAtOnceAndLeavesTheAgentUsable(bool late)
    {
        _ = Agent;
        using CancellationTokenSource stop = new();
        Task run = Task.Run(() => Client.InvokeGuest(_id, GuestCommand.Shell("exec sleep 600"), stop.Token), _fixture.Token);

        // Later on the connection isn't kept between two looks.
        ClientFixture.Until(() => Agent.Commands.Count(name => name == "guest-exec-status") > (late ? 10 : 0), "the command's start");
        Assert.Equal(1, Agent.Running);
        Stopwatch watch = Stopwatch.StartNew();
        stop.Cancel();
        await Assert.ThrowsAsync<OperationCanceledException>(() => run);
        Assert.InRange(watch.ElapsedMilliseconds, 0, 1000);
        ClientFixture.Until(() => Agent.Running == 0, "the command's end");
        Assert.Equal(0, Run(GuestCommand.Shell("true")).ExitCode);
    }

    [Fact]
    public async Task CancellationEndsTheWaitForAnAgentThatIsSilent()
    {
        _agent = new FakeAgent(_fixture, _id, open: false);
        using CancellationTokenSource stop = new();
        Task[] waits =
        [
            Task.Run(() => Client.InvokeGuest(_id, GuestCommand.Shell("true"), stop.Token), _fixture.Token),
            Task.Run(() => Client.GetGuestInfo(_id, null, stop.Token), _fixture.Token),
            Task.Run(() => Client.Wait(_id, WaitTarget.IPAddress, null, stop.Token), _fixture.Token),
        ];
        ClientFixture.Until(() => File.Exists(Path.Combine(_fixture.Paths.RuntimeDirectory(_id), "agent.lock")), "the lock");
        stop.Cancel();
        foreach (Task wait in waits)
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => wait.WaitAsync(TimeSpan.FromSeconds(10), _fixture.Token));
        }

        Agent.Opened.Set();
        Assert.Equal(0, Run(GuestCommand.Shell("true")).ExitCode);
    }

    [Fact]
    public void ACommandThatTakesTooLongIsEnded()
    {
        StratoException error = ClientFixture.Fails("GuestCommandTimeout", () => RunAgent(GuestCommand.Shell("exec sleep 600") with { Timeout = TimeSpan.FromSeconds(1) }));
        Assert.Equal(StratoErrorKind.Timeout, error.Kind);
        ClientFixture.Until(() => Agent.Running == 0, "the command's end");
    }

    [Fact]
    public async Task SeveralUseOneAgentInTurns()
    {
        _ = Agent;
        string gate = Path.Combine(_fixture.Root, "gate");
        Task<GuestCommandOutcome>[] runs =
        [
            .. Enumerable.Range(0, 4).Select(i => Task.Factory.StartNew(
                () => Run(GuestCommand.Shell($"until [ -e {gate} ]; do sleep 0.05; done; echo {i}")), _fixture.Token, TaskCreationOptions.LongRunning, TaskScheduler.Default)),
        ];

        // While those wait, a short one gets its turn.
        ClientFixture.Until(() => Agent.Running == 4, "all commands' start");
        Assert.Equal(0, Run(GuestCommand.Shell($"touch {gate}")).ExitCode);
        Assert.Equal(["0\n", "1\n", "2\n", "3\n"], (await Task.WhenAll(runs)).Select(outcome => Text(outcome.Output)));
    }

    [Fact]
    public void WhoWaitsTooLongForOthersIsTold()
    {
        _ = Agent;
        string path = Path.Combine(_fixture.Paths.RuntimeDirectory(_id), "agent.lock");
        using (Strato.Client.Store.FileLock.TryTake(path, Strato.Client.Linux.Deadline.Never, _fixture.Token))
        {
            Assert.Equal(StratoErrorKind.Busy, ClientFixture.Fails("GuestAgentBusy", () => Run(GuestCommand.Shell("true") with { Timeout = TimeSpan.FromSeconds(1) })).Kind);
        }

        Assert.Equal(0, Run(GuestCommand.Shell("true")).ExitCode);
    }

    [Fact]
    public void TheGuestTellsOfItself()
    {
        Dictionary<string, string> answers = new(StringComparer.Ordinal)
        {
            ["guest-info"] = """{"version": "7.2.22", "supported_commands": [{"name": "guest-get-osinfo", "enabled": true, "success-response": true}, {"name": "guest-get-host-name", "enabled": true}, {"name": "guest-network-get-interfaces", "enabled": true}, {"name": "guest-get-fsinfo", "enabled": true}, {"name": "guest-get-users", "enabled": true}, {"name": "guest-get-disks", "enabled": true}, {"name": "guest-get-timezone", "enabled": false}]}""",
            ["guest-get-host-name"] = """{"host-name": "web1"}""",
            ["guest-get-osinfo"] = """{"name": "Debian GNU/Linux", "kernel-release": "6.1.0-56-cloud-amd64", "version": "12 (bookworm)", "pretty-name": "Debian GNU/Linux 12 (bookworm)", "version-id": "12", "kernel-version": "#1 SMP", "machine": "x86_64", "id": "debian"}""",
            ["guest-network-get-interfaces"] = """[{"name": "lo", "ip-addresses": [{"ip-address-type": "ipv4", "ip-address": "127.0.0.1", "prefix": 8}]}, {"name": "eth0", "hardware-address": "52:54:00:12:34:56", "ip-addresses": [{"ip-address": "10.0.2.15", "prefix": 24}, {"ip-address": "fe80::1", "prefix": 64}]}, {"name": "dummy"}]""",
            ["guest-get-fsinfo"] = """[{"name": "vda", "total-bytes": 2000, "mountpoint": "/", "disk": [], "used-bytes": 1000, "type": "ext4"}]""",
            ["guest-get-users"] = """[{"user": "root", "login-time": 1700000000.5}]""",
            ["guest-get-disks"] = """[{"name": "/dev/vda", "partition": false}, {"name": "/dev/vda1", "partition": true}]""",
        };
        Agent.Answer = name => answers.TryGetValue(name, out string? answer) ? Encoding.UTF8.GetBytes($"{{\"return\": {answer}}}\n") : null;
        GuestDetails info = Client.GetGuestInfo(_id, null, _fixture.Token);
        Assert.Equal(("7.2.22", "web1", "Debian GNU/Linux 12 (bookworm)", "debian", "12"), (info.AgentVersion, info.HostName, info.Os, info.OsId, info.OsVersion));
        Assert.Equal(("6.1.0-56-cloud-amd64", "#1 SMP", "x86_64"), (info.KernelRelease, info.KernelVersion, info.Machine));
        Assert.Equal(["lo", "eth0", "dummy"], info.Interfaces!.Select(item => item.Name));
        Assert.Equal([new GuestAddress("10.0.2.15", 24), new GuestAddress("fe80::1", 64)], info.Interfaces![1].Addresses);
        Assert.Equal(new GuestMount("vda", "/", "ext4", 2000, 1000), Assert.Single(info.FileSystems!));
        Assert.Equal(new GuestLogin("root", DateTimeOffset.UnixEpoch.AddSeconds(1700000000.5)), Assert.Single(info.Users!));
        Assert.Equal([new GuestDisk("/dev/vda", false), new GuestDisk("/dev/vda1", true)], info.Disks);
        Assert.Null(info.TimeZone);
        Assert.DoesNotContain("guest-get-timezone", Agent.Commands);
    }

    [Fact]
    public void WhatTheAgentDoesntTellIsNull()
    {
        Agent.Answer = name => name == "guest-get-osinfo" ? "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no os-release\"}}\n"u8.ToArray()
            : name == "guest-get-users" ? "{\"return\": {}}\n"u8.ToArray()
            : null;
        GuestDetails info = Client.GetGuestInfo(_id, null, _fixture.Token);
        Assert.Null(info.Os);
        Assert.Null(info.Users);
        Assert.Null(info.Interfaces);
        Assert.Null(info.AgentVersion);
        Assert.Empty(info.Commands);
    }

    [Fact]
    public void TextThatIsNoneIsShownAsSuch()
    {
        Agent.Answer = name => name switch
        {
            "guest-get-host-name" => Encoding.Latin1.GetBytes("{\"return\": {\"\\ud800\": 1, \"host-name\": \"a\\ud800b\\\\ud800\\ud83d\\ude00\"}}\n"),
            "guest-get-users" => Encoding.Latin1.GetBytes("{\"return\": [{\"user\": \"x\u00ff\"}]}\n"),
            _ => null,
        };
        GuestDetails info = Client.GetGuestInfo(_id, null, _fixture.Token);
        Assert.Equal("a\ufffdb\\ud800\U0001f600", info.HostName);
        Assert.Equal("x\ufffd", Assert.Single(info.Users!).Name);
    }

    [Theory]
    [InlineData("10.0.2.15", true)]
    [InlineData("2001:db8::1", true)]
    [InlineData("127.0.0.1", false)]
    [InlineData("::1", false)]
    [InlineData("169.254.1.2", false)]
    [InlineData("fe80::1", false)]
    [InlineData("0.0.0.0", false)]
    [InlineData("nonsense", false)]
    public void AddressesThatOthersCanReach(string address, bool reachable) => Assert.Equal(reachable, StratoClient.IsReachable(address));

    [Fact]
    public async Task AnAgentThatComesLaterIsWaitedFor()
    {
        _agent = new FakeAgent(_fixture, _id, open: false);
        Assert.Contains("guest agent", ClientFixture.Fails("WaitTimeout", () => Wait(WaitTarget.GuestAgent, 1)).Message, StringComparison.Ordinal);
        Task<WaitResult> wait = Task.Run(() => Wait(WaitTarget.GuestAgent, 60), _fixture.Token);
        await Assert.ThrowsAsync<TimeoutException>(() => wait.WaitAsync(TimeSpan.FromMilliseconds(200), _fixture.Token));
        Agent.Opened.Set();
        Assert.Equal(VmState.Running, (await wait).Vm.State);
        Assert.DoesNotContain("guest-exec", Agent.Commands);
    }

    [Fact]
    public void AQuestionThatAnAgentTookAndLeftIsAskedAgainAndMayBeAnsweredTwice()
    {
        Agent.HoldsFirst = true;
        Assert.Equal("x\n", Text(Run(GuestCommand.Shell("echo x")).Output));
        Assert.Equal(["guest-sync-delimited", "guest-sync-delimited", "guest-exec"], Agent.Commands.Take(3));
    }

    [Fact]
    public void WhatAnAgentSaysToALateDelimiterIsNoAnswer()
    {
        Agent.Answer = name => name != "guest-network-get-interfaces" ? null
            : "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error, stray '?'\"}}\n{\"return\": [{\"name\": \"eth0\", \"ip-addresses\": [{\"ip-address\": \"10.0.2.15\"}]}]}\n"u8.ToArray();
        Wait(WaitTarget.IPAddress, 60);
    }

    [Fact]
    public async Task AnAddressIsWaitedFor()
    {
        int asked = 0;
        Agent.Answer = name => name != "guest-network-get-interfaces" ? null
            : ++asked < 3 ? "{\"return\": [{\"name\": \"lo\", \"ip-addresses\": [{\"ip-address\": \"127.0.0.1\"}]}]}\n"u8.ToArray()
            : "{\"return\": [{\"name\": \"eth0\", \"ip-addresses\": [{\"ip-address\": \"10.0.2.15\"}]}]}\n"u8.ToArray();
        await Task.Run(() => Wait(WaitTarget.IPAddress, 60), _fixture.Token);
        Assert.Equal(3, asked);
        asked = int.MinValue;
        ClientFixture.Fails("WaitTimeout", () => Wait(WaitTarget.IPAddress, 1));
    }

    [Fact]
    public async Task TheEndOfTheVmEndsTheWaitForItsAgent()
    {
        _agent = new FakeAgent(_fixture, _id, open: false);
        Task<StratoException> wait = Task.Run(() => Assert.Throws<StratoException>(() => Wait(WaitTarget.GuestAgent, 60)), _fixture.Token);
        ClientFixture.Until(() => File.Exists(Path.Combine(_fixture.Paths.RuntimeDirectory(_id), "agent.lock")), "the lock");
        Client.Stop(_id, new StopOptions { TurnOff = true }, _fixture.Token);
        Assert.Equal("VmEnded", (await wait.WaitAsync(TimeSpan.FromSeconds(20), _fixture.Token)).Id);
        ClientFixture.Fails("VmNotRunning", () => Wait(WaitTarget.GuestAgent, 1));
        Assert.False(Directory.Exists(_fixture.Paths.RuntimeDirectory(_id)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(65536)]
    [InlineData(300_001)]
    public void AFileGoesToTheGuestAndBack(int length)
    {
        _ = Agent;
        byte[] bytes = RandomNumberGenerator.GetBytes(length);
        string source = Path.Combine(_fixture.Root, "source");
        File.WriteAllBytes(source, bytes);
        File.SetUnixFileMode(source, (UnixFileMode)0x1ed);
        string inGuest = Path.Combine(Guest("there dir"), "two words");
        List<long> progress = [];
        Client.CopyToGuest(_id, source, inGuest, new GuestCopyOptions { Progress = (done, all) => progress.Add(all == length ? done : -1) }, _fixture.Token);
        Assert.Equal(bytes, File.ReadAllBytes(inGuest));
        Assert.Equal((UnixFileMode)0x1ed, File.GetUnixFileMode(inGuest));
        Assert.Equal(progress.Order(), progress);
        Assert.Equal(length, progress.LastOrDefault());
        string back = Path.Combine(_fixture.Root, "back");
        Client.CopyFromGuest(_id, inGuest, back, null, _fixture.Token);
        Assert.Equal(bytes, File.ReadAllBytes(back));
        Assert.Equal([inGuest], Directory.GetFiles(Guest("there dir")));
    }

    [Fact]
    public void AFileThatIsThereIsReplacedOnlyWhenWished()
    {
        _ = Agent;
        string source = _fixture.WriteFile("source", "new");
        string there = Path.Combine(Guest("guest"), "file");
        File.WriteAllText(there, "old");
        ClientFixture.Fails("GuestFileExists", () => Client.CopyToGuest(_id, source, there, null, _fixture.Token));
        Assert.Equal("old", File.ReadAllText(there));
        Client.CopyToGuest(_id, source, there, new GuestCopyOptions { Overwrite = true, Mode = 0x100 }, _fixture.Token);
        Assert.Equal(("new", (UnixFileMode)0x100), (File.ReadAllText(there), File.GetUnixFileMode(there)));
        string here = _fixture.WriteFile("here", "old");
        ClientFixture.Fails("FileExists", () => Client.CopyFromGuest(_id, there, here, null, _fixture.Token));
        Client.CopyFromGuest(_id, there, here, new GuestCopyOptions { Overwrite = true }, _fixture.Token);
        Assert.Equal("new", File.ReadAllText(here));
    }

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    public void AFolderTakesAFileOfTheSameName(string slash)
    {
        _ = Agent;
        string folder = Guest("folder");
        Client.CopyToGuest(_id, _fixture.WriteFile("source", "text"), folder + slash, null, _fixture.Token);
        Assert.Equal("text", File.ReadAllText(Path.Combine(folder, "source")));
        Client.CopyFromGuest(_id, Path.Combine(folder, "source"), Guest("here"), null, _fixture.Token);
        Assert.Equal("text", File.ReadAllText(Path.Combine(_fixture.Root, "here", "source")));
        Directory.CreateDirectory(Path.Combine(Guest("other"), "source"));
        ClientFixture.Fails("GuestFileFailed", () => Client.CopyToGuest(_id, Path.Combine(_fixture.Root, "source"), Path.Combine(_fixture.Root, "other"), null, _fixture.Token));
    }

    [Fact]
    public void WithoutProgramsAFileIsWrittenInItsPlace()
    {
        Agent.Disabled.Add("guest-exec");
        string there = Path.Combine(Guest("guest"), "file");
        string source = _fixture.WriteFile("source", "text");
        Client.CopyToGuest(_id, source, there, null, _fixture.Token);
        Assert.Equal("text", File.ReadAllText(there));
        ClientFixture.Fails("GuestFileExists", () => Client.CopyToGuest(_id, source, there, null, _fixture.Token));
        Client.CopyToGuest(_id, source, there, new GuestCopyOptions { Overwrite = true }, _fixture.Token);
    }

    [Fact]
    public void WhileAFileIsCopiedNobodyElseCanOpenIt()
    {
        string folder = Guest("guest");
        List<UnixFileMode> modes = [];
        Agent.Answer = name =>
        {
            if (name == "guest-file-write")
            {
                modes.Add(File.GetUnixFileMode(Assert.Single(Directory.GetFiles(folder))));
            }

            return null;
        };
        string source = _fixture.WriteFile("source", "secret");
        Client.CopyToGuest(_id, source, Path.Combine(folder, "target"), new GuestCopyOptions { Mode = 0x180 }, _fixture.Token);
        Assert.Equal([UnixFileMode.UserRead | UnixFileMode.UserWrite], modes);
        Assert.Equal("secret", File.ReadAllText(Path.Combine(folder, "target")));
    }

    [Fact]
    public void WordsOfTheGuestsShellAreSafeForATerminal()
    {
        _ = Agent;
        string source = _fixture.WriteFile("source", "text");
        string words = Convert.ToBase64String("\u001b]0;title\u0007no"u8);
        int statuses = 0;
        Agent.Answer = name => name == "guest-exec-status" && ++statuses == 2
            ? Encoding.UTF8.GetBytes($"{{\"return\": {{\"exited\": true, \"exitcode\": 1, \"err-data\": \"{words}\"}}}}\n")
            : null;
        string folder = Guest("guest");

        // The first script may need several looks: it ends with another code then, and so does the copy.
        StratoException error = ClientFixture.Fails("GuestFileFailed", () => Client.CopyToGuest(_id, source, Path.Combine(folder, "target"), null, _fixture.Token));
        Assert.EndsWith("]0;title\ufffdno", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(error.Message, char.IsControl);
    }

    [Fact]
    public void WhatCantBeCopiedIsTold()
    {
        _ = Agent;
        string source = _fixture.WriteFile("source", "text");
        ClientFixture.Fails("GuestFileNotFound", () => Client.CopyToGuest(_id, source, "/no/such/folder/file", null, _fixture.Token));
        ClientFixture.Fails("GuestFileNotFound", () => Client.CopyFromGuest(_id, "/no/such/file", Path.Combine(_fixture.Root, "back"), null, _fixture.Token));
        ClientFixture.Fails("InvalidGuestPath", () => Client.CopyToGuest(_id, source, "relative", null, _fixture.Token));
        ClientFixture.Fails("InvalidGuestPath", () => Client.CopyFromGuest(_id, "relative", source, null, _fixture.Token));
        ClientFixture.Fails("FileNotFound", () => Client.CopyToGuest(_id, source + "x", "/tmp/x", null, _fixture.Token));
        Assert.False(File.Exists(Path.Combine(_fixture.Root, "back")));
        Assert.DoesNotContain(Directory.GetFiles(_fixture.Root), path => path.Contains(".strato-", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("guest-file-write", true)]
    [InlineData("guest-file-flush", true)]
    [InlineData("guest-file-read", false)]
    public void ACopyThatFailsLeavesNothing(string command, bool toGuest)
    {
        string folder = Guest("guest");
        string source = _fixture.WriteFile("source", "text");
        Agent.Answer = name => name == command ? "{\"error\": {\"class\": \"GenericError\", \"desc\": \"No space left on device\"}}\n"u8.ToArray() : null;
        string target = Path.Combine(folder, "target");
        StratoException error = ClientFixture.Fails("GuestFileFailed", () =>
        {
            if (toGuest)
            {
                Client.CopyToGuest(_id, source, target, null, _fixture.Token);
            }
            else
            {
                Client.CopyFromGuest(_id, source, target, null, _fixture.Token);
            }
        });
        Assert.Contains("No space left", error.Message, StringComparison.Ordinal);
        ClientFixture.Until(() => Directory.GetFiles(folder).Length == 0, "the removal of what was written");
        ClientFixture.Until(() => Agent.Commands.Contains("guest-file-close", StringComparer.Ordinal), "the file's close");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ACopyThatIsCancelledLeavesNothing(bool toGuest)
    {
        _ = Agent;
        string folder = Guest("guest");
        string source = _fixture.WriteFile("source", new string('x', 300_000));
        using CancellationTokenSource stop = new();
        GuestCopyOptions options = new() { Progress = (_, _) => stop.Cancel() };
        string target = Path.Combine(folder, "target");
        Assert.Throws<OperationCanceledException>(() =>
        {
            if (toGuest)
            {
                Client.CopyToGuest(_id, source, target, options, stop.Token);
            }
            else
            {
                Client.CopyFromGuest(_id, source, target, options, stop.Token);
            }
        });
        ClientFixture.Until(() => Directory.GetFiles(folder).Length == 0, "the removal of what was written");
        Assert.Equal(0, Run(GuestCommand.Shell("true")).ExitCode);
    }

    private string Guest(string name) => Directory.CreateDirectory(Path.Combine(_fixture.Root, name)).FullName;

    private GuestCommandOutcome Run(GuestCommand command) => Client.InvokeGuest(_id, command, _fixture.Token);

    /// <summary>As <see cref="Run"/>, with an agent.</summary>
    private GuestCommandOutcome RunAgent(GuestCommand command)
    {
        _ = Agent;
        return Run(command);
    }

    private WaitResult Wait(WaitTarget target, int seconds) => Client.Wait(_id, target, new WaitOptions { Timeout = TimeSpan.FromSeconds(seconds) }, _fixture.Token);

    private static string Text(byte[] bytes) => Encoding.UTF8.GetString(bytes);
}
