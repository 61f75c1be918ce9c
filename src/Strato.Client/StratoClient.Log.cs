namespace Strato.Client;

public sealed partial class StratoClient
{
    /// <summary>Opens a VM's log: of the run that goes on, of the last one where none does, or of the one before. A VM that never ran has an empty one. Errors <c>VmNotFound</c>, <c>WatchFailed</c>.</summary>
    /// <param name="id">The VM, whose definition may be damaged.</param>
    /// <param name="options">What is wanted; what is followed ends with the engine.</param>
    public LogReader OpenLog(string id, LogOptions? options = null)
    {
        LogOptions wanted = options ?? new LogOptions();
        _ = Store.GetEvenDamaged(id);
        return new LogReader(Paths.EngineLog(id), wanted, wanted.Follow ? Registry.TryOpen(id) : null);
    }
}
