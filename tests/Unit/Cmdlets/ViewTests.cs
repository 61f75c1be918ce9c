using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>How values are written in the views.</summary>
public sealed class ViewTests
{
    [Theory]
    [InlineData(null, "")]
    [InlineData(0L, "0 B")]
    [InlineData(1023L, "1023 B")]
    [InlineData(512L << 20, "512 MB")]
    [InlineData(1536L << 20, "1.5 GB")]
    [InlineData(1L << 40, "1 TB")]
    public void Sizes(long? bytes, string text) => Assert.Equal(text, View.Size(bytes));

    [Theory]
    [InlineData(0, "00:00:00")]
    [InlineData(59.999, "00:00:59")]
    [InlineData(3661, "01:01:01")]
    [InlineData(93784, "1.02:03:04")]
    public void Durations(double seconds, string text) => Assert.Equal(text, View.Duration(seconds));

    [Theory]
    [InlineData("Running", "\u001b[32mRunning\u001b[0m")]
    [InlineData("Unresponsive", "\u001b[31mUnresponsive\u001b[0m")]
    [InlineData("Paused", "\u001b[33mPaused\u001b[0m")]
    [InlineData("Stopped", "Stopped")]
    public void States(string state, string text) => Assert.Equal(text, View.State(state));

    [Theory]
    [InlineData("error", "\u001b[31merror\u001b[0m")]
    [InlineData("warning", "\u001b[33mwarning\u001b[0m")]
    [InlineData("info", "info")]
    [InlineData(null, "")]
    public void Levels(string? level, string text) => Assert.Equal(text, View.Level(level));

    [Fact]
    public void WordsOfAGuest()
    {
        Assert.Equal("\ufffd]0;x\ufffd \ufffdü", View.Plain("\u001b]0;x\u0007 \u009bü"));
        Assert.Equal("", View.Plain(null));
        Assert.Equal("{lo, \ufffd[31m}", View.PlainList(new object?[] { "lo", "\u001b[31m" }));
        Assert.Equal("", View.PlainList(null));
    }
}
