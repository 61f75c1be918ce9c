using System;
using System.Collections.Concurrent;
using System.IO;
using System.Threading;
using Strato.Engine.Bus;
using Strato.Engine.Kvm;
using Strato.Engine.Machine;
using Xunit;

namespace Strato.Tests.Unit.Machine;

public class VcpuThreadTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    /// <summary>hlt with interrupts off, for ever: only a kick gets the vCPU out.</summary>
    private static ReadOnlySpan<byte> Halt => [0xFA, 0xF4, 0xEB, 0xFD];

    /// <summary>inc al; out 0x10, al; and again.</summary>
    private static ReadOnlySpan<byte> CountOut => [0xFE, 0xC0, 0xE6, 0x10, 0xEB, 0xFA];

    [Fact]
    public void AHaltedVcpuIsKickedOutEveryTime()
    {
        using PayloadVm vm = new(Halt);
        VcpuThread thread = vm.Threads[0];
        thread.Start();
        for (int i = 0; i < 2000; i++)
        {
            thread.Unpark();
            if (i % 3 == 0)
            {
                Thread.Yield();
            }

            thread.RequestPark();
            thread.WaitParked();
        }
    }

    [Fact]
    public void PortWritesArriveInOrderThroughParkAndUnpark()
    {
        using PayloadVm vm = new(CountOut);
        Recorder recorder = new();
        vm.Ports.Attach(0x10, 1, recorder);
        VcpuThread thread = vm.Threads[0];
        thread.Start();
        for (int i = 0; i < 300; i++)
        {
            thread.Unpark();
            int target = recorder.Count + 3;
            Assert.True(SpinWait.SpinUntil(() => recorder.Count >= target, Limit));
            thread.RequestPark();
            thread.WaitParked();

            // Parked means parked, and the instruction of the last exit is finished: RIP is never inside the OUT.
            int seen = recorder.Count;
            thread.Vcpu.GetRegs(out KvmRegs regs);
            Assert.Equal((byte)seen, (byte)(regs.Rax - (regs.Rip == PayloadVm.CodeAddress + 2u ? 1u : 0u)));
            Assert.Equal(seen, recorder.Count);
        }

        Assert.Equal(0, recorder.OutOfOrder);
    }

    [Fact]
    public void AVcpuParkedByItsOwnDeviceRunsNothingMore()
    {
        using PayloadVm vm = new(CountOut);
        VcpuThread thread = vm.Threads[0];
        Recorder recorder = new() { OnWrite = thread.ParkSelf };
        vm.Ports.Attach(0x10, 1, recorder);
        thread.Start();
        for (int i = 1; i <= 200; i++)
        {
            thread.Unpark();
            thread.WaitParked();
            Assert.Equal(i, recorder.Count);
        }
    }

    [Fact]
    public void AVcpuThatIsLookedAtGoesOnUnlessItStoppedItself()
    {
        using PayloadVm vm = new(CountOut);
        VcpuThread thread = vm.Threads[0];
        bool stops = false;
        Recorder recorder = new()
        {
            OnWrite = () =>
            {
                if (Volatile.Read(ref stops))
                {
                    thread.ParkSelf();
                }
            },
        };
        vm.Ports.Attach(0x10, 1, recorder);
        thread.Start();
        thread.Unpark();
        for (int i = 0; i < 50; i++)
        {
            Look();
            int seen = recorder.Count;
            Assert.True(SpinWait.SpinUntil(() => recorder.Count > seen, Limit));
        }

        Volatile.Write(ref stops, true);
        thread.WaitParked();
        int last = recorder.Count;
        Look();
        Look();
        Assert.Equal(last, recorder.Count);
        thread.Unpark();
        thread.WaitParked();
        Assert.Equal(last + 1, recorder.Count);

        void Look()
        {
            thread.RequestPark();
            thread.WaitParked();
            thread.GoOn();
        }
    }

    [Fact]
    public void AVcpuThatCannotGoOnReportsItOnceAndParks()
    {
        // lidt of a null table, into protected mode, int3: a processor shuts down (triple fault); an emulating KVM gives up.
        byte[] code = [0x0F, 0x01, 0x1E, 0x00, 0x20, 0xB8, 0x01, 0x00, 0x0F, 0x01, 0xF0, 0xCC];
        using PayloadVm vm = new(code);
        using BlockingCollection<string> reports = [];
        vm.TripleFault = index => reports.Add($"triple fault of CPU {index}");
        vm.Failure = reports.Add;
        vm.Threads[0].Start();
        vm.Threads[0].Unpark();
        Assert.True(reports.TryTake(out string? report, Limit));
        vm.Threads[0].WaitParked();
        Assert.Matches("^(triple fault of CPU 0|CPU 0 at RIP 0x100b: KVM reports an internal error)", report);
        Assert.Empty(reports);
    }

    [Fact]
    public void ThreadsBearTheNameOfTheirCpu()
    {
        using PayloadVm vm = new(Halt, cpus: 3);
        foreach (VcpuThread thread in vm.Threads)
        {
            thread.Start();
            Assert.Equal($"CPU {thread.Index}/KVM\n", File.ReadAllText($"/proc/self/task/{thread.ThreadId}/comm"));
        }
    }

    [Fact]
    public void ExitsAllocateNothing()
    {
        using PayloadVm vm = new(CountOut);
        AllocationRecorder recorder = new();
        vm.Ports.Attach(0x10, 1, recorder);
        vm.Threads[0].Start();
        vm.Threads[0].Unpark();
        Assert.True(SpinWait.SpinUntil(() => recorder.Count > 5000, Limit));
        vm.Threads[0].RequestPark();
        vm.Threads[0].WaitParked();
        Assert.Equal(recorder.AtFirst, recorder.AtLast);
    }

    private sealed class Recorder : IBusDevice
    {
        private int _count;

        public Action OnWrite { get; init; } = () => { };

        public int Count => Volatile.Read(ref _count);

        public int OutOfOrder { get; private set; }

        public void Read(ulong offset, Span<byte> data) => data.Clear();

        public void Write(ulong offset, ReadOnlySpan<byte> data)
        {
            int next = Interlocked.Increment(ref _count);
            OutOfOrder += data[0] == (byte)next ? 0 : 1;
            OnWrite();
        }
    }

    private sealed class AllocationRecorder : IBusDevice
    {
        private int _count;

        public int Count => Volatile.Read(ref _count);

        public long AtFirst { get; private set; }

        public long AtLast { get; private set; }

        public void Read(ulong offset, Span<byte> data) => data.Clear();

        public void Write(ulong offset, ReadOnlySpan<byte> data)
        {
            AtLast = GC.GetAllocatedBytesForCurrentThread();
            if (_count == 1000)
            {
                AtFirst = AtLast;
            }

            Interlocked.Increment(ref _count);
        }
    }
}
