using System;
using System.Runtime.CompilerServices;

namespace Strato.Engine.Security;

/// <summary>Does something on the one thread that the runtime has beside the main one, which runs finalizers.</summary>
/// <remarks>Namespaces, capabilities and no_new_privs are a thread's own, and this one was there before <c>Main</c> began.</remarks>
internal static class RuntimeThread
{
    /// <summary>Returns when it is done.</summary>
    /// <returns>What the action returned; -1 when the runtime didn't run it.</returns>
    public static int Run(Func<int> action)
    {
        Outcome outcome = new();
        Drop(action, outcome);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return outcome.Value;
    }

    // In a frame of its own, which is gone when the collector looks.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Drop(Func<int> action, Outcome outcome) => _ = new Errand(action, outcome);

    private sealed class Outcome
    {
        public int Value { get; set; } = -1;
    }

    private sealed class Errand(Func<int> action, Outcome outcome)
    {
        ~Errand()
        {
            outcome.Value = action();
        }
    }
}
