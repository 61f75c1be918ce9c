using System;
using System.IO;
using System.Runtime.InteropServices;
using System.Threading;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace Strato.Tests.Unit;

/// <summary>Programs that tests write themselves.</summary>
internal static partial class TestProgram
{
    private const int F_SETLEASE = 1024;
    private const int F_RDLCK = 0;
    private const int F_UNLCK = 2;

    /// <summary>Writes one that can be run when this returns.</summary>
    /// <remarks>
    /// A child that another test makes meanwhile has the file open for writing, too, until it runs its own program, and as long
    /// nobody can run the file ("Text file busy"). A lease for reading is given when there is no writer any more (fcntl(2)).
    /// </remarks>
    internal static string Write(string path, string text)
    {
        File.WriteAllText(path, text);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        using SafeFileHandle file = File.OpenHandle(path);
        Assert.True(SpinWait.SpinUntil(() => fcntl(file, F_SETLEASE, F_RDLCK) == 0, TimeSpan.FromSeconds(20)), $"{path}: somebody writes to it");
        _ = fcntl(file, F_SETLEASE, F_UNLCK);
        return path;
    }

    [LibraryImport("libc")]
    private static partial int fcntl(SafeFileHandle file, int command, int argument);
}
