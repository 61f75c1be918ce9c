using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Strato.Protocol.Qmp;
using Xunit;

namespace Strato.Tests.Unit.Protocol;

public class QmpFramerTests
{
    /// <summary>JSON objects and arrays with all that could mislead a counter of braces.</summary>
    private static Gen<string> Messages { get; } =
        from depth in Gen.Choose(0, 4)
        from value in Value(depth)
        from array in Gen.Elements(true, false)
        select array ? $"[{value}]" : $$"""{"k": {{value}}}""";

    private static Gen<string> Blanks { get; } = Gen.Elements("", "", " ", "\n", "\r\n", "\t \n");

    [Fact]
    public void AnySplitOfAnyConcatenationGivesTheMessages()
    {
        Gen<(string[] Messages, string[] Blanks, int[] Cuts)> streams =
            from messages in Messages.NonEmptyListOf()
            from blanks in Blanks.ArrayOf(messages.Count + 1)
            from cuts in Gen.Choose(1, 40).ArrayOf(20)
            select (messages.ToArray(), blanks, cuts);
        Prop.ForAll(
            streams.ToArbitrary(),
            stream =>
            {
                StringBuilder text = new(stream.Blanks[0]);
                for (int i = 0; i < stream.Messages.Length; i++)
                {
                    text.Append(stream.Messages[i]).Append(stream.Blanks[i + 1]);
                }

                List<string> found = Read(new QmpFramer(), Encoding.UTF8.GetBytes(text.ToString()), stream.Cuts);
                Assert.Equal(string.Join('|', stream.Messages), string.Join('|', found));
            }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000).WithQuietOnSuccess(true));
    }

    [Fact]
    public void AnyBytesAreSurvivedAndAResetMakesItWhole()
    {
        Gen<byte[]> bytes = Gen.Elements("{}[]\"\\:,\n \u0001ae1"u8.ToArray()).ArrayOf()
            .SelectMany(usual => Gen.Choose(0, 255).Select(b => (byte)b).ArrayOf(), (usual, any) => usual.Concat(any).ToArray());
        Prop.ForAll(
            bytes.ToArbitrary(),
            garbage =>
            {
                QmpFramer framer = new(256);
                foreach (byte b in garbage)
                {
                    framer.Append([b]);
                    Drain(framer);
                }

                // 0xFF ends whatever was open, even a string; what follows is read as on a fresh connection.
                framer.Append([0xff]);
                Drain(framer);
                framer.Append("\n{\"execute\":\"stop\"}"u8);
                Assert.Equal("{\"execute\":\"stop\"}", Drain(framer).Last());
                Assert.False(framer.IsInsideMessage);
            }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000).WithQuietOnSuccess(true));
    }

    [Fact]
    public void TheParserTakesAnyBytes()
    {
        Gen<byte[]> damaged =
            from message in Gen.OneOf(Messages, Gen.Constant("""{"execute":"x","arguments":{"a":[1]},"id":"\u00e9"}"""))
            from at in Gen.Choose(0, 60)
            from value in Gen.Choose(0, 255)
            select Damage(Encoding.UTF8.GetBytes(message), at, (byte)value);
        Prop.ForAll(
            damaged.ToArbitrary(),
            bytes =>
            {
                bool good = QmpRequest.TryParse(bytes, out QmpRequest request, out string? error);
                Assert.Equal(good, error is null);
                if (!request.Id.IsEmpty)
                {
                    // Whatever is echoed is JSON.
                    JsonDocument.Parse(request.Id).Dispose();
                }
            }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000).WithQuietOnSuccess(true));
    }

    [Theory]
    [InlineData("x{\"a\":1}", "Malformed {\"a\":1}")]
    [InlineData("x\n{\"a\":1}", "Malformed {\"a\":1}")]
    [InlineData("abc def\nghi\n{}", "Malformed Malformed {}")]
    [InlineData("}}}]\n{}", "Malformed {}")]
    [InlineData("\"a\" 12 null\n[]", "Malformed []")]
    [InlineData("{\"a\n{\"b\":2}", "Malformed {\"b\":2}")]
    [InlineData("{\"a\":[}{\"b\":2}", "Malformed {\"b\":2}")]
    [InlineData("{\"a\":é}\n{}", "Malformed {}")]
    [InlineData("{\"\\\"}\":\"{\\\\\"}{}", "{\"\\\"}\":\"{\\\\\"} {}")]
    [InlineData("{\"long\":\"0123456789012345678901234567\"}[]", "TooLarge []")]
    [InlineData("[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]", "TooLarge")]
    public void FaultsCostNoMoreThanTheirMessage(string text, string expected)
    {
        Assert.Equal(expected, string.Join(' ', Read(new QmpFramer(32), Encoding.UTF8.GetBytes(text), [1])));
        Assert.Equal(expected, string.Join(' ', Read(new QmpFramer(32), Encoding.UTF8.GetBytes(text), [1000])));
    }

    [Fact]
    public void TheLimitIsExact()
    {
        Assert.Equal(["""{"id":"12345678"}"""], Read(new QmpFramer(17), """{"id":"12345678"}"""u8.ToArray(), [5]));
        Assert.Equal(["TooLarge", "{}"], Read(new QmpFramer(16), """{"id":"12345678"}{}"""u8.ToArray(), [5]));
        Assert.Equal(["TooLarge", "{}"], Read(new QmpFramer(16), """{"id":"12345678\"{{{"}{}"""u8.ToArray(), [100]));
    }

    [Fact]
    public void DepthIsLimitedAndTheRestDropped()
    {
        string deep = new string('[', QmpFramer.MaxDepth) + new string(']', QmpFramer.MaxDepth);
        Assert.Equal([deep], Read(new QmpFramer(), Encoding.UTF8.GetBytes(deep), [7]));
        Assert.Equal(["TooDeep", "{}"], Read(new QmpFramer(), Encoding.UTF8.GetBytes($"[{deep}]{{}}"), [7]));
    }

    [Fact]
    public void ALargeMessageDoesNotKeepItsMemory()
    {
        QmpFramer framer = new();
        framer.Append(Encoding.UTF8.GetBytes("{\"a\":\"" + new string('x', 1_000_000) + "\"}"));
        Assert.Single(Drain(framer));
        Assert.InRange(framer.Capacity, 1_000_000, QmpFramer.MaxMessage * 2);
        _ = framer.GetSpan();
        Assert.InRange(framer.Capacity, 1, 64 << 10);
    }

    [Fact]
    public void FramingAllocatesNothingOnceTheBufferIsThere()
    {
        QmpFramer framer = new();
        byte[] burst = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("""{"execute":"query-status","id":7}""" + "\n", 100)));
        TenBursts();
        Allocation.AssertNone(TenBursts);

        void TenBursts()
        {
            int found = 0;
            for (int round = 0; round < 10; round++)
            {
                framer.Append(burst);
                while (framer.TryRead(out _) == QmpFrame.Message)
                {
                    found++;
                }
            }

            Assert.True(found == 1000);
        }
    }

    private static Gen<string> Value(int depth)
    {
        Gen<string> scalar = Gen.Elements(
            "1", "-2.5e3", "true", "null", "\"\"", "\"{\"", "\"]}\"", "\"\\\"\"", "\"\\\\\"", "\"\\u005c\"", "\"é…😀\"", "\"a\\n,b\"");
        if (depth == 0)
        {
            return scalar;
        }

        Gen<string> inner = Value(depth - 1);
        return Gen.OneOf(
            scalar,
            inner.ArrayOf().Select(items => $"[{string.Join(", ", items.Take(4))}]"),
            inner.ArrayOf().Select(items => $"{{{string.Join(",\n", items.Take(4).Select((item, i) => $"\"k{i}}}\":{item}"))}}}"));
    }

    private static byte[] Damage(byte[] bytes, int at, byte value)
    {
        bytes[at % bytes.Length] = value;
        return bytes;
    }

    private static List<string> Read(QmpFramer framer, byte[] bytes, int[] cuts)
    {
        List<string> found = [];
        int at = 0;
        for (int i = 0; at < bytes.Length; i++)
        {
            int length = Math.Min(cuts[i % cuts.Length], bytes.Length - at);
            framer.Append(bytes.AsSpan(at, length));
            at += length;
            found.AddRange(Drain(framer));
        }

        return found;
    }

    private static List<string> Drain(QmpFramer framer)
    {
        List<string> found = [];
        while (true)
        {
            QmpFrame frame = framer.TryRead(out ReadOnlyMemory<byte> message);
            if (frame == QmpFrame.None)
            {
                return found;
            }

            found.Add(frame == QmpFrame.Message ? Encoding.UTF8.GetString(message.Span) : frame.ToString());
        }
    }
}
