using System;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Strato.Client;
using Strato.Client.Linux;
using Strato.Client.Snapshots;
using Strato.Client.Switches;
using Xunit;

namespace Strato.Tests.Unit.Client;

/// <summary>A shell is killed, or has no room left, at each step of what it does: nothing is half there, nothing is lost, and the next try works.</summary>
public sealed class FaultTests : IDisposable
{
    private readonly ClientFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    /// <summary>As another shell sees it.</summary>
    private StratoClient Client => new(_fixture.Paths, _fixture.Engine);

    [Theory]
    [InlineData(Fault.Kill)]
    [InlineData(Fault.NoRoom)]
    public Task New(Fault fault) => AtEachStep(fault, $"new\tweb\t{_fixture.Kernel}", () => { }, outcome =>
    {
        bool there = Whole().Length == 1;
        Assert.True(there || outcome != FaultyShell.Good);
        Assert.Contains(outcome, (string[])[FaultyShell.Good, FaultyShell.Killed, "StoreNotWritable"]);
        if (there)
        {
            ClientFixture.Fails("VmExists", () => _fixture.Create());
        }
        else
        {
            _fixture.Create();
        }

        Client.Delete(Client.Get("web").Id);
        AssertSweptClean();
    });

    [Theory]
    [InlineData(Fault.Kill)]
    [InlineData(Fault.NoRoom)]
    public async Task Rename(Fault fault)
    {
        string id = _fixture.Create().Id;
        await AtEachStep(fault, "rename\tweb\tother", () => { }, outcome =>
        {
            VmDefinition vm = Assert.Single(Whole());
            Assert.True(vm.Id == id && vm.Name is "web" or "other");
            Assert.True(vm.Name == "other" || outcome != FaultyShell.Good);
            Client.Update(id, new VmSettings { Name = "other" });
            Client.Update(id, new VmSettings { Name = "web" });
            Assert.Equal(["lock", "vm.json"], Names(_fixture.Paths.VmDirectory(id)));
        });
    }

    [Theory]
    [InlineData(Fault.Kill)]
    [InlineData(Fault.NoRoom)]
    public Task Remove(Fault fault) => AtEachStep(fault, "remove\tweb", () => File.WriteAllText(_fixture.Paths.EngineLog(_fixture.Create().Id), "a"), outcome =>
    {
        bool there = Whole().Length == 1;
        Assert.True(!there || outcome != FaultyShell.Good);
        if (there)
        {
            Client.Delete(Client.Get("web").Id);
        }

        AssertSweptClean();
    });

    [Theory]
    [InlineData(Fault.Kill)]
    [InlineData(Fault.NoRoom)]
    public async Task Copy(Fault fault)
    {
        string disk = _fixture.WriteFile("a.img", new string('d', 8192));
        Client.AddDrive(_fixture.Create().Id, new() { Path = disk });
        string copied = Path.Combine(_fixture.Root, "copy-disk0.img");
        await AtEachStep(fault, "copy\tweb\tcopy", () => { }, outcome =>
        {
            VmDefinition[] all = Whole();
            Assert.Equal("web", all[^1].Name);
            bool there = all.Length == 2;
            Assert.True(there || outcome != FaultyShell.Good);
            if (!there)
            {
                Client.Copy(all[^1].Id, "copy", new CopyOptions { CopyDisk = true });
            }

            VmDefinition copy = Client.Get("copy");
            Assert.Equal(copied, Assert.Single(copy.Drives).Path);
            Assert.Equal(File.ReadAllText(disk), File.ReadAllText(copied));
            Client.Delete(copy.Id);
            File.Delete(copied);
            Assert.DoesNotContain(Names(_fixture.Root), name => name.StartsWith('.'));
        });
    }

    [Theory]
    [InlineData(Fault.Kill)]
    [InlineData(Fault.NoRoom)]
    public Task NewDisk(Fault fault)
    {
        string path = Path.Combine(_fixture.Root, "new.img");
        return AtEachStep(fault, $"disk\t{path}", () => { }, outcome =>
        {
            Assert.True(File.Exists(path) || outcome != FaultyShell.Good);
            if (!File.Exists(path))
            {
                StratoClient.CreateDisk(new DiskSettings { Path = path, Size = 4096 });
            }

            Assert.Equal(4096, new FileInfo(path).Length);
            File.Delete(path);
            Assert.DoesNotContain(Names(_fixture.Root), name => name.StartsWith('.'));
        });
    }

    [Theory]
    [InlineData(Fault.Kill)]
    [InlineData(Fault.NoRoom)]
    public async Task Start(Fault fault)
    {
        string id = _fixture.Create().Id;
        await AtEachStep(fault, "start\tweb", () => { }, outcome =>
        {
            // An engine whose shell is dead ends, or runs and is found.
            string state = "";
            ClientFixture.Until(() => (state = Client.Snapshot(id).State) is VmState.Running || (state == VmState.Stopped && Engines() == 0), "a state that stays");
            Assert.True(state == VmState.Running || outcome != FaultyShell.Good);
            if (state == VmState.Running)
            {
                Assert.Equal(1, Engines());
                ClientFixture.Fails("VmRunning", () => Client.Start(id));
                Assert.Equal(VmState.Stopped, Client.Stop(id, new StopOptions { TurnOff = true }).State);
            }

            Assert.Equal(VmState.Running, Client.Start(id).State);
            StopAll(id);
        });
    }

    /// <summary>With a tap on a switch, which is made for the start and removed with the engine.</summary>
    [Theory]
    [InlineData(Fault.Kill)]
    [InlineData(Fault.NoRoom)]
    public void StartOnSwitch(Fault fault) => NetworkNamespace.Run(() =>
    {
        Client.CreateSwitch(Lan(nat: false));
        string id = _fixture.Create().Id;
        Client.AddNetworkAdapter(id, new NetworkAdapterSettings { SwitchName = "lan" });
        InTurn(fault, "start\tweb", () => { }, outcome =>
        {
            string state = "";
            ClientFixture.Until(() => (state = Client.Snapshot(id).State) is VmState.Running || (state == VmState.Stopped && Engines() == 0), "a state that stays");
            Assert.True(state == VmState.Running || outcome != FaultyShell.Good);
            if (state == VmState.Stopped)
            {
                Assert.Equal(VmState.Running, Client.Start(id).State);
            }

            StopAll(id);
            Assert.Equal(2, NetworkNamespace.Command("ip", "-o", "link").Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        });
        Client.RemoveSwitch("lan", force: true);
    });

    [Theory]
    [InlineData(Fault.Kill, "stop")]
    [InlineData(Fault.NoRoom, "stop")]
    [InlineData(Fault.Kill, "shutdown")]
    [InlineData(Fault.NoRoom, "shutdown")]
    public async Task Stop(Fault fault, string command)
    {
        string id = _fixture.Create().Id;
        await AtEachStep(fault, $"{command}\tweb", () => Client.Start(id), outcome =>
        {
            string state = "";
            ClientFixture.Until(() => (state = Client.Snapshot(id).State) is VmState.Running or VmState.Stopped, "a state that stays");
            Assert.True(state == VmState.Stopped || outcome != FaultyShell.Good);
            StopAll(id);
        });
    }

    /// <summary>While its disks are captured, too, the VM stands still by the shell alone: without it, it goes on.</summary>
    [Theory]
    [InlineData(Fault.Kill)]
    [InlineData(Fault.NoRoom)]
    public async Task Save(Fault fault)
    {
        string id = RunWithDisk(new string('d', 8192), out _);
        string folder = _fixture.Paths.SnapshotsDirectory(id);
        await AtEachStep(fault, "save\tweb\tbase", () => { }, outcome =>
        {
            ClientFixture.Until(() => Client.Snapshot(id).State == VmState.Running, "the VM, which goes on");
            SnapshotListing all = Client.ListSnapshots(id);
            Assert.Empty(all.Damaged);
            Assert.True(all.Snapshots.Count == 1 || (all.Snapshots.Count == 0 && outcome != FaultyShell.Good));
            foreach (VmSnapshot saved in (VmSnapshot[])[.. all.Snapshots, Client.SaveSnapshot(id, new SnapshotSaveOptions { Name = "next", IncludeDisk = true })])
            {
                Assert.Empty(Client.TestSnapshot(id, saved.Id).Faults);
                Client.RemoveSnapshot(id, saved.Id);
            }

            Assert.DoesNotContain(Names(folder), name => name.StartsWith('.') || SnapshotStore.IsId(name));
        });
        Client.Stop(id, new StopOptions { TurnOff = true });
    }

    /// <summary>A disk is that of now or that of the snapshot, at each moment.</summary>
    [Theory]
    [InlineData(Fault.Kill)]
    [InlineData(Fault.NoRoom)]
    public async Task Restore(Fault fault)
    {
        string then = new('d', 8192), now = new('e', 8192);
        string id = RunWithDisk(then, out string path);
        Client.SaveSnapshot(id, new SnapshotSaveOptions { Name = "base", IncludeDisk = true });
        await AtEachStep(fault, "restore\tweb", () => File.WriteAllText(path, now), outcome =>
        {
            VmDefinition vm = Assert.Single(Whole());
            Assert.Equal(path, Assert.Single(vm.Drives).Path);
            Assert.Contains(File.ReadAllText(path), (string[])[then, now]);
            Assert.True(outcome is FaultyShell.Killed or FaultyShell.Good || File.ReadAllText(path) == now || Client.Snapshot(id).State == VmState.Running);
            Assert.Single(Client.ListSnapshots(id).Snapshots);
        });

        // Each of them was the next try of the one before.
        Assert.Equal(VmState.Running, Client.RestoreSnapshot(id, Client.ListSnapshots(id).Snapshots[0].Id).Vm.State);
        Assert.Equal(then, File.ReadAllText(path));
        Assert.DoesNotContain(Names(_fixture.Root), name => name.StartsWith('.'));
        Client.Stop(id, new StopOptions { TurnOff = true });
    }

    /// <summary>A VM that runs, with a disk.</summary>
    private string RunWithDisk(string contents, out string path)
    {
        path = _fixture.WriteFile("a.img", contents);
        string id = _fixture.Create().Id;
        Client.AddDrive(id, new() { Path = path });
        Client.Start(id);
        return id;
    }

    [Theory]
    [InlineData(Fault.Kill)]
    [InlineData(Fault.NoRoom)]
    public async Task Restart(Fault fault)
    {
        string id = _fixture.Create().Id;
        await AtEachStep(fault, "restart\tweb", () => Client.Start(id), outcome =>
        {
            string state = "";
            ClientFixture.Until(() => (state = Client.Snapshot(id).State) is VmState.Running || (state == VmState.Stopped && Engines() == 0), "a state that stays");
            Assert.True(state == VmState.Running || outcome != FaultyShell.Good);
            StopAll(id);
        });
    }

    [Theory]
    [InlineData(Fault.Kill, false)]
    [InlineData(Fault.NoRoom, false)]
    [InlineData(Fault.Kill, true)]
    [InlineData(Fault.NoRoom, true)]
    public void NewSwitch(Fault fault, bool nat) => InNetworkOfItsOwn(nat, () => InTurn(fault, $"switch\tlan\t{(nat ? "nat" : "private")}", () => { }, outcome =>
    {
        bool there = Client.FindSwitches().Count == 1;
        Assert.True(there || outcome != FaultyShell.Good);
        if (there)
        {
            // One that isn't up is taken up by the first VM on it, or removed by its name.
            Client.RemoveSwitch("lan", force: false);
        }

        AssertNothingOfSwitches();
        Client.CreateSwitch(Lan(nat));
        Client.RemoveSwitch("lan", force: false);
        AssertNoSwitch();
    }));

    [Theory]
    [InlineData(Fault.Kill, false)]
    [InlineData(Fault.NoRoom, false)]
    [InlineData(Fault.Kill, true)]
    [InlineData(Fault.NoRoom, true)]
    public void RemoveSwitch(Fault fault, bool nat) => InNetworkOfItsOwn(nat, () => InTurn(fault, "unswitch\tlan", () => Client.CreateSwitch(Lan(nat)), outcome =>
    {
        bool there = Client.FindSwitches().Count == 1;
        Assert.True(!there || outcome != FaultyShell.Good);
        if (there)
        {
            Client.RemoveSwitch("lan", force: false);
        }

        AssertNoSwitch();
    }));

    private static SwitchSettings Lan(bool nat) => nat ? new() { Name = "lan", Nat = true } : new() { Name = "lan", SwitchType = SwitchType.Private };

    private static void InNetworkOfItsOwn(bool nat, Action test) => NetworkNamespace.Run(() =>
    {
        Assert.SkipUnless(!nat || (ProgramPath.Find("dnsmasq", SwitchDhcp.Folders) is not null && ProgramPath.Find("nft", SwitchDhcp.Folders) is not null), "needs dnsmasq and nft");
        test();
    });

    private void AssertNoSwitch()
    {
        Assert.Empty(Client.FindSwitches());
        AssertNothingOfSwitches();
        Assert.Equal(["lock"], Names(_fixture.Paths.SwitchesDirectory));
    }

    private void AssertNothingOfSwitches()
    {
        Assert.DoesNotContain("st-", NetworkNamespace.Command("ip", "link"), StringComparison.Ordinal);
        if (ProgramPath.Find("nft", SwitchDhcp.Folders) is { } nft)
        {
            Assert.DoesNotContain("strato_", NetworkNamespace.Command(nft, "list", "ruleset"), StringComparison.Ordinal);
        }

        Assert.Equal(0, Processes("dnsmasq"));
    }

    private void StopAll(string id)
    {
        Assert.Equal(VmState.Stopped, Client.Stop(id, new StopOptions { TurnOff = true }).State);
        ClientFixture.Until(() => Engines() == 0, "the end of all engines");

        // Nothing is left but the definition and the logs.
        Client.Start(id);
        Assert.Equal((VmState.Stopped, null), (Client.Stop(id, new StopOptions { TurnOff = true }).State, Client.Snapshot(id).StateReason));
        Assert.Empty(Names(_fixture.Paths.RuntimeRoot));

        // This process writes down in the background how the engines ended that it has started.
        ClientFixture.Until(() => !Names(_fixture.Paths.VmDirectory(id)).Any(name => name.StartsWith('.') || name is "run.json" or "launch"), "a folder without leftovers");
        Assert.Equal(id, Assert.Single(Whole()).Id);
    }

    /// <summary>A shell that comes when the engine of a dead one hasn't got as far as to listen finds it all the same.</summary>
    [Fact]
    public void AnEngineThatNobodyHasNotedIsFoundBeforeItListens()
    {
        string go = Path.Combine(_fixture.Root, "go");
        string id = _fixture.Create(commandLine: $"slow={go}").Id;
        FaultyShell shell = new(_fixture);
        Assert.SkipUnless(shell.Works, "this host lets no process supervise another's system calls");

        // Of all steps at which it can be killed, those behind the engine's start and before its record.
        bool found = false;
        for (int step = 1; !File.Exists(_fixture.Paths.RunFile(id)); step++)
        {
            Assert.Equal(FaultyShell.Killed, shell.Run("start\tweb", step));
            shell.Dispose();
            shell = new(_fixture);
            if (Engines() > 0 && !File.Exists(_fixture.Paths.RunFile(id)))
            {
                found = true;
                Assert.Equal(VmState.Starting, Client.Snapshot(id).State);
                ClientFixture.Fails("VmRunning", () => Client.Start(id));
                ClientFixture.Fails("VmRunning", () => Client.Delete(id));
                Assert.Equal(VmState.Stopped, Client.Stop(id, new StopOptions { TurnOff = true }).State);
                Assert.Equal(0, Engines());
            }
        }

        shell.Dispose();
        Assert.True(found);
        Client.Stop(id, new StopOptions { TurnOff = true });
    }

    /// <summary>All VMs, of which none is damaged.</summary>
    private VmDefinition[] Whole()
    {
        VmListing all = Client.List();
        Assert.Empty(all.Damaged);
        return [.. all.Definitions.OrderBy(vm => vm.Name, StringComparer.Ordinal)];
    }

    /// <summary>What dead makers and removers left goes with the next maker.</summary>
    private void AssertSweptClean()
    {
        Client.Delete(_fixture.Create("broom").Id);
        Assert.Empty(Names(_fixture.Paths.VmsDirectory));
    }

    private int Engines() => Processes("-qmp");

    /// <summary>Those of this fixture with a word on their command lines.</summary>
    private int Processes(string word) => Directory.EnumerateDirectories("/proc").Count(process =>
        Procfs.ReadText($"{process}/cmdline") is { } line && line.Contains(_fixture.Paths.RuntimeRoot + "/", StringComparison.Ordinal) && line.Contains(word, StringComparison.Ordinal));

    private static string[] Names(string folder) => Directory.Exists(folder) ? [.. Directory.EnumerateFileSystemEntries(folder).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)] : [];

    private Task AtEachStep(Fault fault, string command, Action prepare, Action<string> check) => Task.Run(() => InTurn(fault, command, prepare, check), _fixture.Token);

    private void InTurn(Fault fault, string command, Action prepare, Action<string> check)
    {
        FaultyShell shell = new(_fixture);
        try
        {
            Assert.SkipUnless(shell.Works, "this host lets no process supervise another's system calls");
            int step = 1;
            for (bool through = false; !through; step++)
            {
                prepare();
                string outcome = shell.Run(command, step, fault);
                through = shell.Steps < step;
                Assert.True(through ? outcome == FaultyShell.Good : fault == Fault.NoRoom || outcome == FaultyShell.Killed, $"step {step}: {outcome}");

                // An error is one of the client's own.
                Assert.DoesNotContain(' ', outcome);
                if (outcome == FaultyShell.Killed)
                {
                    shell.Dispose();
                    shell = new(_fixture);
                }

                try
                {
                    check(outcome);
                }
                catch (Exception e)
                {
                    throw new InvalidOperationException($"step {step} ({outcome}): {e.Message}", e);
                }
            }

            TestContext.Current.TestOutputHelper?.WriteLine($"{step - 2} steps");
            Assert.True(step > 2);
        }
        finally
        {
            shell.Dispose();
        }
    }
}
