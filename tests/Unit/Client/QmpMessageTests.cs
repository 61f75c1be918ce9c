using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Text.Json;
using Strato.Client.Qmp;
using Strato.Protocol.Qmp;
using Xunit;

namespace Strato.Tests.Unit.Client;

/// <summary>An engine's stream as the client understands it: Protocol's framer, then JSON.</summary>
public class QmpMessageTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(1000)]
    public void MessagesAreCutRightHoweverTheyArrive(int size)
    {
        const string messages = "{\"QMP\":{}}\r\n {\"return\":[1,\"}{\\\"\",null]}\n\n{\"event\":\"Ü\",\"data\":{}}{\"return\":{}}\r\n";
        QmpFramer framer = QmpCommand.NewFramer();
        List<string> taken = [];
        foreach (byte[] piece in Encoding.UTF8.GetBytes(messages).Chunk(size))
        {
            framer.Append(piece);
            while (QmpCommand.TryTake(framer, out JsonElement message))
            {
                taken.Add(message.GetRawText());
            }
        }

        Assert.Equal(["{\"QMP\":{}}", "{\"return\":[1,\"}{\\\"\",null]}", "{\"event\":\"Ü\",\"data\":{}}", "{\"return\":{}}"], taken);
    }

    [Theory]
    [InlineData("nonsense\n", "something that is not JSON")]
    [InlineData("{\"a\":x}\n", "something that is not JSON: ")]
    [InlineData("{\"a\":1]\n", "something that is not JSON")]
    public void WhatIsNoJsonIsSaidSo(string text, string what) => Assert.StartsWith($"The engine sent {what}", Fault(text), System.StringComparison.Ordinal);

    [Fact]
    public void WhatIsTooLongIsSaidSo()
    {
        string fits = $"[\"{new string('x', QmpCommand.MaximumMessage - 4)}\"]";
        QmpFramer framer = QmpCommand.NewFramer();
        framer.Append(Encoding.ASCII.GetBytes(fits));
        Assert.True(QmpCommand.TryTake(framer, out JsonElement message));
        Assert.Equal(1, message.GetArrayLength());
        Assert.Equal("The engine sent a message longer than 16777216 bytes.", Fault(fits.Insert(2, "x")));
    }

    [Fact]
    public void WhatIsTooDeepIsSaidSo() =>
        Assert.Equal("The engine sent a message that nests objects and arrays more than 64 deep.", Fault(new string('[', 65)));

    [Theory]
    [InlineData("{\"error\":{\"class\":\"GenericError\",\"desc\":\"\\ud800\"}}\n", "\ufffd")]
    [InlineData("{\"\\ud800\":1,\"error\":{\"desc\":\"\\ud83d\\ude00\\ude00\\\\udc00\"}}\n", "\U0001f600\ufffd\\udc00")]
    [InlineData("{\"error\":{\"desc\":\"\u00c3\u00c3\"}}\n", "\ufffd\ufffd")]
    public void TextThatIsNoneCanBeReadAllTheSame(string text, string desc)
    {
        QmpFramer framer = QmpCommand.NewFramer();
        framer.Append(Encoding.Latin1.GetBytes(text));
        Assert.True(QmpCommand.TryTake(framer, out JsonElement message));
        Assert.Equal(desc, ClientFixture.Fails("QmpGenericError", () => QmpCommand.Result(message, "c", null)).Message);
        _ = message.GetRawText();
    }

    [Theory]
    [InlineData("{\"seconds\":\"now\",\"microseconds\":0}")]
    [InlineData("{\"seconds\":1,\"microseconds\":9223372036854775807}")]
    [InlineData("{\"seconds\":253402300798,\"microseconds\":{}}")]
    public void AnEventsTimeThatIsNoneIsNow(string stamp)
    {
        using JsonDocument document = JsonDocument.Parse($"{{\"event\":\"STOP\",\"timestamp\":{stamp}}}");
        Assert.InRange(QmpCommand.TryEvent(document.RootElement)!.Timestamp, System.DateTimeOffset.UtcNow.AddMinutes(-1), System.DateTimeOffset.UtcNow);
    }

    private static string Fault(string text)
    {
        QmpFramer framer = QmpCommand.NewFramer();
        framer.Append(Encoding.UTF8.GetBytes(text));
        return ClientFixture.Fails("QmpProtocol", () => QmpCommand.TryTake(framer, out _)).Message;
    }
}
