using System;
using System.IO;
using System.Linq;
using Strato.Engine.Block;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.Engine.Virtio;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Xunit;

namespace Strato.Tests.Unit.Machine;

/// <summary>A machine's life as the main loop sees it: a guest that halts, and what its vCPUs, the host and the user report.</summary>
public sealed class VirtualMachineTests : MachineTests
{
    [Fact]
    public void WhatTwoVcpusReportOfOneLifeResetsOnce()
    {
        VirtualMachine machine = Start();
        machine.OnTripleFault(0);
        machine.OnTripleFault(0);
        Test.Settle();
        Assert.Equal(["RESUME", "RESET guest-triple-fault"], Events);
        Assert.Equal(RunState.Running, machine.State);

        // The next life's is another.
        machine.OnTripleFault(0);
        Test.Settle();
        Assert.Equal(2, Events.Count(e => e == "RESET guest-triple-fault"));
    }

    [Fact]
    public void WhatALifeReportsAfterAResetByTheUserIsDropped()
    {
        VirtualMachine machine = Start();
        machine.OnTripleFault(0);
        machine.Reset();
        Test.Settle();
        Assert.Equal(["RESUME", "RESET host-qmp-system-reset"], Events);
    }

    [Fact]
    public void AFailureOfTheLifeBeforeAResetIsDropped()
    {
        VirtualMachine machine = Start();
        machine.OnFailure(0, "the old boot's");
        machine.Reset();
        Test.Settle();
        Assert.Equal(["RESUME", "RESET host-qmp-system-reset"], Events);
        Assert.Equal(RunState.Running, machine.State);
    }

    [Fact]
    public void AMachineEndsOnceByWhatCameFirst()
    {
        VirtualMachine machine = Start();
        machine.OnFailure(0, "one");
        machine.OnFailure(0, "another");
        Test.Loop.Post(() => machine.Quit("host-qmp-quit"));
        Test.Loop.Run();
        Assert.Equal(["RESUME", "SHUTDOWN host-error"], Events);
        Assert.Equal((RunState.Shutdown, EngineExit.Failure), (machine.State, machine.ExitCode));
    }

    [Fact]
    public void AFailureAfterTheEndChangesNothing()
    {
        VirtualMachine machine = Start();
        machine.Quit("host-qmp-quit");
        machine.OnFailure(0, "late");
        Test.Loop.Run();
        Assert.Equal(["RESUME", "SHUTDOWN host-qmp-quit"], Events);
        Assert.Equal(EngineExit.Success, machine.ExitCode);
    }

    [Fact]
    public void WhatTheHostRefusesWhileItRunsIsAHostError()
    {
        VirtualMachine machine = Start();
        Test.Loop.Post(() => throw new LinuxException("KVM_GET_CLOCK", Errno.EPERM));
        Test.Loop.Run();
        Assert.Equal(["RESUME", "SHUTDOWN host-error"], Events);
        Assert.Equal(EngineExit.Failure, machine.ExitCode);
    }

    [Fact]
    public void UnderNoShutdownAFailureWaitsForAReset()
    {
        VirtualMachine machine = Start(noShutdown: true);
        Test.Loop.Post(() => throw new LinuxException("KVM_GET_CLOCK", Errno.EPERM));
        machine.OnFailure(0, "another");
        Test.Settle();
        Assert.Equal(["RESUME", "STOP"], Events);
        Assert.Equal(RunState.InternalError, machine.State);
        Assert.Equal("MachineFailed", Assert.Throws<UserErrorException>(machine.Resume).Id);
        machine.Reset();
        Assert.Equal(RunState.Paused, machine.State);
        machine.Resume();
        Assert.Equal(RunState.Running, machine.State);
        Assert.Equal(["RESUME", "STOP", "RESET host-qmp-system-reset", "RESUME"], Events);

        // A reset that fails is a failure of its own, told each time.
        Events.Clear();
        File.WriteAllBytes(Test.Path("kernel"), []);
        machine.Reset();
        machine.Reset();
        Assert.Equal(RunState.InternalError, machine.State);
        Assert.Equal(["RESET host-qmp-system-reset", "STOP", "RESET host-qmp-system-reset", "STOP"], Events);
    }

    [Fact]
    public void AFailureOfADiskThatHasGoneMeanwhileDoesntStopTheMachine()
    {
        VirtualMachine machine = Start();
        string image = Test.Path("image");
        File.WriteAllBytes(image, new byte[4096]);
        BlockDevice gone = Plug();
        Board!.DiskFailed(gone, Failure);
        machine.HotPlug.Remove("d");
        BlockDevice here = Plug();
        Test.Settle();
        Assert.Equal(["RESUME", "DEVICE_DELETED d"], Events);
        Assert.Equal(RunState.Running, machine.State);
        Board.DiskFailed(here, Failure);
        Test.Settle();
        Assert.Equal(RunState.IoError, machine.State);

        BlockDevice Plug()
        {
            machine.HotPlug.AddNode(new() { Id = "d", File = image });
            machine.HotPlug.AddDisk(new("d", null, null));
            return machine.HotPlug.FindDisk("d")!;
        }
    }

    private static BlockFailure Failure => new("d", Writes: true, Errno.ENOSPC, DriveErrorAction.Stop);

    /// <summary>cli; hlt; jmp to it: nothing reports but the test.</summary>
    private VirtualMachine Start(bool noShutdown = false) => Start([0xFA, 0xF4, 0xEB, 0xFC], noShutdown);
}
