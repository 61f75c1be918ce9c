using System;
using System.IO;
using Strato.Engine.Boot;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.Protocol;
using Strato.Tests.Unit.Boot;
using Xunit;

namespace Strato.Tests.Unit.Machine;

/// <summary>Looking into a machine that runs.</summary>
public sealed class DebugMachineTests : MachineTests
{
    [Fact]
    public void RegistersAreThoseOfTheGuestWhichRunsOn()
    {
        VirtualMachine machine = Start();
        ulong before = Count(machine);
        Assert.True(System.Threading.SpinWait.SpinUntil(() => Count(machine) > before, TimeSpan.FromSeconds(20)));
        CpuRegisters cpu = Assert.Single(machine.ReadRegisters());
        Assert.InRange(cpu.General.Rip, ElfBuilder.Base, ElfBuilder.Base + 8);
        Assert.NotEqual(0UL, cpu.Special.Efer & 0x400);
        Assert.Equal(RunState.Running, machine.State);
        machine.Pause();
        Assert.Equal(Count(machine), Count(machine));
        Assert.Equal(["RESUME", "STOP"], Events);
    }

    [Fact]
    public void AnNmiIsTakenWhereLint1BringsIt()
    {
        VirtualMachine machine = Start();
        Assert.Equal(1, machine.InjectNmi());
        byte[] lapic = new byte[1024];
        LocalApic.SetLocalInterrupts(lapic, isBootProcessor: true);
        Assert.True(LocalApic.TakesNmi(lapic));

        // Masked; or for something else.
        lapic[0x362] = 1;
        Assert.False(LocalApic.TakesNmi(lapic));
        lapic[0x362] = 0;
        lapic[0x361] = 7;
        Assert.False(LocalApic.TakesNmi(lapic));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ADumpHoldsTheMachineAndOneThatRanGoesOn(bool runs)
    {
        VirtualMachine machine = Start();
        if (!runs)
        {
            machine.Pause();
        }

        string path = Test.Path("core");
        machine.BeginDump(new FileDescriptor(Libc.Open(path, Libc.O_RDWR | Libc.O_CREAT, 0x180)), path);
        Assert.Equal(RunState.Paused, machine.State);
        Assert.Equal("DumpActive", Assert.Throws<UserErrorException>(machine.Resume).Id);
        Assert.Equal("DumpActive", Assert.Throws<UserErrorException>(machine.Reset).Id);

        // What vCPUs told before is heard when the dump is over, once, and before the guest goes on.
        machine.OnTripleFault(0);
        machine.OnTripleFault(0);
        Test.Settle();
        machine.Dump.GoOn();
        Test.Until(() => !machine.Dump.IsActive, "the end of the dump");
        Test.Settle();
        Assert.Equal(DumpState.Completed, machine.Dump.State);
        Assert.Equal(
            runs ? ["RESUME", "STOP", "RESET guest-triple-fault", "RESUME", "DUMP_COMPLETED completed"] : ["RESUME", "STOP", "RESET guest-triple-fault", "DUMP_COMPLETED completed"],
            Events);
        Assert.Equal(runs ? RunState.Running : RunState.Paused, machine.State);
        Assert.Equal(4096 + Board!.Memory.Size, new FileInfo(path).Length);
    }

    [Fact]
    public void AMachineThatIsStoppedMeanwhileStaysSo()
    {
        VirtualMachine machine = Start();
        string path = Test.Path("core");
        machine.BeginDump(new FileDescriptor(Libc.Open(path, Libc.O_RDWR | Libc.O_CREAT, 0x180)), path);
        machine.Pause();
        Assert.True(machine.Dump.Cancel());
        Assert.Equal(RunState.Paused, machine.State);
        Assert.Equal(["RESUME", "STOP", "DUMP_COMPLETED failed"], Events);
        machine.Resume();
        Assert.Equal(RunState.Running, machine.State);
    }

    [Fact]
    public void AGuestThatAskedForItsEndRunsNothingAfterADump()
    {
        VirtualMachine machine = Start();
        ulong before = Count(machine);
        string path = Test.Path("core");
        machine.BeginDump(new FileDescriptor(Libc.Open(path, Libc.O_RDWR | Libc.O_CREAT, 0x180)), path);
        before = Count(machine);
        machine.OnFailure(0, "it fails");
        Test.Settle();
        Assert.True(machine.Dump.Cancel());
        Assert.Equal(["RESUME", "STOP", "SHUTDOWN host-error", "DUMP_COMPLETED failed"], Events);
        Assert.Equal(before, Count(machine));
    }

    private static ulong Count(VirtualMachine machine) => machine.ReadRegisters()[0].General.Rcx;

    /// <summary>A guest that counts in RCX: cli; inc rcx; jmp back.</summary>
    private VirtualMachine Start() => Start([0xFA, 0x48, 0xFF, 0xC1, 0xEB, 0xFB], noShutdown: false);
}
