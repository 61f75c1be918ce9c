using System;
using System.Threading;
using Strato.Engine.Bus;
using Strato.Engine.Kvm;
using Strato.Engine.Linux;
using Strato.Engine.Security;

namespace Strato.Engine.Machine;

/// <summary>One vCPU and the thread that runs it, named <c>CPU n/KVM</c>.</summary>
/// <remarks>
/// How a kick is never lost. The kicker (1) writes the request, (2) a full barrier, (3) sets immediate_exit,
/// (4) signals the thread. The thread, before each run, (a) clears immediate_exit, (b) a full barrier, (c) reads the
/// request, (d) enters KVM_RUN. If (c) saw no request, then (1) came after it, so (3) came after (a) and immediate_exit
/// is set: KVM_RUN returns EINTR without entering the guest, or the signal of (4) interrupts it.
/// </remarks>
internal sealed class VcpuThread : IDisposable
{
    private const int StackBytes = 256 * 1024;

    private static readonly Lazy<bool> KickHandler = new(() =>
    {
        NativeStubs.Install(Libc.SIGVCPU, NativeStubs.Return());
        return true;
    });

    private readonly Lock _lock = new();
    private readonly ManualResetEventSlim _parked = new();
    private readonly AutoResetEvent _released = new(false);
    private readonly AddressSpace _ports;
    private readonly AddressSpace _memory;
    private readonly IVcpuEvents _events;
    private readonly Thread _thread;
    private volatile int _request = (int)Request.Park;
    private int _threadId;
    private bool _started;
    private bool _stoppedItself;
    private bool _completionPending;

    public VcpuThread(int index, KvmVcpu vcpu, AddressSpace ports, AddressSpace memory, IVcpuEvents events)
    {
        Index = index;
        Vcpu = vcpu;
        _ports = ports;
        _memory = memory;
        _events = events;
        _thread = new Thread(Main, StackBytes) { IsBackground = true };
        _ = KickHandler.Value;
    }

    private enum Request
    {
        None,
        Park,
        End,
    }

    /// <summary>Makes the handler of the signal that kicks a vCPU: to be called before the process's system calls are filtered, for it is code.</summary>
    public static void PrepareKicks() => _ = KickHandler.Value;

    public int Index { get; }

    /// <summary>The vCPU's registers; to be touched only while the thread is parked, or before <see cref="Start"/>.</summary>
    public KvmVcpu Vcpu { get; }

    /// <summary>The kernel's id of the thread.</summary>
    public int ThreadId => _threadId;

    /// <summary>Starts the thread, parked; returns when its id is known.</summary>
    public void Start()
    {
        _thread.Start();
        _started = true;
        _parked.Wait();
    }

    /// <summary>Asks the vCPU to leave the guest and park. <see cref="WaitParked"/> tells when it has.</summary>
    public void RequestPark() => Ask(Request.Park);

    public void WaitParked() => _parked.Wait();

    /// <summary>Lets a parked vCPU run.</summary>
    public void Unpark()
    {
        _stoppedItself = false;
        _parked.Reset();
        _request = (int)Request.None;
        _released.Set();
    }

    /// <summary>Lets a vCPU run on that was parked only to be looked at. One that had stopped itself (its guest asked for power-off, it failed) stays parked.</summary>
    public void GoOn()
    {
        if (!_stoppedItself)
        {
            Unpark();
        }
    }

    /// <summary>For a device on this vCPU's thread: nothing of the guest runs here any more until <see cref="Unpark"/>.</summary>
    /// <remarks>Only when the caller is the vCPU's thread; others are ignored.</remarks>
    public void ParkSelf()
    {
        if (_thread == Thread.CurrentThread)
        {
            Ask(Request.Park);
        }
    }

    /// <summary>Ends the thread, wherever it is; the vCPU stays, and the last instruction of it is finished.</summary>
    public void End()
    {
        if (_started)
        {
            _started = false;
            Ask(Request.End);
            _released.Set();
            _thread.Join();
        }

        _parked.Dispose();
        _released.Dispose();
    }

    public void Dispose()
    {
        End();
        Vcpu.Dispose();
    }

    private void Ask(Request request)
    {
        lock (_lock)
        {
            // An end is final: a park that comes late must not hide it.
            if (_request != (int)Request.End)
            {
                _request = (int)request;
                _stoppedItself |= _thread == Thread.CurrentThread;
            }
        }

        Interlocked.MemoryBarrier();
        Vcpu.RequestExit();
        if (_threadId != 0 && _thread != Thread.CurrentThread)
        {
            _ = Libc.tgkill(Environment.ProcessId, _threadId, Libc.SIGVCPU);
        }
    }

    private void Main()
    {
        Libc.SetThreadName($"CPU {Index}/KVM");
        Seccomp.EnterThread(ThreadKinds.Vcpu);
        _threadId = Libc.gettid();
        while (true)
        {
            Vcpu.ClearExitRequest();
            Interlocked.MemoryBarrier();
            switch ((Request)_request)
            {
                case Request.None:
                    RunOnce();
                    break;
                case Request.Park:
                    CompleteExit();
                    _parked.Set();
                    _released.WaitOne();
                    break;
                case Request.End:
                    CompleteExit();
                    return;
            }
        }
    }

    private void RunOnce()
    {
        int errno = Vcpu.Run();
        if (errno != 0)
        {
            // EINTR: a kick, or another signal. EAGAIN: an application processor that still waits for its start-up IPI.
            if (errno is not (Errno.EINTR or Errno.EAGAIN))
            {
                Fail($"KVM_RUN: {Errno.Text(errno)}");
            }

            return;
        }

        _completionPending = true;
        ref KvmRun state = ref Vcpu.State;
        switch (state.ExitReason)
        {
            case KvmAbi.KVM_EXIT_IO:
                HandlePort(ref state);
                break;
            case KvmAbi.KVM_EXIT_MMIO:
                HandleMmio(ref state);
                break;
            case KvmAbi.KVM_EXIT_INTR:
            case KvmAbi.KVM_EXIT_HLT:
                // HLT stays in the kernel while the irqchip is there; a host that reports it wants the run repeated.
                break;
            case KvmAbi.KVM_EXIT_SHUTDOWN:
                Ask(Request.Park);
                _events.OnTripleFault(Index);
                break;
            case KvmAbi.KVM_EXIT_FAIL_ENTRY:
                Fail($"the processor refused to enter the guest (hardware reason 0x{state.FailEntryReason:x})");
                break;
            case KvmAbi.KVM_EXIT_INTERNAL_ERROR:
                Fail($"KVM reports an internal error (suberror {state.InternalSuberror})");
                break;
            default:
                Fail($"unexpected KVM exit reason {state.ExitReason}");
                break;
        }
    }

    private void HandlePort(ref KvmRun state)
    {
        // A string instruction (rep outsb) delivers count items of one size; each is an access of its own.
        int size = state.IoSize;
        Span<byte> data = Vcpu.IoData;
        bool isOut = state.IoDirection == KvmAbi.KVM_EXIT_IO_OUT;
        ulong port = state.IoPort;
        for (; data.Length >= size && size > 0; data = data[size..])
        {
            if (isOut)
            {
                _ports.Write(port, data[..size]);
            }
            else
            {
                _ports.Read(port, data[..size]);
            }
        }
    }

    private void HandleMmio(ref KvmRun state)
    {
        if (state.MmioIsWrite != 0)
        {
            _memory.Write(state.MmioAddress, Vcpu.MmioData);
        }
        else
        {
            _memory.Read(state.MmioAddress, Vcpu.MmioData);
        }
    }

    /// <summary>Finishes the instruction of the last port or MMIO exit (api.rst, KVM_RUN): registers are consistent only after it.</summary>
    /// <remarks>An access that KVM splits (MMIO across a boundary) gives its next part instead of EINTR, so it is repeated.</remarks>
    private void CompleteExit()
    {
        while (_completionPending)
        {
            _completionPending = false;
            Vcpu.RequestExit();
            RunOnce();
        }
    }

    private void Fail(string reason)
    {
        Ask(Request.Park);
        _events.OnFailure(Index, $"CPU {Index} at RIP {InstructionPointer()}: {reason}");
    }

    private string InstructionPointer()
    {
        try
        {
            Vcpu.GetRegs(out KvmRegs registers);
            return $"0x{registers.Rip:x}";
        }
        catch (LinuxException)
        {
            // A host that refuses that too must not hide the first failure.
            return "unknown";
        }
    }
}
