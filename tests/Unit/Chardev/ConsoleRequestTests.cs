using System.Text;
using Strato.Engine.Chardev;
using Xunit;

namespace Strato.Tests.Unit.Chardev;

public class ConsoleRequestTests
{
    [Theory]
    [InlineData("""{"mode":"follow"}""", false, -1, false)]
    [InlineData("""{"mode":"follow","from":"end"}""", false, -1, false)]
    [InlineData("""{"mode":"follow","from":"start"}""", false, 0, false)]
    [InlineData("""{"mode":"follow","from":0}""", false, 0, false)]
    [InlineData("""{"mode":"follow","from":"boot"}""", false, -2, false)]
    [InlineData("""  { "from" : 9223372036854775807 , "mode" : "attach" , "take" : true }  """, true, long.MaxValue, true)]
    [InlineData("""{"mode":"att\u0061ch","take":false}""", true, -1, false)]
    public void Good(string line, bool attach, long from, bool take)
    {
        Assert.True(ConsoleRequest.TryParse(Encoding.UTF8.GetBytes(line), out ConsoleRequest request, out string error), error);
        Assert.Equal(new ConsoleRequest(attach, from, take), request);
    }

    [Theory]
    [InlineData("", "not JSON")]
    [InlineData("hello", "not JSON")]
    [InlineData("""{"mode":"follow" """, "not JSON")]
    [InlineData("""{"mode":"follow"} x""", "not JSON")]
    [InlineData("""["follow"]""", "must be a JSON object")]
    [InlineData("null", "must be a JSON object")]
    [InlineData("{}", "mode is missing")]
    [InlineData("""{"mode":"watch"}""", "mode must be \"attach\" or \"follow\"")]
    [InlineData("""{"mode":1}""", "mode must be")]
    [InlineData("""{"mode":{"a":1}}""", "mode must be")]
    [InlineData("""{"mode":"follow","from":-1}""", "from must be \"start\", \"boot\", \"end\" or an offset")]
    [InlineData("""{"mode":"follow","from":1.5}""", "from must be")]
    [InlineData("""{"mode":"follow","from":99999999999999999999}""", "from must be")]
    [InlineData("""{"mode":"follow","from":"middle"}""", "from must be")]
    [InlineData("""{"mode":"attach","take":"yes"}""", "take must be true or false")]
    [InlineData("""{"mode":"attach","tkae":true}""", "'tkae' is not a field of the request; mode, from and take are")]
    public void Bad(string line, string message)
    {
        Assert.False(ConsoleRequest.TryParse(Encoding.UTF8.GetBytes(line), out _, out string error));
        Assert.Contains(message, error);
    }

    [Fact]
    public void TextThatIsNotUtf8IsRefused()
    {
        byte[] line = [.. "{\""u8, 0xFF, 0xFE, .. "\":1}"u8];
        Assert.False(ConsoleRequest.TryParse(line, out _, out string error));
        Assert.Contains("not JSON", error);
    }

    [Fact]
    public void Answers()
    {
        Assert.Equal("{\"offset\":5,\"dropped\":3,\"writer\":true}\n", Encoding.UTF8.GetString(ConsoleRequest.Answer(5, 3, true)));
        Assert.Equal("{\"id\":\"ConsoleBusy\",\"error\":\"a \\u0022b\\u0022\"}\n", Encoding.UTF8.GetString(ConsoleRequest.Refusal("ConsoleBusy", "a \"b\"")));
    }
}
