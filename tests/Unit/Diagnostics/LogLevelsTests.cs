using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using Strato.Engine.Diagnostics;
using Strato.Protocol;
using Xunit;

namespace Strato.Tests.Unit.Diagnostics;

public partial class LogLevelsTests
{
    [Theory]
    [InlineData(null, "net", "Info", true)]
    [InlineData("", "net", "Info", true)]
    [InlineData("warning", "net", "Info", false)]
    [InlineData("warn", "net", "Warning", true)]
    [InlineData("error", "net", "Warning", false)]
    [InlineData("error", "net", "Error", true)]
    [InlineData("error,net=info", "net", "Info", true)]
    [InlineData("error,net=info", "virtio-net", "Info", false)]
    [InlineData("net=error", "net", "Warning", false)]
    [InlineData("net=error", "qmp", "Info", true)]
    [InlineData("net=error,net=info", "net", "Info", true)]
    public void Room_has_its_own_level_or_that_of_all(string? value, string room, string level, bool allowed) =>
        Assert.Equal(allowed, LogLevels.Parse(value).Allows(Enum.Parse<LogLevel>(level), room));

    [Theory]
    [InlineData("loud", "'loud' is not a level")]
    [InlineData("info,", "'' is not a level")]
    [InlineData("net=", "'' is not a level")]
    [InlineData("nett=info", "'nett' is no room")]
    [InlineData("=info", "'' is no room")]
    public void What_is_neither_level_nor_room_is_refused(string value, string text)
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => LogLevels.Parse(value));
        Assert.Contains(text, error.Message, StringComparison.Ordinal);
        Assert.Equal(LogLevels.Variable, error.Where);
    }

    [Fact]
    public void Every_room_that_speaks_can_be_named()
    {
        HashSet<string> found = [];
        foreach (string file in Directory.EnumerateFiles(FloorPlanTests.Engine, "*.cs", SearchOption.AllDirectories))
        {
            foreach (Match match in Speaker().Matches(File.ReadAllText(file)))
            {
                found.Add(match.Groups[1].Value);
            }
        }

        Assert.Equal(LogLevels.Rooms.Order(StringComparer.Ordinal), found.Order(StringComparer.Ordinal));
    }

    [GeneratedRegex("""(?:\.(?:Error|Warning|Warn|Info)\(|const string Room = )"([a-z-]+)"(?:,|;)""")]
    private static partial Regex Speaker();
}
