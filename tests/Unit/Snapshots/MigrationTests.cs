using System;
using System.Collections.Generic;
using System.IO;
using Strato.Engine.Linux;
using Strato.Engine.Snapshot;
using Strato.Protocol;
using Strato.Protocol.Snapshots;
using Strato.Tests.Unit.Qmp;
using Xunit;

namespace Strato.Tests.Unit.Snapshots;

/// <summary>A save whose steps the test takes one by one.</summary>
public sealed class MigrationTests : IDisposable
{
    private readonly SavedFolder _folder = new();
    private readonly FakeMachine _machine = new();
    private readonly EventLoop _loop = new();
    private readonly Migration _migration;

    public MigrationTests()
    {
        _machine.Loop = _loop;
        _machine.Ram.TryWrite(0, (ReadOnlySpan<byte>)[1, 2, 3]);
        _migration = new Migration(_loop, _machine);
    }

    public void Dispose()
    {
        _migration.Dispose();
        _machine.Dispose();
        _loop.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void ItGoesFromOneStateToTheNext()
    {
        Assert.Equal((MigrationState.None, false), (_migration.State, _migration.IsActive));
        Begin();
        Assert.Equal((MigrationState.Setup, true), (_migration.State, _migration.IsActive));
        Assert.True(_machine.IsHeld);
        Turn();
        Assert.Equal(MigrationState.Active, _migration.State);
        Finish();
        Assert.Equal((MigrationState.Completed, false), (_migration.State, _migration.IsActive));
        Assert.Equal((4L << 20, 4L << 20, 4096L), _migration.Progress);
        Assert.False(_machine.IsHeld);
        Assert.Equal(["memory", "state"], _folder.Names);
    }

    /// <summary>Whether its thread has ended by then or not: who is told "cancelled" finds no snapshot, and who is told "completed" one.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void OneThatIsCancelledWhileItIsActiveIsNoSnapshot(bool whenWritten)
    {
        Begin();
        Turn();
        if (whenWritten)
        {
            while (_migration.Progress.Done < 4 << 20)
            {
                System.Threading.Thread.Yield();
            }
        }

        Assert.True(_migration.Cancel());
        Assert.True(_migration.IsActive);
        Finish();
        Assert.Equal(MigrationState.Cancelled, _migration.State);
        Assert.Null(_migration.Error);
        Assert.Empty(_folder.Names);
        Assert.Equal(Engine.Machine.RunState.Running, _machine.State);
        Assert.False(_migration.Cancel());
        Assert.Equal(MigrationState.Cancelled, _migration.State);
    }

    [Fact]
    public void OneThatIsCancelledGoesOnEvenIfItWasToStayPaused()
    {
        _migration.Begin(SnapshotFolder.Open(_folder.Path), staysPaused: true, owner: null);
        Assert.True(_migration.Cancel());
        Turn();
        Assert.Equal(MigrationState.Cancelled, _migration.State);
        Assert.Equal(Engine.Machine.RunState.Running, _machine.State);
    }

    [Fact]
    public void WhatTheHostRefusesAtTheEndFails()
    {
        Begin();
        Turn();
        File.Delete(_folder.File("state.new"));
        Finish();
        Assert.Equal(MigrationState.Failed, _migration.State);
        Assert.StartsWith("The snapshot can't be written: rename", _migration.Error, StringComparison.Ordinal);
        Assert.Empty(_folder.Names);
        Assert.Equal(Engine.Machine.RunState.Running, _machine.State);
    }

    /// <summary>The space of an old memory is given back while the guest runs, and not by this thread: that may take a file system seconds.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TheMachineGoesOnBeforeFilesAreGivenBack(bool cancelled)
    {
        using SnapshotFolder folder = SnapshotFolder.Open(_folder.Path);
        Watched target = new(folder, () => _machine.State);
        _migration.Begin(target, staysPaused: false, owner: null);
        Turn();
        if (cancelled)
        {
            _migration.Cancel();
        }

        Finish();
        Assert.Equal(Engine.Machine.RunState.Running, target.EndedIn);
        Assert.True(System.Threading.SpinWait.SpinUntil(() => folder.Memory.IsClosed && folder.State.IsClosed, TimeSpan.FromMinutes(1)));
    }

    [Fact]
    public void WhatItWasRefusedForIsToldById()
    {
        Assert.Equal("SnapshotUnsupported", SnapshotFailure.IdOf("The machine can't be saved: the device 'fs' can't"));
        Assert.Equal("SnapshotBusy", SnapshotFailure.IdOf("A snapshot is being saved; query-migrate"));
        Assert.Equal("SnapshotNoRoom", SnapshotFailure.IdOf("No room for the snapshot: '/m' needs"));
        Assert.Equal("SnapshotNotWritable", SnapshotFailure.IdOf("The snapshot can't be written: write"));
        Assert.Equal("SnapshotFileInUse", SnapshotFailure.IdOf("The snapshot can't be written over the machine: x"));
        Assert.Equal("SnapshotFailed", SnapshotFailure.IdOf("anything"));
    }

    [Fact]
    public void TheEndOfTheMachineLeavesNothing()
    {
        Begin();
        Turn();
        _migration.Dispose();
        Turn();
        Assert.Empty(_folder.Names);
    }

    [Fact]
    public void TheEndOfTheMachineBeforeItStandsStillLeavesNothing()
    {
        Begin();
        _migration.Dispose();
        Assert.Empty(_folder.Names);
        Turn();
        Assert.Empty(_folder.Names);
    }

    [Fact]
    public void WhatTheMachineRefusesChangesNothing()
    {
        _machine.Hold("A dump", _ => { });
        Assert.Equal("SnapshotActive", Assert.Throws<UserErrorException>(Begin).Id);
        Assert.Equal(MigrationState.None, _migration.State);
        Assert.Empty(_folder.Names);
        SnapshotFolder.Open(_folder.Path).Dispose();
    }

    private void Begin() => _migration.Begin(SnapshotFolder.Open(_folder.Path), staysPaused: false, owner: null);

    private void Turn() => _ = _loop.RunOnce(0);

    /// <summary>A target that tells what the machine did when its files were given up.</summary>
    private sealed class Watched(SnapshotFolder folder, Func<Engine.Machine.RunState> state) : ISnapshotTarget
    {
        public Engine.Machine.RunState? EndedIn { get; private set; }

        public FileDescriptor Memory => folder.Memory;

        public FileDescriptor State => folder.State;

        public string MemoryName => folder.MemoryName;

        public string StateName => folder.StateName;

        public void Commit() => folder.Commit();

        public List<FileDescriptor> End()
        {
            EndedIn = state();
            return folder.End();
        }

        public void Dispose() => folder.Dispose();
    }

    private void Finish()
    {
        while (_migration.IsActive)
        {
            _ = _loop.RunOnce(1000);
        }
    }
}
