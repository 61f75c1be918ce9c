using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;
using Strato.Engine.Boot;
using Strato.Engine.Kvm;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Tests.Unit.Boot;
using Strato.Tests.Unit.Chardev;
using Strato.Tests.Unit.Cmdlets;
using Xunit;

namespace Strato.Tests.Unit.Machine;

/// <summary>CPUs that come and go under a guest of some bytes, which starts each by INIT and SIPI; descriptors and threads are counted while no other test runs.</summary>
[Collection(CmdletCollection.Name)]
public sealed class CpuPlugTests : IDisposable
{
    /// <summary>Takes events: starts a CPU that came, has it answer by _OST and halt; gives back one that is to go.</summary>
    private static readonly byte[] Guest =
    [
        0xBA, 0x10, 0x06, 0, 0, // next: mov edx, 0x610
        0xED, // in eax, dx
        0x85, 0xC0, // test eax, eax
        0x74, 0xF6, // jz next
        0x89, 0xC1, 0xC1, 0xE9, 0x08, // mov ecx, eax; shr ecx, 8
        0x0F, 0xB6, 0xC0, // movzx eax, al
        0x83, 0xF9, 0x03, // cmp ecx, 3
        0x75, 0x07, // jne comes
        0x66, 0xBA, 0x18, 0x06, 0xEF, // mov dx, 0x618; out dx, eax
        0xEB, 0xE2, // jmp next
        0x0D, 0x00, 0x01, 0, 0, // comes: or eax, 0x100
        0x66, 0xC7, 0x04, 0x25, 0x00, 0x00, 0x01, 0, 0x66, 0xB8, // at 0x10000, in 16 bits: mov eax, CPU | 1 << 8;
        0x89, 0x04, 0x25, 0x02, 0x00, 0x01, 0,
        0xC7, 0x04, 0x25, 0x06, 0x00, 0x01, 0, 0xBA, 0x1C, 0x06, 0x66, // mov dx, 0x61C; out dx, eax;
        0xC7, 0x04, 0x25, 0x0A, 0x00, 0x01, 0, 0xEF, 0xF4, 0xEB, 0xFD, // hlt; jmp to it
        0x89, 0xC1, 0xC1, 0xE1, 0x18, // mov ecx, eax; shl ecx, 24
        0xBB, 0x00, 0x03, 0xE0, 0xFE, // mov ebx, 0xFEE00300
        0x89, 0x4B, 0x10, // mov [rbx+16], ecx: to that CPU
        0xC7, 0x03, 0x00, 0x45, 0, 0, // INIT
        0xC7, 0x03, 0x10, 0x46, 0, 0, // SIPI to 0x10000
        0xEB, 0x9B, // jmp next
    ];

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
    public void ACpuComesWorksGoesAndComesAgain()
    {
        VirtualMachine machine = Start();
        for (int round = 0; round < 3; round++)
        {
            machine.AddCpu("one", 2);
            Assert.Equal([(0, null), (2, "one")], machine.Cpus.Select(cpu => (cpu.Index, cpu.Id)));
            Assert.Equal("CPU 2/KVM\n", File.ReadAllText($"/proc/self/task/{machine.Cpus[1].ThreadId}/comm"));
            Until("ACPI_DEVICE_OST one");
            Assert.Equal("InvalidCpu CPU 2 is there already.", Refused(machine, "other", 2));
            Assert.True(machine.RequestCpuRemoval("one"));
            Until("CPU_RESIZE");
            Assert.Equal(["CPU_RESIZE", "ACPI_DEVICE_OST one", "DEVICE_DELETED one", "CPU_RESIZE"], _events);
            Assert.False(machine.RequestCpuRemoval("one"));
            Assert.Equal([0], machine.Cpus.Select(cpu => cpu.Index));
            _events.Clear();
        }
    }

    [Fact]
    public void RoundsLeaveNothingBehind()
    {
        VirtualMachine machine = Start();
        (int Files, int Threads) before = default;
        for (int round = 0; round < 60; round++)
        {
            if (round == 20)
            {
                before = Count();
            }

            foreach (int cpu in (int[])[3, 1])
            {
                machine.AddCpu($"c{cpu}", cpu);
                Until($"ACPI_DEVICE_OST c{cpu}");
            }

            foreach (int cpu in (int[])[3, 1])
            {
                machine.RequestCpuRemoval($"c{cpu}");
                Until($"DEVICE_DELETED c{cpu}");
            }

            _events.Clear();
        }

        // The runtime's own come and go.
        (int Files, int Threads) after = Count();
        Assert.InRange(after.Files, 0, before.Files + 2);
        Assert.InRange(after.Threads, 0, before.Threads + 2);
    }

    [Fact]
    public void OneThatComesWhileThePauseLastsWaits()
    {
        VirtualMachine machine = Start();
        machine.Pause();
        machine.AddCpu("one", 1);
        _test.Settle();
        Assert.Equal(["STOP", "CPU_RESIZE"], _events);
        machine.Resume();
        Until("ACPI_DEVICE_OST one");
        machine.Pause();
        machine.RequestCpuRemoval("one");
        machine.Resume();
        Until("DEVICE_DELETED one");
    }

    [Fact]
    public void AResetKeepsThoseThatAreThere()
    {
        VirtualMachine machine = Start();
        machine.AddCpu("one", 1);
        machine.AddCpu("two", 2);
        Until("ACPI_DEVICE_OST two");
        machine.RequestCpuRemoval("one");
        Until("DEVICE_DELETED one");
        machine.Reset();
        Assert.Equal([0, 2], machine.Cpus.Select(cpu => cpu.Index));
        _events.Clear();
        machine.AddCpu("one", 1);
        Until("ACPI_DEVICE_OST one");
        machine.RequestCpuRemoval("two");
        Until("DEVICE_DELETED two");
        Assert.Equal(RunState.Running, machine.State);
    }

    [Fact]
    public void WhatCannotComeIsRefused()
    {
        VirtualMachine machine = Start();
        Assert.Equal("InvalidCpu CPU 4 is out of range; allowed: 1 to 3.", Refused(machine, "x", 4));
        Assert.Equal("InvalidCpu CPU -1 is out of range; allowed: 1 to 3.", Refused(machine, "x", -1));
        Assert.Equal("InvalidCpu CPU 0 is there already.", Refused(machine, "x", 0));
        machine.AddCpu("x", 1);
        Assert.Equal("DuplicateId The id 'x' is that of another device; ids are unique.", Refused(machine, "x", 2));
        Assert.Equal([0, 1], machine.Cpus.Select(cpu => cpu.Index));
        Assert.False(machine.RequestCpuRemoval("y"));
    }

    /// <summary>A removal that the guest doesn't answer: it may be asked for again, ends with a reset, and keeps the CPU's number and name.</summary>
    [Fact]
    public void ARemovalThatIsNotAnsweredHoldsNothingUp()
    {
        VirtualMachine machine = Start();
        machine.AddCpu("one", 1);
        Until("ACPI_DEVICE_OST one");
        machine.Pause();
        Assert.True(machine.RequestCpuRemoval("one"));
        Assert.True(machine.RequestCpuRemoval("one"));
        const string still = "InvalidCpu CPU 1 is there still: the guest was asked for it, and has not given it up.";
        Assert.Equal((still, still), (Refused(machine, "one", 1), Refused(machine, "other", 1)));
        Assert.Equal("DuplicateId The id 'one' is that of another device; ids are unique.", Refused(machine, "one", 2));
        machine.Reset();
        Assert.Equal("InvalidCpu CPU 1 is there already.", Refused(machine, "one", 1));
        machine.Resume();
        Assert.Equal([0, 1], machine.Cpus.Select(cpu => cpu.Index));
        _events.Clear();
        Assert.True(machine.RequestCpuRemoval("one"));
        Until("DEVICE_DELETED one");
        machine.AddCpu("one", 1);
        Until("ACPI_DEVICE_OST one");
    }

    [Fact]
    public void AVcpuWhosePageCouldNotBeMappedIsUsedTheNextTime()
    {
        using KvmVm vm = _kvm.CreateVm();
        vm.CreateIrqchip();
        Assert.Throws<LinuxException>(() => vm.CreateVcpu(0, mapSize: 0));
        Assert.Throws<LinuxException>(() => vm.CreateVcpu(0, mapSize: 0));
        using KvmVcpu vcpu = vm.CreateVcpu(0);
        vcpu.GetRegs(out _);

        // One that was never finished goes with the VM.
        Assert.Throws<LinuxException>(() => vm.CreateVcpu(1, mapSize: 0));
    }

    /// <summary>An interrupt that came while the guest had its pin masked, as before its driver is there, reaches it when the pin is unmasked.</summary>
    [Fact]
    public void AnEventThatComesBeforeTheDriverIsNotLost()
    {
        using KvmVm vm = _kvm.CreateVm();
        vm.CreateIrqchip();
        using KvmVcpu vcpu = vm.CreateVcpu(0);
        KvmInterruptLevel line = new(vm, Layout.GedGsi);
        Assert.False(IsAsserted());
        line.Set(true);
        Assert.True(IsAsserted());
        line.Set(false);
        Assert.False(IsAsserted());

        bool IsAsserted()
        {
            // struct kvm_ioapic_state: base_address u64, ioregsel u32, id u32, irr u32.
            vm.GetIrqchip(2, out KvmIrqchip ioapic);
            ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(new ReadOnlySpan<KvmIrqchip>(in ioapic));
            return (BinaryPrimitives.ReadUInt32LittleEndian(bytes[(8 + 16)..]) & (1u << (int)Layout.GedGsi)) != 0;
        }
    }

    [Fact]
    public void AMachineWithoutRoomSaysSo() =>
        Assert.Equal("CpuHotPlugUnavailable The machine has 1 CPUs, and no room is kept for more; -smp 1,maxcpus=N keeps it.", Refused(Start(maximum: 1), "x", 1));

    [Fact]
    public void AKernelWithoutAcpiTakesNone() =>
        Assert.Equal(
            "CpuHotPlugUnavailable The guest's kernel has no ACPI, by which CPUs come and go: it is built without, or started with acpi=off.",
            Refused(Start(acpi: false), "x", 1));

    private static string Refused(VirtualMachine machine, string id, long cpu)
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => machine.AddCpu(id, cpu));
        return $"{error.Id} {error.Message}";
    }

    private static (int Files, int Threads) Count() =>
        (Directory.GetFileSystemEntries("/proc/self/fd").Length, Directory.GetDirectories("/proc/self/task").Length);

    private void Until(string told) => _test.Until(() => _events.Count > 0 && _events[^1] == told || _events.Contains(told) && told != "CPU_RESIZE", told);

    private VirtualMachine Start(int maximum = 4, bool acpi = true)
    {
        ElfBuilder kernel = new();
        byte[] code = new byte[0x200];
        Guest.CopyTo(code, 0);
        // By these words a kernel shows how it learns of devices.
        Encoding.ASCII.GetBytes(acpi ? "RSD PTR " : "virtio_mmio.device").CopyTo(code, 0x100);
        kernel.Segments.Add(new ElfBuilder.Segment(1, ElfBuilder.Base, code));
        string path = _test.Path("kernel");
        File.WriteAllBytes(path, kernel.Build());
        VmConfiguration configuration = new() { Kernel = path, Force = true, Shape = CpuShape.Resolve(new(1, maximum, null, null, null, null), new("", "", "", "", "", "")) };
        _board = new MicroVm(_kvm, configuration, _test.Loop, serial: null);
        VirtualMachine machine = new(_test.Loop, null, _board, noReboot: false, noShutdown: false);
        machine.StartThreads();
        machine.Resume();
        machine.EventRaised += e => _events.Add(e.Name switch
        {
            "DEVICE_DELETED" => $"{e.Name} {e.Data.Split('"')[3]}",
            "ACPI_DEVICE_OST" => $"{e.Name} {e.Data.Split('"')[5]}",
            _ => e.Name,
        });
        return machine;
    }
}
