using System.Collections.Generic;
using Strato.Engine.Machine;
using Strato.Protocol;
using Xunit;

namespace Strato.Tests.Unit.Machine;

/// <summary>A machine that stands still while it is saved, and whether it goes on.</summary>
public sealed class HeldMachineTests : MachineTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void OneThatRanGoesOnWhenItIsReleasedToRun(bool run)
    {
        VirtualMachine machine = Hold(Start());
        Assert.Equal(RunState.Paused, machine.State);
        machine.Release(run);
        Assert.Equal(run ? RunState.Running : RunState.Paused, machine.State);
        Assert.Equal(run ? ["RESUME", "STOP", "RESUME"] : ["RESUME", "STOP"], Events);
    }

    [Fact]
    public void OneThatWasPausedStaysSo()
    {
        VirtualMachine machine = Start();
        machine.Pause();
        Hold(machine).Release(run: true);
        Assert.Equal(RunState.Paused, machine.State);
    }

    [Fact]
    public void OneThatIsPausedMeanwhileStaysSo()
    {
        VirtualMachine machine = Hold(Start());
        machine.Pause();
        machine.Release(run: true);
        Assert.Equal(RunState.Paused, machine.State);
        Assert.Equal(["RESUME", "STOP"], Events);
        machine.Resume();
        Assert.Equal(RunState.Running, machine.State);
    }

    [Fact]
    public void NobodyElseLetsItGoOn()
    {
        VirtualMachine machine = Hold(Start());
        Assert.Equal("SnapshotActive", Assert.Throws<UserErrorException>(machine.Resume).Id);
        Assert.Equal("SnapshotActive", Assert.Throws<UserErrorException>(machine.Reset).Id);
        Assert.Equal("SnapshotActive", Assert.Throws<UserErrorException>(() => machine.Hold("Another", _ => { })).Id);
        Assert.Equal(RunState.Paused, machine.State);
        machine.Release(run: true);
        Hold(machine).Release(run: true);
        Assert.Equal(RunState.Running, machine.State);
    }

    [Fact]
    public void WhatItsCpusToldBeforeIsDoneAndWhatTheyTellMeanwhileIsDoneBeforeItGoesOn()
    {
        VirtualMachine machine = Start();
        machine.OnTripleFault(0);
        Hold(machine);
        Assert.Equal(["RESUME", "STOP", "RESET guest-triple-fault"], Events);
        machine.OnTripleFault(0);
        Test.Settle();
        Assert.Equal(3, Events.Count);
        machine.Release(run: true);
        Assert.Equal(["RESUME", "STOP", "RESET guest-triple-fault", "RESET guest-triple-fault", "RESUME"], Events);
    }

    [Fact]
    public void OneThatFailsBeforeItStandsIsNotHeldAndSaysSo()
    {
        VirtualMachine machine = Start();
        machine.OnFailure(0, "it fails");
        List<string?> told = [];
        machine.Hold("A snapshot", told.Add);
        Test.Settle();
        Assert.Equal("the machine has ended, or failed, meanwhile", Assert.Single(told));
        machine.Release(run: true);
        Assert.Equal(["RESUME", "STOP", "SHUTDOWN host-error"], Events);
        Assert.Equal("MachineShutDown", Assert.Throws<UserErrorException>(() => machine.Hold("A snapshot", told.Add)).Id);
    }

    /// <summary>Returns when it stands still.</summary>
    private VirtualMachine Hold(VirtualMachine machine)
    {
        List<string?> told = [];
        machine.Hold("A snapshot", told.Add);
        Test.Until(() => told.Count > 0, "a machine that stands still");
        Assert.Null(Assert.Single(told));
        return machine;
    }

    /// <summary>A guest that halts: cli; hlt; jmp back.</summary>
    private VirtualMachine Start() => Start([0xFA, 0xF4, 0xEB, 0xFC], noShutdown: false);
}
