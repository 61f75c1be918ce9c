using System;
using System.IO;
using System.Linq;
using System.Text;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.Protocol.Snapshots;
using Strato.Tests.Unit.Snapshots;
using Xunit;

namespace Strato.Tests.Unit.Qmp;

/// <summary>migrate, query-migrate, migrate_cancel: what their callers and all others hear.</summary>
public sealed class MigrationCommandsTests : IDisposable
{
    private const string Done = """{"return":{}}""";

    /// <summary>F_SEAL_WRITE.</summary>
    private const int SealWrite = 8;

    private readonly QmpHarness _harness = new();
    private readonly SavedFolder _folder = new();
    private TestClient _client;

    public MigrationCommandsTests()
    {
        _client = _harness.Connect();
        _harness.Machine.Ram.TryWrite(4 << 20, (ReadOnlySpan<byte>)[1, 2, 3]);
    }

    public void Dispose()
    {
        _client.Dispose();
        _harness.Dispose();
        _folder.Dispose();
    }

    /// <summary>Seed 003: the exchanges as they are printed.</summary>
    [Fact]
    public void AMachineThatIsPausedIsSaved()
    {
        Assert.Equal("""{"return":{"status":"none"}}""", Query());
        Assert.Contains("STOP", _client.Ask("""{"execute":"stop"}"""), StringComparison.Ordinal);
        Assert.Equal(Done, _client.ReadLine());
        _client.Send($$$"""{"execute":"migrate", "arguments":{"uri":"file:{{{_folder.Path}}}"}}""");
        Expect("setup", Done, "active", "completed");
        Assert.Equal("""{"return":{"status":"completed"}}""", Query());
        Assert.Equal(RunState.Paused, _harness.Machine.State);
        Assert.Equal(["memory", "state"], _folder.Names);
        StateFile state = StateFile.Parse(File.ReadAllBytes(_folder.File("state")));
        Assert.Equal(["description", "board", "memory"], state.Sections.Select(section => section.Name));
        byte[] memory = File.ReadAllBytes(_folder.File("memory"));
        Assert.Equal([1, 2, 3, 0], memory[(1 << 20)..][..4]);
        Assert.Equal(state.Id, MemoryMap.IdOf(memory.AsSpan(4 << 20)));
        SnapshotDescription description = SnapshotDescription.Parse(state);
        Assert.Equal(("fake", "microvm", false, 4 << 20, 2), (description.Name, description.Machine, description.Running, description.Memory, description.Cpus));
        Assert.Equal("rootfs", Assert.Single(description.Drives).Id);
        Assert.Equal("nd0", Assert.Single(description.Nets).Netdev);
        Assert.Equal(("GenuineFake", "Fake CPU"), (description.Cpu!.Vendor, description.Cpu.Model));
        Assert.Equal(["sse", "kvmclock"], description.Cpu.Features);
        Assert.Equal(1, description.Kvm["KVM_CAP_XSAVE"]);
        Assert.Equal("off", Assert.Single(description.Devices).Options["readonly"]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AMachineThatRunsGoesOnUnlessToldOtherwise(bool staysPaused)
    {
        _client.Send($$$"""{"execute":"migrate","arguments":{"uri":"file:{{{_folder.Path}}}","stay-paused":{{{(staysPaused ? "true" : "false")}}}}}""");
        Expect("STOP", "setup", Done, "active");
        if (!staysPaused)
        {
            Expect("RESUME");
        }

        Expect("completed");
        Assert.Equal(staysPaused ? RunState.Paused : RunState.Running, _harness.Machine.State);
        Assert.False(_harness.Machine.IsHeld);
        Assert.True(SnapshotDescription.Parse(StateFile.Parse(File.ReadAllBytes(_folder.File("state")))).Running);
    }

    [Fact]
    public void WhileOneIsUnderWayNothingElseBegins()
    {
        _harness.Machine.ComesToAStandLate = true;
        Begin();
        Assert.StartsWith("""{"return":{"ram":{"remaining":4194304,"total":4194304,"transferred":0},"status":"setup"}}""", Query(), StringComparison.Ordinal);
        foreach (string request in (string[])[Migrate(_folder.Path), Migrate(_folder.File("other")), """{"execute":"cont"}""", """{"execute":"system_reset"}"""])
        {
            Assert.StartsWith("""{"error":""", _client.Ask(request), StringComparison.Ordinal);
        }

        Assert.Contains("A snapshot is being saved", _client.Ask(Migrate(_folder.Path)), StringComparison.Ordinal);
        Assert.Contains("a device that comes would change what it reads", _client.Ask("""{"execute":"device_add","arguments":{"driver":"virtio-blk-device","drive":"d","id":"d"}}"""), StringComparison.Ordinal);
        Assert.Contains("a device that goes would change what it reads", _client.Ask("""{"execute":"device_del","arguments":{"id":"rootfs"}}"""), StringComparison.Ordinal);
        _harness.Machine.StandStill(null);
        Expect("active", "RESUME", "completed");
        Assert.Equal(["memory", "state"], _folder.Names);
        Assert.Equal("""{"return":{"status":"completed"}}""", Query());
    }

    [Fact]
    public void OneThatIsCancelledLeavesNothing()
    {
        Assert.Equal(Done, _client.Ask("""{"execute":"migrate_cancel"}"""));
        _harness.Machine.ComesToAStandLate = true;
        Begin();
        Assert.Equal(Done, _client.Ask("""{"execute":"migrate_cancel"}"""));
        _harness.Machine.StandStill(null);
        Expect("RESUME", "cancelled");
        Assert.Equal("""{"return":{"status":"cancelled"}}""", Query());
        Assert.Empty(_folder.Names);
        Assert.Equal(RunState.Running, _harness.Machine.State);

        // And the next one goes through.
        _harness.Machine.ComesToAStandLate = false;
        Begin();
        Expect("active", "RESUME", "completed");
    }

    [Fact]
    public void AMachineThatDoesntComeToAStandFails()
    {
        _harness.Machine.ComesToAStandLate = true;
        Begin();
        _harness.Machine.StandStill("the machine has ended, or failed, meanwhile");
        Expect("RESUME", "failed");
        Assert.Equal("""{"return":{"error-desc":"the machine has ended, or failed, meanwhile","status":"failed"}}""", Query());
        Assert.Empty(_folder.Names);
    }

    [Fact]
    public void FilesThatWerePassedAreWritten()
    {
        using FileDescriptor state = Open("s");
        using FileDescriptor memory = Open("m");
        Pass("st", state);
        Pass("mem", memory);
        _client.Send("""{"execute":"migrate","arguments":{"uri":"fd:st,mem"}}""");
        Expect("STOP", "setup", Done, "active", "RESUME", "completed");
        StateFile file = StateFile.Parse(File.ReadAllBytes(_folder.File("s")));
        Assert.Equal(file.Id, MemoryMap.IdOf(File.ReadAllBytes(_folder.File("m")).AsSpan(4 << 20)));

        // They were given away.
        Assert.Contains("File descriptor named 'st' has not been found", _client.Ask("""{"execute":"migrate","arguments":{"uri":"fd:st,mem"}}"""), StringComparison.Ordinal);
    }

    [Fact]
    public void WhoPassedFilesAndGoesCancels()
    {
        using TestClient other = _harness.Connect();
        using FileDescriptor state = Open("s");
        using FileDescriptor memory = Open("m");
        Pass("st", state);
        Pass("mem", memory);
        _harness.Machine.ComesToAStandLate = true;
        _client.Send("""{"execute":"migrate","arguments":{"uri":"fd:st,mem"}}""");
        Expect("STOP", "setup", Done);
        _client.Dispose();
        _client = other;

        // Another's end changes nothing; the server hears of the first's.
        Expect("STOP", "setup");
        _harness.TurnUntil(() => _harness.Server.ClientCount == 1, "the connection's end");
        _harness.Machine.StandStill(null);
        Expect("RESUME", "cancelled");
        Assert.Equal("""{"return":{"status":"cancelled"}}""", Query());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void OneThatHoldsTheMachineIsCompletedByWhoBeganIt(bool staysPaused)
    {
        Begin(staysPaused ? ""","hold":true,"stay-paused":true""" : ""","hold":true""");
        Expect("active", "pre-switchover");
        Assert.Contains("\"status\":\"pre-switchover\"", Query(), StringComparison.Ordinal);
        Assert.True(_harness.Machine.IsHeld);
        foreach (string request in (string[])[Migrate(_folder.Path), """{"execute":"cont"}""", """{"execute":"system_reset"}""", """{"execute":"device_del","arguments":{"id":"rootfs"}}"""])
        {
            Assert.Contains("napshot is being saved", _client.Ask(request), StringComparison.Ordinal);
        }

        Assert.Contains("Parameter 'state' is 'active'; allowed: pre-switchover", _client.Ask(Continue("active")), StringComparison.Ordinal);
        Assert.DoesNotContain("state", _folder.Names);
        _client.Send(Continue("pre-switchover"));
        if (!staysPaused)
        {
            Expect("RESUME");
        }

        Expect("completed", Done);
        Assert.Equal(["memory", "state"], _folder.Names);
        Assert.Equal(staysPaused ? RunState.Paused : RunState.Running, _harness.Machine.State);
        Assert.False(_harness.Machine.IsHeld);
        Assert.Contains("it is completed", _client.Ask(Continue("pre-switchover")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AMachineThatIsHeldGoesOnWithoutItsHolder(bool staysPaused)
    {
        using TestClient other = _harness.Connect();
        Begin(staysPaused ? ""","hold":true,"stay-paused":true""" : ""","hold":true""");
        Expect("active", "pre-switchover");
        _client.Dispose();
        _client = other;
        _harness.TurnUntil(() => _harness.Server.ClientCount == 1, "the connection's end");
        Expect("STOP", "setup", "active", "pre-switchover", "RESUME", "cancelled");
        Assert.Empty(_folder.Names);
        Assert.Equal(RunState.Running, _harness.Machine.State);
    }

    [Fact]
    public void AMachineThatIsHeldGoesOnWhenThatIsCancelled()
    {
        Begin(""","hold":true""");
        Expect("active", "pre-switchover");
        _client.Send("""{"execute":"migrate_cancel"}""");
        Expect("RESUME", "cancelled", Done);
        Assert.Empty(_folder.Names);
        Assert.Contains("it is cancelled", _client.Ask(Continue("pre-switchover")), StringComparison.Ordinal);
    }

    /// <summary>Whether it is completed, or its holder goes.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void WhoStopsAMachineThatIsHeldFindsItStopped(bool completes)
    {
        using TestClient other = _harness.Connect();
        Begin(""","hold":true""");
        Expect("active", "pre-switchover");
        Assert.Equal(Done, _client.Ask("""{"execute":"stop"}"""));
        if (completes)
        {
            _client.Send(Continue("pre-switchover"));
            Expect("completed", Done);
        }
        else
        {
            _client.Dispose();
            _client = other;
            _harness.TurnUntil(() => _harness.Server.ClientCount == 1, "the connection's end");
            Expect("STOP", "setup", "active", "pre-switchover", "cancelled");
        }

        Assert.Equal(RunState.Paused, _harness.Machine.State);
    }

    [Fact]
    public void WhoAskedForAFolderMayGo()
    {
        using TestClient other = _harness.Connect();
        _harness.Machine.ComesToAStandLate = true;
        Begin();
        _client.Dispose();
        _client = other;
        Expect("STOP", "setup");
        _harness.TurnUntil(() => _harness.Server.ClientCount == 1, "the connection's end");
        _harness.Machine.StandStill(null);
        Expect("active", "RESUME", "completed");
        Assert.Equal(["memory", "state"], _folder.Names);
    }

    [Fact]
    public void AFullDiskFailsAndLeavesTheOldOne()
    {
        Begin();
        Expect("active", "RESUME", "completed");
        byte[] before = File.ReadAllBytes(_folder.File("state"));

        // A file that can't be written stands for a disk without room: both are errors of the same call.
        using FileDescriptor state = Open("s");
        using FileDescriptor memory = Libc.CreateMemoryFile("full\0"u8, Libc.MFD_ALLOW_SEALING);
        Assert.Equal(0, Libc.fcntl(memory.Value, Libc.F_ADD_SEALS, SealWrite));
        Pass("st", state);
        Pass("mem", memory);
        _client.Send("""{"execute":"migrate","arguments":{"uri":"fd:st,mem"}}""");
        Expect("STOP", "setup", Done, "active", "RESUME", "failed");
        Assert.Equal("""{"return":{"error-desc":"The snapshot can't be written: the file passed as 'mem': write of the snapshot's memory: Operation not permitted (errno 1)","status":"failed"}}""", Query());
        Assert.Equal(RunState.Running, _harness.Machine.State);
        Assert.Equal(before, File.ReadAllBytes(_folder.File("state")));

        // The next one says nothing of it.
        Begin();
        Assert.DoesNotContain("error-desc", Query(), StringComparison.Ordinal);
    }

    [Fact]
    public void AMachineThatCantBeSavedIsRefusedByName()
    {
        _harness.Machine.CannotBeSaved = "the device 'fs' can't: a shared folder's open files are virtiofsd's, which can't be saved";
        Assert.Contains("The machine can't be saved: the device 'fs' can't", _client.Ask(Migrate(_folder.Path)), StringComparison.Ordinal);
        Assert.Equal("""{"return":{"status":"none"}}""", Query());
        Assert.Equal(RunState.Running, _harness.Machine.State);
        Assert.Empty(_folder.Names);
    }

    [Theory]
    [InlineData("""{}""", "uri")]
    [InlineData("""{"uri":"tcp:host:4"}""", "Parameter 'uri' is 'tcp:host:4'; allowed: file:FOLDER, fd:STATE,MEMORY (names of getfd)")]
    [InlineData("""{"uri":"fd:one"}""", "Parameter 'uri' is 'fd:one'; allowed: file:FOLDER, fd:STATE,MEMORY (names of getfd)")]
    [InlineData("""{"uri":"fd:x,y"}""", "File descriptor named 'x' has not been found")]
    [InlineData("""{"uri":"file:"}""", "")]
    [InlineData("""{"uri":"file:/no/such/parent"}""", "'/no/such/parent' can't be written: No such file or directory")]
    [InlineData("""{"uri":7}""", "uri")]
    [InlineData("""{"uri":"file:/tmp/x","stay-paused":"yes"}""", "stay-paused")]
    public void WhatCantBeAskedIsToldWhy(string arguments, string reason)
    {
        string answer = _client.Ask($$"""{"execute":"migrate","arguments":{{arguments}}}""");
        Assert.StartsWith("""{"error":""", answer, StringComparison.Ordinal);
        Assert.Contains(reason, answer, StringComparison.Ordinal);
        Assert.Equal(RunState.Running, _harness.Machine.State);
    }

    [Fact]
    public void AFileThatIsPassedHasToBeOneThatCanBeWritten()
    {
        using FileDescriptor readable = new(Libc.Open("/etc/passwd", Libc.O_RDONLY));
        using FileDescriptor writable = Open("s");
        using FileDescriptor pipe = Libc.CreateEventFd();
        Pass("r", readable);
        Pass("w", writable);
        Pass("p", pipe);
        Assert.Contains("'r' is no regular file that is open for reading and writing", _client.Ask("""{"execute":"migrate","arguments":{"uri":"fd:r,w"}}"""), StringComparison.Ordinal);
        Assert.Contains("'p' is no regular file", _client.Ask("""{"execute":"migrate","arguments":{"uri":"fd:w,p"}}"""), StringComparison.Ordinal);
        Pass("again", writable);
        Assert.Contains("The snapshot can't be written over the machine: the file passed as 'w' and the file passed as 'again' are one file", _client.Ask("""{"execute":"migrate","arguments":{"uri":"fd:w,again"}}"""), StringComparison.Ordinal);
        Pass("w", writable);
        Assert.Contains("names 'w' twice", _client.Ask("""{"execute":"migrate","arguments":{"uri":"fd:w,w"}}"""), StringComparison.Ordinal);
    }

    /// <summary>The memory that a restored machine runs from, and its disks: to write there would be to write into the machine.</summary>
    [Theory]
    [InlineData("st", "the image of the drive 'rootfs'")]
    [InlineData("mem", "the memory that the machine was restored from and reads still")]
    public void AFileOfTheMachinesOwnIsRefused(string name, string use)
    {
        using FileDescriptor state = Open("s");
        using FileDescriptor memory = Open("m");
        _harness.Machine.Uses[FileIdentity.Of((name == "st" ? state : memory).Value)!.Value] = use;
        Pass("st", state);
        Pass("mem", memory);
        string answer = _client.Ask("""{"execute":"migrate","arguments":{"uri":"fd:st,mem"}}""");
        Assert.Contains($"The snapshot can't be written over the machine: the file passed as '{name}' is {use}.", answer, StringComparison.Ordinal);
        Assert.Equal("""{"return":{"status":"none"}}""", Query());
        Assert.Equal((RunState.Running, false), (_harness.Machine.State, _harness.Machine.IsHeld));
        Assert.Equal(0, new FileInfo(_folder.File(name == "st" ? "s" : "m")).Length);
    }

    [Fact]
    public void AServerThatEndsInTheMiddleLeavesTheOldOne()
    {
        Begin();
        Expect("active", "RESUME", "completed");
        byte[] before = File.ReadAllBytes(_folder.File("state"));
        _harness.Machine.ComesToAStandLate = true;
        Begin();
        Assert.Contains("memory.new", _folder.Names);
        _harness.Server.Dispose();
        Assert.Equal(["memory", "state"], _folder.Names);
        Assert.Equal(before, File.ReadAllBytes(_folder.File("state")));
    }

    private static string Migrate(string folder) => $$$"""{"execute":"migrate","arguments":{"uri":"file:{{{folder}}}"}}""";

    private static string Continue(string state) => $$$"""{"execute":"migrate-continue","arguments":{"state":"{{{state}}}"}}""";

    /// <summary>Begins to save the machine, which runs, into the folder.</summary>
    private void Begin(string how = "")
    {
        _client.Send(Migrate(_folder.Path).Replace("\"}}", $"\"{how}}}}}", StringComparison.Ordinal));
        Expect("STOP", "setup", Done);
    }

    private string Query() => _client.Ask("""{"execute":"query-migrate"}""");

    private void Expect(params ReadOnlySpan<string> parts)
    {
        foreach (string part in parts)
        {
            Assert.Contains(part, _client.ReadLine(), StringComparison.Ordinal);
        }
    }

    private FileDescriptor Open(string name) => new(Libc.Open(_folder.File(name), Libc.O_RDWR | Libc.O_CREAT, 0x180));

    private void Pass(string name, FileDescriptor file)
    {
        byte[] request = Encoding.UTF8.GetBytes($$$"""{"execute":"getfd","arguments":{"fdname":"{{{name}}}"}}""");
        Assert.Equal(request.Length, Libc.SendFiles((int)_client.Socket.Handle, request, [file.Value]));
        Assert.Equal(Done, _client.ReadLine());
    }
}
