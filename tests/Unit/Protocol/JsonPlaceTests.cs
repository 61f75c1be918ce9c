using System;
using System.IO;
using System.Text;
using Strato.Engine.Cli;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Xunit;

namespace Strato.Tests.Unit.Protocol;

public class JsonPlaceTests
{
    private const string Text = """
        {
          "machine-config": {
            "vcpu_count": 2
          },
          "drive": [
            { "drive_id": "a", "path_on_host": "/a" },
            {
              "drive_id": "b",
              "path_on_host": "/b"
            }
          ]
        }
        """;

    [Theory]
    [InlineData("machine-config", 2)]
    [InlineData("machine-config.vcpu_count", 3)]
    [InlineData("machine-config.mem_size", 2)]
    [InlineData("drive", 5)]
    [InlineData("drive[0]", 6)]
    [InlineData("drive[0].path_on_host", 6)]
    [InlineData("drive[1]", 7)]
    [InlineData("drive[1].path_on_host", 9)]
    [InlineData("drive[1].iops", 7)]
    [InlineData("drive[2].iops", 0)]
    [InlineData("net[0].mac", 0)]
    [InlineData("-m", 0)]
    [InlineData("machine-configuration", 0)]
    [InlineData("", 0)]
    public void APathHasItsLine(string path, int line)
    {
        Assert.Equal(line, JsonPlace.LineOf(Encoding.UTF8.GetBytes(Text), path));

        // A mark before it isn't counted, and what follows may be anything.
        Assert.Equal(line, JsonPlace.LineOf(Encoding.UTF8.GetBytes("\uFEFF" + Text), path));
        Assert.Equal(line, JsonPlace.LineOf(Encoding.UTF8.GetBytes(Text + "\n}{ \"\\ud800"), path));
    }

    [Fact]
    public void OfAFieldThatIsGivenTwiceTheSecondIsMeant() => Assert.Equal(3, JsonPlace.LineOf("{\"drive\": [],\n\n\"drive\": []}"u8, "drive"));

    // Found while it is read; of the whole, beside what the command line says; and of the whole alone.
    [Theory]
    [InlineData("""{"machine-config": {"vcpu_count": 255}}""", "InvalidCpuCount", "machine-config.vcpu_count", 3)]
    [InlineData("""{"drive": [{"drive_id": "a", "path_on_host": "/a", "iothread": "t"}]}""", "UnknownIoThread", "drive[0].iothread", 5)]
    [InlineData("""{"net": [{"iface_id": "a", "host_dev_name": "t"}, {"iface_id": "a", "host_dev_name": "u"}]}""", "DuplicateId", "net[1].iface_id", 6)]
    [InlineData("""{"drive": [{"drive_id": "a"}]}""", "MissingField", "drive[0].path_on_host", 2)]
    public void AnErrorOfTheFileHasFileAndLine(string text, string id, string where, int line)
    {
        string path = Path.GetTempFileName();
        try
        {
            // Each opening brace and each comma ends a line.
            File.WriteAllText(path, text.Replace("{", "{\n", StringComparison.Ordinal).Replace(", ", ",\n", StringComparison.Ordinal));
            UserErrorException error = Assert.Throws<UserErrorException>(() => Options.Parse(["-config", path, "-kernel", "/k"]));
            Assert.Equal((id, where), (error.Id, error.Where));
            Assert.Matches($@" \({path}, line \d+\)$", error.Message);
            string[] lines = File.ReadAllLines(path);
            int told = int.Parse(error.Message[(error.Message.LastIndexOf(' ') + 1)..^1], null);
            Assert.Equal(line, told);
            Assert.NotEmpty(lines[told - 1]);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
