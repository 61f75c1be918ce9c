using System;
using System.Linq;
using System.Text;
using System.Text.RegularExpressions;
using FsCheck;
using FsCheck.Fluent;
using Strato.Client;
using Strato.Client.Consoles;
using Xunit;

namespace Strato.Tests.Unit.Client;

public class ConsoleMatcherTests
{
    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("a\r\nb\r\r\nc", "a\nb\nc")]
    [InlineData("progress 1%\rprogress 2%", "progress 1%\rprogress 2%")]
    [InlineData("\u001b[1;32m[  OK  ]\u001b[0m Started", "[  OK  ] Started")]
    [InlineData("\u001b]0;title\u0007x\u001b]0;title\u001b\\y", "xy")]
    [InlineData("\u001b(Ba\u001b7b\u001bMc\u001b[?25ld\u001b[6ne", "abcde")]
    [InlineData("\u001bP+q\u001b\\a", "a")]
    [InlineData("a\u001b[\u001b[1mb", "ab")]
    [InlineData("é雲🚀", "é雲🚀")]
    public void TextIsPlain(string raw, string expected) => Assert.Equal(expected, Plain(Encoding.UTF8.GetBytes(raw), 1000));

    [Fact]
    public void BytesThatAreNoCharactersAreReplaced() => Assert.Equal("a\ufffdb", Plain([(byte)'a', 0xff, (byte)'b'], 1));

    [Fact]
    public void AnyCuttingGivesTheSameText() =>
        Prop.ForAll(Raw().ToArbitrary(), Sizes().ToArbitrary(), (raw, sizes) => Plain(raw, sizes) == Plain(raw, int.MaxValue)).QuickCheckThrowOnFailure();

    [Fact]
    public void AnyCuttingFindsTheSame()
    {
        Gen<string> patterns = Gen.Elements("login:", "b.c", "é", "(?m)^a", "\n\n", "c{2}", "a.*?b", "\\Aa", "[雲b]a");
        Prop.ForAll(Raw().ToArbitrary(), Sizes().ToArbitrary(), patterns.ToArbitrary(), (raw, sizes, pattern) =>
        {
            Match whole = Regex.Match(Plain(raw, int.MaxValue), pattern);
            ConsoleMatch? found = Cut(raw, sizes, new ConsoleMatcher(new Regex(pattern)));
            return (found is not null) == whole.Success && (found is null || found.Text == whole.Value);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));
    }

    [Fact]
    public void TheLineOfAMatchIsWhole()
    {
        ConsoleMatch found = new ConsoleMatcher(new Regex("log")).Feed("one\r\nhost login: \r\nthree"u8)!;
        Assert.Equal(("log", "host login: "), (found.Text, found.Line));
        Assert.Equal("log", new ConsoleMatcher(new Regex("log")).Feed("log"u8)!.Line);
    }

    [Fact]
    public void AMatchAcrossThePlaceWhereTextIsDroppedIsFound()
    {
        foreach (int before in (int[])[0, 1, ConsoleMatcher.Window - 3, ConsoleMatcher.Window, (2 * ConsoleMatcher.Window) - 2, (2 * ConsoleMatcher.Window) + 1, 5 * ConsoleMatcher.Window])
        {
            ConsoleMatcher matcher = new(new Regex("needle"));
            byte[] bytes = Encoding.ASCII.GetBytes(new string('.', before) + "needle");
            ConsoleMatch? found = null;
            for (int i = 0; i < bytes.Length && found is null; i += 4099)
            {
                found = matcher.Feed(bytes.AsSpan(i, Math.Min(4099, bytes.Length - i)));
            }

            Assert.NotNull(found);
        }
    }

    [Fact]
    public void TheBeginningStaysTheBeginningAfterTextIsDropped()
    {
        ConsoleMatcher matcher = new(new Regex("\\Ax|^x"));
        byte[] line = Encoding.ASCII.GetBytes("." + new string('x', 9999));
        for (int i = 0; i < 40; i++)
        {
            Assert.Null(matcher.Feed(line));
        }
    }

    [Fact]
    public void APatternThatTakesForEverIsStoppedByItsOwnLimit()
    {
        ConsoleMatcher matcher = new(new Regex("(a+)+$", RegexOptions.None, TimeSpan.FromMilliseconds(20)));
        StratoException error = ClientFixture.Fails("MatchTimeout", () => matcher.Feed(Encoding.ASCII.GetBytes(new string('a', 40) + "!")));
        Assert.Contains("(a+)+$", error.Message, StringComparison.Ordinal);
    }

    private static Gen<byte[]> Raw() =>
        Gen.Elements("a", "b", "c", "\n", "\r\n", "\r", "é", "雲", "🚀", "login:", "\u001b[31m", "\u001b]0;t\u0007", "\u001b\\", "\u001b")
            .ArrayOf().Select(parts => Encoding.UTF8.GetBytes(string.Concat(parts)));

    private static Gen<int[]> Sizes() => Gen.Choose(1, 7).ArrayOf().Where(s => s.Length > 0);

    private static string Plain(byte[] raw, params int[] sizes)
    {
        ConsoleText text = new();
        StringBuilder result = new();
        foreach ((int offset, int count) in Pieces(raw.Length, sizes))
        {
            text.Feed(raw.AsSpan(offset, count), result);
        }

        return result.ToString();
    }

    private static ConsoleMatch? Cut(byte[] raw, int[] sizes, ConsoleMatcher matcher)
    {
        foreach ((int offset, int count) in Pieces(raw.Length, sizes))
        {
            if (matcher.Feed(raw.AsSpan(offset, count)) is { } found)
            {
                return found;
            }
        }

        return null;
    }

    private static System.Collections.Generic.IEnumerable<(int Offset, int Count)> Pieces(int length, int[] sizes)
    {
        int offset = 0;
        for (int i = 0; offset < length; i++)
        {
            int count = Math.Min(sizes[i % sizes.Length], length - offset);
            yield return (offset, count);
            offset += count;
        }
    }
}
