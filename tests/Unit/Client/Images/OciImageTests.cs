using System;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;
using Strato.Client;
using Strato.Client.Images;
using Strato.Client.Linux;
using Xunit;
using static Strato.Tests.Unit.Client.Images.Archives;

namespace Strato.Tests.Unit.Client.Images;

/// <summary>Images in archives.</summary>
public sealed class OciImageTests : IDisposable
{
    private static readonly byte[][] Layers = [Tar(Folder("etc"), File("etc/passwd", "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv:/bin/sh\n"), File("a", "1")), Tar(File("b", "2"), File(".wh.a", ""))];

    private readonly string _folder = Directory.CreateTempSubdirectory("strato-oci-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private (OciImage Image, RootTree Tree) Read(byte[] archive)
    {
        string work = Directory.CreateDirectory(Path.Combine(_folder, Guid.NewGuid().ToString("N"))).FullName;
        string path = Path.Combine(work, "image.tar");
        System.IO.File.WriteAllBytes(path, archive);
        OciImage image = OciImage.Read(new ImageArchive(path, work, Token));
        RootTree tree = new(Directory.CreateDirectory(Path.Combine(work, "contents")).FullName);
        image.Unpack(tree, work, Token);
        return (image, tree);
    }

    private void AssertRead(byte[] archive)
    {
        (OciImage image, RootTree tree) = Read(archive);
        Assert.Equal(["b", "etc"], tree.Root.Children.Keys);
        ImageRun run = ImageRun.Of(image.Config, tree.ReadLines);
        Assert.Equal(["/bin/echo", "hello"], run.Command);
        Assert.Equal(("/srv", 33u, 34u, "/srv"), (run.WorkingDirectory, run.Uid, run.Gid, run.Home));
        Assert.StartsWith("sha256:", image.Digest, StringComparison.Ordinal);
    }

    [Fact]
    public void AnOciLayoutIsRead() => AssertRead(Oci(Layers));

    [Fact]
    public void LayersMayBePacked() => AssertRead(Oci(Layers, Zip));

    [Fact]
    public void TheArchiveMayBePacked() => AssertRead(Zip(Oci(Layers)));

    [Fact]
    public void LayersMayBePackedByZstd()
    {
        Assert.SkipWhen(ProgramPath.Find("zstd", ProgramPath.Folders) is null, "zstd isn't installed");
        AssertRead(Oci(Layers, layer =>
        {
            string path = Path.Combine(_folder, Guid.NewGuid().ToString("N"));
            System.IO.File.WriteAllBytes(path, layer);
            HostTool.Run(HostTool.Find("zstd", "zstd"), ["-q", path], "Packing", Token);
            return System.IO.File.ReadAllBytes(path + ".zst");
        }));
    }

    [Fact]
    public void WhatDockerSavesIsRead()
    {
        AssertRead(Saved(Layers));
        AssertRead(Saved([Layers[0], Layers[1], Layers[1]]));
    }

    [Fact]
    public void ARootFileSystemAloneIsRead()
    {
        (OciImage image, RootTree tree) = Read(Layers[0]);
        Assert.Null(image.Digest);
        Assert.Equal(["a", "etc"], tree.Root.Children.Keys);
    }

    [Theory]
    [InlineData("\"amd64\"", "\"arm64\"", "ImageArchitecture")]
    [InlineData("{\"architecture\"", "{\"architecture\":[],\"x\"", "")]
    [InlineData("\"User\":\"web\"", "\"User\":\"nobody-knows\"", "ImageUser")]
    [InlineData("\"Cmd\":[\"hello\"]", "\"Cmd\":[1]", "ImageDamaged")]
    [InlineData("[DIFFS]", "[]", "ImageDamaged")]
    [InlineData("{\"architecture\"", "nonsense", "ImageDamaged")]
    public void AConfigurationThatDoesNotFitIsTold(string part, string instead, string id)
    {
        byte[] archive = Oci(Layers, config: Config.Replace(part, instead, StringComparison.Ordinal));
        if (id.Length == 0)
        {
            AssertRead(archive);
            return;
        }

        ClientFixture.Fails(id, () =>
        {
            (OciImage image, RootTree tree) = Read(archive);
            ImageRun.Of(image.Config, tree.ReadLines);
        });
    }

    [Fact]
    public void ALayerThatIsNotWhatItsDigestSaysIsRefused()
    {
        byte[] archive = Oci(Layers);
        int at = archive.AsSpan().IndexOf("web:x:33"u8);
        archive[at] = (byte)'W';
        ClientFixture.Fails("ImageDigest", () => Read(archive));
        archive = Saved(Layers);
        at = archive.AsSpan().IndexOf("web:x:33"u8);
        archive[at] = (byte)'W';
        ClientFixture.Fails("ImageDigest", () => Read(archive));
    }

    [Fact]
    public void OneImageIsNeeded()
    {
        string one = $"sha256:{new string('1', 64)}", two = $"sha256:{new string('2', 64)}";
        string index = $$"""{"manifests":[{"digest":"{{one}}","annotations":{"org.opencontainers.image.ref.name":"one"} },{"digest":"{{two}}"}]}""";
        Assert.Contains("one", ClientFixture.Fails("ImageAmbiguous", () => Read(Tar(File("index.json", index)))).Message, StringComparison.Ordinal);
        Assert.Contains("a:1, b:1", ClientFixture.Fails("ImageAmbiguous", () => Read(Tar(File("manifest.json", """[{"RepoTags":["a:1"]},{"RepoTags":["b:1"]}]""")))).Message, StringComparison.Ordinal);
        ClientFixture.Fails("ImageArchitecture", () => Read(Tar(File("index.json", $$"""{"manifests":[{"digest":"{{one}}","platform":{"os":"linux","architecture":"arm64"} }]}"""))));
        ClientFixture.Fails("ImageDamaged", () => Read(Tar(File("index.json", """{"manifests":[]}"""))));
        ClientFixture.Fails("ImageDamaged", () => Read(Tar(File("index.json", """{"manifests":[{"digest":"sha256:../../../../etc/passwd"}]}"""))));
    }

    [Fact]
    public void IndexesMayNameIndexesButNotThemselvesForEver()
    {
        byte[] inner = Oci(Layers);
        Assert.NotEmpty(inner);
        string previous = "{}";
        string[] blobs = new string[8];
        for (int i = 0; i < blobs.Length; i++)
        {
            blobs[i] = previous;
            previous = $$"""{"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"{{Digest(Encoding.UTF8.GetBytes(previous))}}"}]}""";
        }

        ClientFixture.Fails("ImageDamaged", () => Read(Tar([File("index.json", previous), .. blobs.Select(blob => File($"blobs/sha256/{Digest(Encoding.UTF8.GetBytes(blob))[7..]}", blob))])));
    }

    /// <summary>Whatever is broken in an archive, it is read or refused, and nothing comes to be outside of its folders.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void DamagedArchivesAreReadOrRefused(int seed)
    {
        Random random = new(seed);
        byte[][] archives = [Oci(Layers), Oci(Layers, Zip), Saved(Layers), Layers[0], Zip(Layers[0])];
        for (int i = 0; i < 400; i++)
        {
            byte[] archive = [.. archives[random.Next(archives.Length)]];
            for (int change = random.Next(1, 6); change > 0; change--)
            {
                // Headers are what there is to break; contents are zeros for the most part.
                int at = random.Next(3) == 0 ? random.Next(archive.Length) : (random.Next((archive.Length / 512) + 1) * 512) + random.Next(300);
                if (at < archive.Length)
                {
                    archive[at] = (byte)random.Next(256);
                }
            }

            if (random.Next(4) == 0)
            {
                archive = archive[..random.Next(archive.Length)];
            }

            try
            {
                Read(archive);
            }
            catch (StratoException e)
            {
                Assert.StartsWith("Image", e.Id, StringComparison.Ordinal);
            }
        }
    }
}
