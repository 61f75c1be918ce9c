using System;
using System.IO;
using System.Threading;
using Strato.Client;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Strato.Tests.Unit.Qmp;
using Xunit;

namespace Strato.Tests.Unit.Client;

public class SandboxSupportTests
{
    [Theory]
    [InlineData("000001ffffffffff", "on", true)]
    [InlineData("00000000a80425fb", "on,namespaces=off", false)]
    [InlineData("000001ffff7fffff", "on", false)]
    [InlineData("0000000000040040", null, false)]
    [InlineData("0000000000000000", null, false)]
    public void RootCanAsMuchAsItsCapabilitiesLetIt(string capabilities, string? option, bool whole)
    {
        SandboxSupport support = SandboxSupport.OfRoot(SandboxSupport.Capabilities($"Name:\tpwsh\nCapPrm:\t0000000000000000\nCapEff:\t{capabilities}\nCapBnd:\t0000000000000000\n"));
        Assert.Equal(option, support.Option);
        Assert.Equal(whole, support.Reason is null);
    }

    [Fact]
    public void AFileIsPassedAndShownByItsName()
    {
        using QmpHarness harness = new();
        string path = Path.Combine(Path.GetTempPath(), $"strato-passed-{Guid.NewGuid():N}");
        File.WriteAllBytes(path, new byte[4096]);
        try
        {
            Exception? failure = null;
            bool done = false;
            Thread client = new(() =>
            {
                try
                {
                    Plug(harness.SocketPath, path);
                }
                catch (Exception e)
                {
                    failure = e;
                }

                Volatile.Write(ref done, true);
            });
            client.Start();
            harness.TurnUntil(() => Volatile.Read(ref done), "the drive");
            client.Join();
            Assert.Null(failure);

            // The set has gone, and the drive has kept what it opened by it.
            using TestClient other = harness.Connect();
            other.Ask("""{"execute":"qmp_capabilities"}""");
            Assert.Equal("""{"return":[]}""", other.Ask("""{"execute":"query-fdsets"}"""));
            Assert.Contains($"\"file\":\"{path}\"", other.Ask("""{"execute":"query-block"}"""), StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static void Plug(string socket, string path)
    {
        DriveDefinition drive = new() { Id = "d", Path = path };
        using PlugSession session = new(QmpConnection.Open(socket, null, TimeSpan.FromSeconds(20), CancellationToken.None), takesPaths: false, CancellationToken.None);
        using FileDescriptor file = HostFiles.OpenDisk(drive);
        session.WithFile(file, path, set => session.Do("blockdev-add", json =>
        {
            json.WriteString("node-name", "d");
            json.WriteStartObject("file");
            json.WriteString("driver", "file");
            json.WriteString("filename", set);
            json.WriteEndObject();
        }));
        session.Do("device_add", json =>
        {
            json.WriteString("id", "d");
            json.WriteString("driver", "virtio-blk-mmio");
        });
    }
}
