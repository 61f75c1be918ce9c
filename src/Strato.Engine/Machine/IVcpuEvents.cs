namespace Strato.Engine.Machine;

/// <summary>What a vCPU's thread reports to its machine. Called on the vCPU's thread, which parks itself right after.</summary>
internal interface IVcpuEvents
{
    /// <summary>The guest can't go on by itself: a triple fault (KVM_EXIT_SHUTDOWN).</summary>
    void OnTripleFault(int index);

    /// <summary>KVM failed or gave an exit that can't be: the machine can't go on.</summary>
    void OnFailure(int index, string reason);
}
