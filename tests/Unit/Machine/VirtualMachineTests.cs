using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Strato.Engine.Block;
using Strato.Engine.Kvm;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.Engine.Virtio;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Tests.Unit.Boot;
using Strato.Tests.Unit.Chardev;
using Xunit;

namespace Strato.Tests.Unit.Machine;

/// <summary>A machine's life as the main loop sees it: a guest that halts, and what its vCPUs, the host and the user report.</summary>
public sealed class VirtualMachineTests : IDisposable
{
    private readonly TestLoop _test = new();
    private readonly KvmSystem _kvm = PayloadVm.OpenOrSkip();
    private readonly List<string> _events = [];
    private MicroVm? _board;

    public void Dispose()
    {
        _board?.Dispose();
        _kvm.Dispose();
        _test.Dispose();
    }

    [Fact]
    public void WhatTwoVcpusReportOfOneLifeResetsOnce()
    {
        VirtualMachine machine = Start();
        machine.OnTripleFault(0);
        machine.OnTripleFault(0);
        _test.Settle();
        Assert.Equal(["RESUME", "RESET guest-triple-fault"], _events);
        Assert.Equal(RunState.Running, machine.State);

        // The next life's is another.
        machine.OnTripleFault(0);
        _test.Settle();
        Assert.Equal(2, _events.Count(e => e == "RESET guest-triple-fault"));
    }

    [Fact]
    public void WhatALifeReportsAfterAResetByTheUserIsDropped()
    {
        VirtualMachine machine = Start();
        machine.OnTripleFault(0);
        machine.Reset();
        _test.Settle();
        Assert.Equal(["RESUME", "RESET host-qmp-system-reset"], _events);
    }

    [Fact]
    public void AFailureOfTheLifeBeforeAResetIsDropped()
    {
        VirtualMachine machine = Start();
        machine.OnFailure(0, "the old boot's");
        machine.Reset();
        _test.Settle();
        Assert.Equal(["RESUME", "RESET host-qmp-system-reset"], _events);
        Assert.Equal(RunState.Running, machine.State);
    }

    [Fact]
    public void AMachineEndsOnceByWhatCameFirst()
    {
        VirtualMachine machine = Start();
        machine.OnFailure(0, "one");
        machine.OnFailure(0, "another");
        _test.Loop.Post(() => machine.Quit("host-qmp-quit"));
        _test.Loop.Run();
        Assert.Equal(["RESUME", "SHUTDOWN host-error"], _events);
        Assert.Equal((RunState.Shutdown, EngineExit.Failure), (machine.State, machine.ExitCode));
    }

    [Fact]
    public void AFailureAfterTheEndChangesNothing()
    {
        VirtualMachine machine = Start();
        machine.Quit("host-qmp-quit");
        machine.OnFailure(0, "late");
        _test.Loop.Run();
        Assert.Equal(["RESUME", "SHUTDOWN host-qmp-quit"], _events);
        Assert.Equal(EngineExit.Success, machine.ExitCode);
    }

    [Fact]
    public void WhatTheHostRefusesWhileItRunsIsAHostError()
    {
        VirtualMachine machine = Start();
        _test.Loop.Post(() => throw new LinuxException("KVM_GET_CLOCK", Errno.EPERM));
        _test.Loop.Run();
        Assert.Equal(["RESUME", "SHUTDOWN host-error"], _events);
        Assert.Equal(EngineExit.Failure, machine.ExitCode);
    }

    [Fact]
    public void UnderNoShutdownAFailureWaitsForAReset()
    {
        VirtualMachine machine = Start(noShutdown: true);
        _test.Loop.Post(() => throw new LinuxException("KVM_GET_CLOCK", Errno.EPERM));
        machine.OnFailure(0, "another");
        _test.Settle();
        Assert.Equal(["RESUME", "STOP"], _events);
        Assert.Equal(RunState.InternalError, machine.State);
        Assert.Equal("MachineFailed", Assert.Throws<UserErrorException>(machine.Resume).Id);
        machine.Reset();
        Assert.Equal(RunState.Paused, machine.State);
        machine.Resume();
        Assert.Equal(RunState.Running, machine.State);
        Assert.Equal(["RESUME", "STOP", "RESET host-qmp-system-reset", "RESUME"], _events);

        // A reset that fails is a failure of its own, told each time.
        _events.Clear();
        File.WriteAllBytes(_test.Path("kernel"), []);
        machine.Reset();
        machine.Reset();
        Assert.Equal(RunState.InternalError, machine.State);
        Assert.Equal(["RESET host-qmp-system-reset", "STOP", "RESET host-qmp-system-reset", "STOP"], _events);
    }

    [Fact]
    public void AFailureOfADiskThatHasGoneMeanwhileDoesntStopTheMachine()
    {
        VirtualMachine machine = Start();
        string image = _test.Path("image");
        File.WriteAllBytes(image, new byte[4096]);
        BlockDevice gone = Plug();
        _board!.DiskFailed(gone, Failure);
        machine.HotPlug.Remove("d");
        BlockDevice here = Plug();
        _test.Settle();
        Assert.Equal(["RESUME", "DEVICE_DELETED d"], _events);
        Assert.Equal(RunState.Running, machine.State);
        _board.DiskFailed(here, Failure);
        _test.Settle();
        Assert.Equal(RunState.IoError, machine.State);

        BlockDevice Plug()
        {
            machine.HotPlug.AddNode(new() { Id = "d", File = image });
            machine.HotPlug.AddDisk(new("d", null, null));
            return machine.HotPlug.FindDisk("d")!;
        }
    }

    private static BlockFailure Failure => new("d", Writes: true, Errno.ENOSPC, DriveErrorAction.Stop);

    private VirtualMachine Start(bool noShutdown = false)
    {
        // cli; hlt; jmp to it: nothing reports but the test.
        ElfBuilder kernel = new();
        kernel.Segments.Add(new ElfBuilder.Segment(1, ElfBuilder.Base, [0xFA, 0xF4, 0xEB, 0xFC]));
        string path = _test.Path("kernel");
        File.WriteAllBytes(path, kernel.Build());
        _board = new MicroVm(_kvm, new VmConfiguration { Kernel = path, Force = true }, _test.Loop, serial: null);
        VirtualMachine machine = new(_test.Loop, null, _board, noReboot: false, noShutdown);
        machine.StartThreads();
        machine.EventRaised += e => _events.Add(e.Data == "{}" ? e.Name : $"{e.Name} {e.Data.Split('"')[^2]}");
        machine.Resume();
        return machine;
    }
}
