using System;
using System.IO;
using System.Linq;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Anywhere;

/// <summary>The file of <c>-D</c>: put aside when it is full, made anew when others take it away; and what it has.</summary>
[Trait("Where", "anywhere")]
public sealed class LogTests
{
    private const int Full = 16 << 20;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly string _qmp = TestHost.NewPath("qmp");
    private readonly string _log = TestHost.NewPath("log");

    public LogTests()
    {
        TestHost.RequireKvm();
    }

    [Fact]
    public void Full_file_is_put_aside_and_three_older_ones_are_kept()
    {
        File.WriteAllText(_log + ".1", "first");
        File.WriteAllText(_log + ".2", "second");
        File.WriteAllText(_log + ".3", "third");
        Fill();
        using EngineProcess engine = Start();
        using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
        qmp.Call("system_reset"); // the reset is told in the log, and the quit's end after it
        qmp.Call("quit");
        engine.WaitExit(0, Limit);
        Assert.EndsWith("machine: end (host-qmp-quit)\n", File.ReadAllText(_log), StringComparison.Ordinal);
        Assert.True(new FileInfo(_log).Length < 1000, "the fresh file has what the old one had");
        Assert.True(new FileInfo(_log + ".1").Length > Full, "PATH.1 isn't the full one");
        Assert.Equal("first", File.ReadAllText(_log + ".2"));
        Assert.Equal("second", File.ReadAllText(_log + ".3"));
        Assert.False(File.Exists(_log + ".4"), "one more is kept");
        Assert.Equal("600\n", Command.Check("stat", "-c", "%a", _log));
    }

    [Fact]
    public void Full_file_behind_a_link_is_emptied()
    {
        Fill();
        string link = TestHost.NewPath("link");
        File.CreateSymbolicLink(link, _log);
        using EngineProcess engine = Start(link);
        using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
        qmp.Call("quit");
        engine.WaitExit(0, Limit);
        Assert.True(new FileInfo(_log).Length < 1000, "the file isn't emptied");
        Assert.Contains($"warning log: {link} was full, and is emptied", File.ReadAllText(_log), StringComparison.Ordinal);
        Assert.Equal(_log, new FileInfo(link).LinkTarget);
    }

    [Fact]
    public void File_that_others_take_away_is_made_anew()
    {
        using EngineProcess engine = Start();
        using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
        File.Move(_log, _log + ".taken");
        for (int i = 0; i < 2; i++)
        {
            // The first line goes to the file that was taken, the second finds the new one.
            qmp.Call("system_reset");
            qmp.WaitEvent("RESET");
            qmp.Call("query-status");
        }

        Assert.Contains("reset (host-qmp-system-reset)", File.ReadAllText(_log + ".taken"), StringComparison.Ordinal);
        Assert.Contains("reset (host-qmp-system-reset)", File.ReadAllText(_log), StringComparison.Ordinal);
        qmp.Call("quit");
        engine.WaitExit(0, Limit);
    }

    [Fact]
    public void Levels_choose_what_is_logged()
    {
        Assert.Contains(" info machine: kernel format", Run("info"), StringComparison.Ordinal);
        Assert.Contains(" info machine: kernel format", Run("error,machine=info"), StringComparison.Ordinal);
        string[] quiet = Run("error").Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.EndsWith("info machine: end (guest-shutdown)", Assert.Single(quiet), StringComparison.Ordinal);
        Command.Result refused = RunWith("loud", "-version");
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains("STRATO_LOG_LEVEL: 'loud' is not a level of the log; allowed: error, warning, info", refused.Errors, StringComparison.Ordinal);
        refused = RunWith("info,cellar=error", "-version");
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains("'cellar' is no room of the engine; allowed: block, boot, ", refused.Errors, StringComparison.Ordinal);
    }

    private static string Run(string levels)
    {
        Command.Result result = RunWith(levels, "-force", "-kernel", Payload.Make(PayloadEnd.PowerOff));
        Assert.Equal(0, result.ExitCode);
        return result.Errors;
    }

    private static Command.Result RunWith(string levels, params string[] arguments) =>
        Command.Run(Limit, "env", [$"STRATO_LOG_LEVEL={levels}", TestHost.Engine, .. arguments]);

    private void Fill() => File.WriteAllBytes(_log, [.. Enumerable.Repeat((byte)'x', Full - 1), (byte)'\n']);

    private EngineProcess Start(string? log = null) => EngineProcess.Start(
        "-force", "-D", log ?? _log, "-kernel", Payload.Make(PayloadEnd.Halt), "-qmp", $"unix:{_qmp},server,nowait");
}
