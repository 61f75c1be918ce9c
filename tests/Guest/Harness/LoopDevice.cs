using System;
using System.ComponentModel;
using System.Linq;
using Xunit;

namespace Strato.Tests.Guest.Harness;

/// <summary>A block device over a file, until it is disposed.</summary>
internal sealed class LoopDevice : IDisposable
{
    private LoopDevice(string path) => Path = path;

    /// <summary>Such as <c>/dev/loop0</c>.</summary>
    public string Path { get; }

    /// <summary>Makes one; skips the test where the machine has none to give.</summary>
    /// <param name="file">The file under it.</param>
    /// <param name="options">For losetup: sector size, read-only.</param>
    public static LoopDevice Require(string file, params string[] options)
    {
        Command.Result result = Losetup(["--find", "--show", .. options, file]);
        Assert.SkipUnless(result.ExitCode == 0, $"no loop device like this here (losetup {string.Join(' ', options)}): {result.Errors.Trim()}");
        return new LoopDevice(result.Output.Trim());
    }

    /// <summary>One that has no file now, the last the machine has; skips the test where there is none.</summary>
    public static string RequireFree()
    {
        string[] used = Losetup(["--list", "--noheadings", "--output", "NAME"]).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        string? free = Enumerable.Range(0, 8).Select(n => $"/dev/loop{n}").LastOrDefault(path => System.IO.File.Exists(path) && !used.Contains(path));
        Assert.SkipWhen(free is null, "no free loop device here");
        return free!;
    }

    public void Dispose() => Command.Check("losetup", "--detach", Path);

    private static Command.Result Losetup(string[] arguments)
    {
        try
        {
            return Command.Run(TimeSpan.FromSeconds(30), "losetup", arguments);
        }
        catch (Win32Exception error)
        {
            return new Command.Result(127, "", error.Message);
        }
    }
}
