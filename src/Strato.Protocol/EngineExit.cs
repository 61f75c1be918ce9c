namespace Strato.Protocol;

/// <summary>The engine's exit codes.</summary>
public static class EngineExit
{
    /// <summary>The guest powered off, or somebody told the engine to end.</summary>
    public const int Success = 0;

    /// <summary>The options, a file, or the host don't fit.</summary>
    public const int Error = 1;

    /// <summary>The command line can't be read.</summary>
    public const int Usage = 2;

    /// <summary>KVM or the engine failed while the machine ran.</summary>
    public const int Failure = 3;

    /// <summary>The engine made a system call that its filter forbids.</summary>
    public const int Forbidden = 31;
}
