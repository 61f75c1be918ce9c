using System;
using System.Diagnostics;
using System.IO;
using System.Runtime.InteropServices;
using Strato.Client;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Xunit;

namespace Strato.Tests.Unit.Client;

/// <summary>The folder of sockets where others may write, and processes that aren't what the record says.</summary>
public sealed class RuntimeFolderTests : IDisposable
{
    private readonly ClientFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public void AFolderThatOthersMayWriteToIsRefused()
    {
        Directory.CreateDirectory(_fixture.Paths.RuntimeRoot);
        File.SetUnixFileMode(_fixture.Paths.RuntimeRoot, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupWrite);
        VmDefinition vm = _fixture.Create();
        StratoException error = ClientFixture.Fails("RuntimeFolderUnsafe", () => _fixture.Client.Start(vm.Id));
        Assert.Contains("has mode 720", error.Message, StringComparison.Ordinal);
        Assert.Equal(_fixture.Paths.RuntimeRoot, error.Where);
    }

    [Fact]
    public void ARootThatOthersMayReadIsGoodAndTheFolderInItIsClosed()
    {
        Directory.CreateDirectory(_fixture.Paths.RuntimeRoot);
        File.SetUnixFileMode(_fixture.Paths.RuntimeRoot, (UnixFileMode)0x1ed);
        VmInfo vm = _fixture.Start();
        Assert.Equal((UnixFileMode)0x1c0, File.GetUnixFileMode(_fixture.Paths.RuntimeDirectory(vm.Id)));
    }

    [Fact]
    public void ASymbolicLinkIsRefused()
    {
        string elsewhere = Path.Combine(_fixture.Root, "elsewhere");
        Directory.CreateDirectory(elsewhere, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Directory.CreateSymbolicLink(_fixture.Paths.RuntimeRoot, elsewhere);
        VmDefinition vm = _fixture.Create();
        Assert.Contains("symbolic link", ClientFixture.Fails("RuntimeFolderUnsafe", () => _fixture.Client.Start(vm.Id)).Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(elsewhere));
    }

    [Fact]
    public void AFolderOfAnotherUserIsRefused()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "giving a folder to another user takes root");
        Directory.CreateDirectory(_fixture.Paths.RuntimeRoot, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Assert.Equal(0, chown(_fixture.Paths.RuntimeRoot, 65534, 65534));
        VmDefinition vm = _fixture.Create();
        Assert.Contains("belongs to user 65534, not to user 0", ClientFixture.Fails("RuntimeFolderUnsafe", () => _fixture.Client.Start(vm.Id)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ASocketInAFolderThatBecameUnsafeIsNotUsed()
    {
        VmInfo vm = _fixture.Start();
        File.SetUnixFileMode(_fixture.Paths.RuntimeDirectory(vm.Id), (UnixFileMode)0x1ff);
        ClientFixture.Fails("RuntimeFolderUnsafe", () => _fixture.Client.InvokeQmp(vm.Id, "quit"));
        Assert.Equal(VmState.Unresponsive, _fixture.Client.Snapshot(vm.Id).State);
    }

    [Fact]
    public void ASocketPathThatDoesNotFitIsRefusedBeforeAnythingStarts()
    {
        string root = Path.Combine(_fixture.Root, new string('r', 80));
        StratoClient client = new(new StratoPaths(_fixture.Paths.StateRoot, root), _fixture.Engine);
        VmDefinition vm = _fixture.Create();
        StratoException error = ClientFixture.Fails("SocketPathTooLong", () => client.Start(vm.Id));
        Assert.Contains("Linux allows 107", error.Message, StringComparison.Ordinal);
        Assert.Contains("STRATO_RUNTIME", error.RecommendedAction!, StringComparison.Ordinal);
        Assert.False(Directory.Exists(root));
        Assert.Equal(VmState.Stopped, client.Snapshot(vm.Id).State);
    }

    [Fact]
    public void TheLongestSocketPathWorks()
    {
        int left = 107 - "/12345678/console.sock".Length - _fixture.Root.Length - 1;
        StratoClient client = new(new StratoPaths(_fixture.Paths.StateRoot, Path.Combine(_fixture.Root, new string('r', left))), _fixture.Engine);
        VmInfo vm = client.Start(_fixture.Create().Id, null, _fixture.Token);
        Assert.Equal(VmState.Running, vm.State);
        Assert.NotNull(client.SendConsole(vm.Id, "say long", new SendOptions { ExpectMatch = new("long") }, _fixture.Token));
    }

    [Fact]
    public void ARecycledPidIsNeitherShownNorSignalled()
    {
        VmDefinition vm = _fixture.Create();
        using Process other = Process.Start("/bin/sleep", ["1000"]);
        try
        {
            long start = Procfs.TryReadStat(other.Id)!.Value.StartTime;
            RunRecord right = new(other.Id, start, Procfs.BootId, _fixture.Paths.RuntimeDirectory(vm.Id), Ready: true);
            using (EngineProcess? real = EngineProcess.TryOpen(right))
            {
                Assert.NotNull(real);
            }

            Assert.Null(EngineProcess.TryOpen(right with { StartTime = start - 1 }));
            Assert.Null(EngineProcess.TryOpen(right with { BootId = "another" }));
            (right with { StartTime = start - 1 }).Write(_fixture.Paths.RunFile(vm.Id));
            Assert.Equal(VmState.Stopped, _fixture.Client.Snapshot(vm.Id).State);
            _fixture.Client.Stop(vm.Id, new StopOptions { TurnOff = true }, _fixture.Token);
            Assert.False(other.HasExited);

            (right with { BootId = "another" }).Write(_fixture.Paths.RunFile(vm.Id));
            Assert.Contains("host was restarted", _fixture.Client.Snapshot(vm.Id).StateReason!, StringComparison.Ordinal);
        }
        finally
        {
            other.Kill();
        }
    }

    [Fact]
    public void AZombieHasEnded()
    {
        // A child that nobody waits for yet.
        int pid = Spawn.Start("/bin/true", [], output: -1, "/dev/null", ready: -1);
        ClientFixture.Until(() => Procfs.TryReadStat(pid)?.State == 'Z', "a zombie");
        RunRecord run = new(pid, Procfs.TryReadStat(pid)!.Value.StartTime, Procfs.BootId, "/nowhere", Ready: true);
        Assert.Null(EngineProcess.TryOpen(run));
        ChildWatch watch = ChildWatch.Begin(pid, run.StartTime, exitFile: null);
        Assert.True(watch.Wait(TimeSpan.FromSeconds(10)));
        Assert.Equal(0, watch.Exit!.Code);
    }

    // What may stand behind the end; the last ten lines are looked at.
    private const string FourFarewells = "\nT warning qmp: 1\nT warning qmp: 2\nT warning qmp: 3\nT warning qmp: 4";

    [Theory]
    [InlineData(0, null, false, "T info machine: end (guest-shutdown)", null)]
    [InlineData(3, null, false, "T error machine: KVM_RUN failed\nT info machine: end (host-error)", "exit code 3 (the guest or KVM failed while running).*KVM_RUN failed")]
    [InlineData(null, 11, true, "", "signal 11 (SIGSEGV)")]
    [InlineData(null, null, false, "T info machine: end (host-signal)", null)]
    [InlineData(null, null, false, "T error machine: KVM_RUN failed\nT info machine: end (host-error)", "The guest or KVM failed.*KVM_RUN failed")]
    [InlineData(null, null, false, "T error machine: KVM_RUN failed\nT info machine: end (host-error)" + FourFarewells + FourFarewells, "The guest or KVM failed.*KVM_RUN failed")]
    [InlineData(null, null, false, "T info machine: end (host-error)" + FourFarewells + FourFarewells + FourFarewells, null)]
    [InlineData(null, null, false, "T info machine: end (host-error)\nT info machine: end (guest-shutdown)", null)]
    [InlineData(null, null, true, "T info serial: ttyS0", "is gone.*ttyS0")]
    public void TheEndOfAnEngineIsExplained(int? code, int? signal, bool socketLeft, string log, string? expected)
    {
        string folder = Path.Combine(_fixture.Root, "r");
        Directory.CreateDirectory(folder);
        RunRecord run = new(4242, 1, Procfs.BootId, folder, Ready: true);
        if (socketLeft)
        {
            File.WriteAllText(run.QmpSocket, "");
        }

        string? reason = EndReason.Describe(run, code is null && signal is null ? null : new ExitRecord(4242, 1, code, signal), _fixture.WriteFile("engine.log", log));
        if (expected is null)
        {
            Assert.Null(reason);
        }
        else
        {
            Assert.Matches(expected.Replace("(", "\\(", StringComparison.Ordinal).Replace(")", "\\)", StringComparison.Ordinal), reason);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("{\"pid\":1,\"startTime\":1,\"bootId\":\"b\",\"runtime\":\"/r\"}")]
    [InlineData("{\"pid\":\"7\",\"startTime\":1,\"bootId\":\"b\",\"runtime\":\"/r\"}")]
    [InlineData("{\"pid\":99999999999,\"startTime\":1,\"bootId\":\"b\",\"runtime\":\"/r\"}")]
    public void ADamagedRecordIsNone(string json)
    {
        VmDefinition vm = _fixture.Create();
        File.WriteAllText(_fixture.Paths.RunFile(vm.Id), json);
        Assert.Equal(VmState.Stopped, _fixture.Client.Snapshot(vm.Id).State);
        _fixture.Client.Start(vm.Id, null, _fixture.Token);
        ClientFixture.Until(() => _fixture.Client.Snapshot(vm.Id).State == VmState.Running, "running");
    }

    [Fact]
    public void ACommandNameMayHoldAnything()
    {
        Procfs.Stat? stat = Procfs.ParseStat("42 (a) b) (S 1 2) T 1 42 42 0 -1 4194560 1 0 0 0 17 4 0 0 20 0 1 0 98765 1000 55 18446744073709551615");
        Assert.Equal(new Procfs.Stat('T', 21, 98765, 55), stat);
        Assert.Null(Procfs.ParseStat("42 (a) S 1"));
        Assert.Null(Procfs.ParseStat(""));
        Assert.Equal(256L << 20, Procfs.ParseHugePageBytes("VmSwap:\t       0 kB\nHugetlbPages:\t  262144 kB\nCoreDumping:\t0\n"));
        Assert.Equal(0, Procfs.ParseHugePageBytes("VmSwap:\t       0 kB\n"));
    }

    [Theory]
    [InlineData(0, "", "/var/lib/strato", "/run/strato")]
    [InlineData(0, "XDG_STATE_HOME=/x XDG_RUNTIME_DIR=/y", "/var/lib/strato", "/run/strato")]
    [InlineData(1000, "HOME=/home/u", "/home/u/.local/state/strato", "/tmp/strato-1000")]
    [InlineData(1000, "HOME=/home/u XDG_STATE_HOME=/s XDG_RUNTIME_DIR=/run/user/1000", "/s/strato", "/run/user/1000/strato")]
    [InlineData(1000, "HOME=/home/u XDG_STATE_HOME=relative XDG_RUNTIME_DIR=/lost", "/home/u/.local/state/strato", "/tmp/strato-1000")]
    [InlineData(1000, "STRATO_STATE=/a/ STRATO_RUNTIME=/b/../c", "/a", "/c")]
    public void PathsFollowTheEnvironment(int uid, string environment, string state, string runtime)
    {
        StratoPaths paths = StratoPaths.From(Variables(environment), uid, (folder, _) => folder == "/lost");
        Assert.Equal((state, runtime), (paths.StateRoot, paths.RuntimeRoot));
    }

    [Fact]
    public void ARelativeRootIsRefused()
    {
        Assert.Equal("STRATO_STATE", ClientFixture.Fails("PathNotAbsolute", () => StratoPaths.From(Variables("STRATO_STATE=a"), 0, (_, _) => false)).Where);
        ClientFixture.Fails("NoHome", () => StratoPaths.From(Variables(""), 1000, (_, _) => false));
    }

    private static Func<string, string?> Variables(string text) => name =>
    {
        foreach (string pair in text.Split(' '))
        {
            if (pair.StartsWith(name + "=", StringComparison.Ordinal))
            {
                return pair[(name.Length + 1)..];
            }
        }

        return null;
    };

    [DllImport("libc", CharSet = CharSet.Ansi)]
    private static extern int chown([MarshalAs(UnmanagedType.LPStr)] string path, uint owner, uint group);
}
