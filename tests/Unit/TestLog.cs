using System;
using System.IO;
using System.Runtime.CompilerServices;
using Strato.Client.Runtime;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;

namespace Strato.Tests.Unit;

/// <summary>Tests provoke warnings by the thousand: the engine's log goes to engine.log beside the test program.</summary>
internal static class TestLog
{
    private static readonly string SharedPath = Path.Combine(AppContext.BaseDirectory, "engine.log");

    /// <summary>Leads to this process's log, even after a process that plays a part in a test began the file anew.</summary>
    public static string? OwnPath { get; private set; }

    [ModuleInitializer]
    internal static void Redirect()
    {
        File.Delete(SharedPath);
        int file = Libc.Open(SharedPath, Libc.O_WRONLY | Libc.O_CREAT | Libc.O_APPEND, 0x180 /* 0600 */);
        if (file >= 0)
        {
            OwnPath = $"/proc/self/fd/{file}";
            Log.Redirect(file);
        }

        // The engines of these tests play engines, and are given paths.
        SandboxSupport.Assumed = new SandboxSupport(null, "a test");
    }
}
