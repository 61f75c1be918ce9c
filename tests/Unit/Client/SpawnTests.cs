using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using Strato.Client;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Xunit;

namespace Strato.Tests.Unit.Client;

/// <summary>What an engine inherits, told by a shell script in its place.</summary>
public sealed class SpawnTests : IDisposable
{
    private readonly ClientFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public void TheEngineHasASessionOfItsOwnAndNothingOfTheShell()
    {
        _fixture.UseEngineScript("echo standard output; echo standard error >&2; echo ok >&3; exec sleep 1000");
        VmDefinition vm = _fixture.Create();
        VmInfo info = _fixture.Client.Start(vm.Id, null, _fixture.Token);
        string process = $"/proc/{info.ProcessId}";
        ClientFixture.Until(() => Procfs.ReadText($"{process}/cmdline") == "sleep\01000\0", "exec");

        string[] descriptors = [.. Directory.EnumerateFiles($"{process}/fd").Select(fd => $"{Path.GetFileName(fd)} {new FileInfo(fd).LinkTarget}").Order(StringComparer.Ordinal)];
        Assert.Equal(["0 /dev/null", $"1 {info.LogPath}", $"2 {info.LogPath}"], descriptors[..3]);
        Assert.StartsWith("3 pipe:", descriptors[3], StringComparison.Ordinal);
        Assert.Equal([$"4 {_fixture.Kernel}"], descriptors[4..]);
        Assert.Equal("/", new FileInfo($"{process}/cwd").LinkTarget);
        string[] stat = Procfs.ReadText($"{process}/stat")!.Split(' ');
        Assert.Equal(stat[0], stat[5]);
        string[] status = Procfs.ReadText($"{process}/status")!.Split('\n');

        // glibc's posix_spawn leaves its own two signals, 32 and 33, ignored.
        ulong ignored = Convert.ToUInt64(status.Single(l => l.StartsWith("SigIgn:", StringComparison.Ordinal))[8..], 16);
        Assert.Equal(0UL, ignored & ~0x180000000UL);
        Assert.Contains("SigBlk:\t0000000000000000", status);
        Assert.Equal(["standard output", "standard error"], File.ReadLines(info.LogPath).Skip(1));
        Assert.Equal(VmState.Unresponsive, info.State);
        Assert.Contains("socket", info.StateReason!, StringComparison.Ordinal);
        _fixture.Client.Stop(vm.Id, new StopOptions { TurnOff = true }, _fixture.Token);
    }

    [Fact]
    public void ArgumentsArriveAsTheyAre()
    {
        string seen = Path.Combine(_fixture.Root, "seen");
        _fixture.UseEngineScript($"for a; do printf '%s\\n' \"$a\"; done > '{seen}'; echo '{{\"id\":\"X\",\"message\":\"m\"}}' >&3; exit 1");
        string image = _fixture.WriteFile("disk, one.img", new string('x', 512));
        VmDefinition vm = _fixture.Client.Create(new VmSettings { Name = "-it's \"a\" $NAME, ü", Kernel = _fixture.Kernel, CommandLine = "root=/dev/vda quiet", Cpu = 3 });
        _fixture.Client.AddDrive(vm.Id, new DriveSettings { Path = image, ReadOnly = true, Serial = "a,b" });
        StratoException error = ClientFixture.Fails("X", () => _fixture.Client.Start(vm.Id, new StartOptions { Force = true, Paused = true }));
        Assert.Null(error.Where);
        string run = _fixture.Paths.RuntimeDirectory(vm.Id);
        Assert.Equal(
        [
            "-name", "-it's \"a\" $NAME, ü", "-machine", "type=microvm", "-kernel", "/dev/fdset/0", "-append", "root=/dev/vda quiet",
            "-m", "536870912", "-smp", "3",
            "-drive", "id=disk0,file=/dev/fdset/1,readonly=on,serial=a,,b", "-device", "virtio-blk-device,drive=disk0,id=disk0",
            "-add-fd", $"fd=4,set=0,opaque={_fixture.Kernel},keep=off", "-add-fd", $"fd=5,set=1,opaque={_fixture.Root}/disk,, one.img,keep=off",
            "-serial", $"console,socket={run}/console.sock,log={_fixture.Paths.ConsoleLog(vm.Id)}",
            "-qmp", $"unix:{run}/qmp.sock,server,nowait", "-D", _fixture.Paths.EngineLog(vm.Id), "-ready-fd", "3", "-S", "-force",
        ], File.ReadAllLines(seen));
    }

    [Fact]
    public void AHelperThatKeepsThePipeOpenDoesNotHoldUpTheReport()
    {
        _fixture.UseEngineScript("sleep 1000 & echo $! > \"$0.pid\"; exit 5");
        VmDefinition vm = _fixture.Create();
        long start = Stopwatch.GetTimestamp();
        Assert.Contains("exit code 5", ClientFixture.Fails("EngineFailed", () => _fixture.Client.Start(vm.Id)).Message, StringComparison.Ordinal);
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(20));
        ClientFixture.Signal(int.Parse(File.ReadAllText(_fixture.Engine + ".pid"), System.Globalization.CultureInfo.InvariantCulture), Libc.SIGKILL);
    }

    [Fact]
    public void ALostExecuteBitIsMended()
    {
        VmDefinition vm = _fixture.Create();
        File.SetUnixFileMode(_fixture.Engine, UnixFileMode.UserRead | UnixFileMode.GroupRead);
        Assert.Equal(VmState.Running, _fixture.Client.Start(vm.Id, null, _fixture.Token).State);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute, File.GetUnixFileMode(_fixture.Engine));
    }

    [Fact]
    public void AnEngineThatCanNotRunIsNamed()
    {
        _fixture.UseEngineScript("");
        File.WriteAllText(_fixture.Engine, "\u007fELF nonsense");
        VmDefinition vm = _fixture.Create();
        Assert.Contains(_fixture.Engine, ClientFixture.Fails("EngineStartFailed", () => _fixture.Client.Start(vm.Id)).Message, StringComparison.Ordinal);
        Assert.Equal("unknown", _fixture.Client.GetHost(_fixture.Token).Kvm);
        File.Delete(_fixture.Engine);
        ClientFixture.Fails("EngineNotFound", () => _fixture.Client.Start(vm.Id));
    }

    [Fact]
    public void TheEngineIsLookedForWhereItMayBe()
    {
        string module = Path.Combine(_fixture.Root, "Strato");
        string path = Path.Combine(_fixture.Root, "path");
        Directory.CreateDirectory(Path.Combine(module, "bin"));
        Directory.CreateDirectory(path);
        string? variable = null;
        Func<string, string?> variables = name => name == "PATH" ? path : name == "STRATO_ENGINE" ? variable : null;

        StratoException error = ClientFixture.Fails("EngineNotFound", () => EngineFinder.Find(null, variables, module));
        Assert.Contains(Path.Combine(module, "bin", "strato-engine"), error.Message, StringComparison.Ordinal);
        Assert.Contains("STRATO_ENGINE", error.RecommendedAction!, StringComparison.Ordinal);

        string[] places = [Path.Combine(path, "strato-engine"), Path.Combine(module, "bin", "strato-engine")];
        foreach (string place in places)
        {
            File.Copy(_fixture.Engine, place);
            Assert.Equal(place, EngineFinder.Find(null, variables, module));
        }

        Assert.Equal(places[1], EngineFinder.Find(null, variables, Path.Combine(module, "lib")));
        variable = _fixture.Engine;
        Assert.Equal(_fixture.Engine, EngineFinder.Find(null, variables, module));
        variable = "/no/such/engine";
        Assert.Equal("STRATO_ENGINE", ClientFixture.Fails("EngineNotFound", () => EngineFinder.Find(null, variables, module)).Where);
    }

    [Fact]
    public void TheProbeIsReadAndItsVerdictExplained()
    {
        _fixture.UseEngineScript("[ \"$*\" = -probe ] && echo '{\"verdict\":\"emulated\",\"reason\":\"slow\",\"mips\":2.1,\"firstRunMicroseconds\":900,\"apiVersion\":12,\"later\":1}'; exit 10");
        HostInfo host = _fixture.Client.GetHost(_fixture.Token);
        Assert.Equal(("emulated", "slow", 2.1, 900L, 12), (host.Kvm, host.KvmReason, host.KvmMips, host.FirstRunMicroseconds, host.KvmApiVersion));
        Assert.Contains("nested", host.KvmRemedy!, StringComparison.Ordinal);
        Assert.True(host.MemoryTotal >= host.MemoryAvailable && host.MemoryAvailable > 0 && host.CpuCount > 0);
        _fixture.UseEngineScript("kill -9 $$");
        host = _fixture.Client.GetHost(_fixture.Token);
        Assert.Equal("unknown", host.Kvm);
        Assert.Contains("SIGKILL", host.KvmReason, StringComparison.Ordinal);
    }
}
