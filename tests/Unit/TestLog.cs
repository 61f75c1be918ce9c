using System;
using System.IO;
using System.Runtime.CompilerServices;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;

namespace Strato.Tests.Unit;

/// <summary>Tests provoke warnings by the thousand: the engine's log goes to engine.log beside the test program.</summary>
internal static class TestLog
{
    public static string Path { get; } = System.IO.Path.Combine(AppContext.BaseDirectory, "engine.log");

    [ModuleInitializer]
    internal static void Redirect()
    {
        File.Delete(Path);
        int file = Libc.Open(Path, Libc.O_WRONLY | Libc.O_CREAT | Libc.O_APPEND, 0x180 /* 0600 */);
        if (file >= 0)
        {
            Log.Redirect(file);
        }
    }
}
