using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using Strato.Tests.Guest.Harness;
using Xunit;

[assembly: AssemblyFixture(typeof(NothingLeft))]
[assembly: TestCaseOrderer(typeof(SourceOrder))]

namespace Strato.Tests.Guest.Harness;

/// <summary>After all tests: no engine of theirs runs, and their files are removed.</summary>
public sealed class NothingLeft : IDisposable
{
    public void Dispose()
    {
        List<string> left = Engines();
        TestHost.Clean();
        Assert.True(left.Count == 0, $"engines are left: {string.Join("; ", left)}");
    }

    /// <summary>Command lines of engines that this run started and that still run.</summary>
    internal static List<string> Engines()
    {
        List<string> found = [];
        byte[] mark = Encoding.ASCII.GetBytes(TestHost.RunMark);
        foreach (string process in Directory.EnumerateDirectories("/proc"))
        {
            try
            {
                string exe = File.ResolveLinkTarget(Path.Combine(process, "exe"), returnFinalTarget: false)?.FullName ?? "";
                if (exe.Contains("strato-engine", StringComparison.Ordinal)
                    && File.ReadAllBytes(Path.Combine(process, "environ")).AsSpan().IndexOf(mark) >= 0)
                {
                    found.Add($"{Path.GetFileName(process)}: {File.ReadAllText(Path.Combine(process, "cmdline")).Replace('\0', ' ')}");
                }
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // Another user's, or gone meanwhile.
            }
        }

        return found;
    }
}
