using System.Management.Automation;
using Strato.Client;
using Strato.Protocol.Configuration;

namespace Strato.PowerShell;

/// <summary>The parameters of a disk's I/O.</summary>
public abstract class DriveIoCmdlet : VmDeviceCmdlet
{
    [Parameter(HelpMessage = "How requests reach the host's kernel.")]
    public DriveAio Aio { get; set; }

    [Parameter(HelpMessage = "Page cache and flushes, by QEMU's names.")]
    public DriveCache Cache { get; set; }

    [Parameter(HelpMessage = "Past the host's page cache (O_DIRECT).")]
    public SwitchParameter Direct { get; set; }

    [Parameter(HelpMessage = "Most requests a second on average, 0 to 1000000; 0 for no limit.")]
    public int Iops { get; set; }

    [Parameter(HelpMessage = "Id of the iothread that serves the disk; an empty text is the main thread.")]
    [ArgumentCompleter(typeof(IoThreadIdCompleter))]
    public string? IoThread { get; set; }

    [Parameter(HelpMessage = "Request queues, 1 to 32.")]
    public int QueueCount { get; set; }

    [Parameter(HelpMessage = "Entries of a queue, a power of two from 4 to 1024.")]
    public int QueueSize { get; set; }

    [Parameter(HelpMessage = "What becomes of the guest's discards.")]
    public DriveDiscard Discard { get; set; }

    [Parameter(HelpMessage = "Whether writes of nothing but zeros are looked for.")]
    public DriveDetectZeroes DetectZeroes { get; set; }

    [Parameter(HelpMessage = "What is done when the host fails at a write.")]
    public DriveErrorAction WriteErrorAction { get; set; }

    [Parameter(HelpMessage = "What is done when the host fails at a read.")]
    public DriveErrorAction ReadErrorAction { get; set; }

    [Parameter(HelpMessage = "Throw away what the guest writes when the VM ends.")]
    public SwitchParameter Snapshot { get; set; }

    /// <summary>What was given.</summary>
    private protected DriveIo Io => new()
    {
        Aio = Given(nameof(Aio)) ? Aio : null,
        Cache = Given(nameof(Cache)) ? Cache : null,
        Direct = Given(nameof(Direct)) ? Direct : null,
        Iops = Given(nameof(Iops)) ? Iops : null,
        IoThread = IoThread,
        QueueCount = Given(nameof(QueueCount)) ? QueueCount : null,
        QueueSize = Given(nameof(QueueSize)) ? QueueSize : null,
        Discard = Given(nameof(Discard)) ? Discard : null,
        DetectZeroes = Given(nameof(DetectZeroes)) ? DetectZeroes : null,
        WriteErrorAction = Given(nameof(WriteErrorAction)) ? WriteErrorAction : null,
        ReadErrorAction = Given(nameof(ReadErrorAction)) ? ReadErrorAction : null,
        Snapshot = Given(nameof(Snapshot)) ? Snapshot : null,
    };

    private protected bool Given(string parameter) => MyInvocation.BoundParameters.ContainsKey(parameter);
}
