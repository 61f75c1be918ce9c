using System;
using System.Collections.Generic;
using System.Formats.Tar;
using System.IO;
using System.Linq;
using System.Threading;
using Strato.Client;
using Strato.Client.Images;
using Xunit;
using static Strato.Tests.Unit.Client.Images.Archives;

namespace Strato.Tests.Unit.Client.Images;

/// <summary>Root file systems put together from layers.</summary>
public sealed class RootTreeTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("strato-tree-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private RootTree Tree(params byte[][] layers)
    {
        RootTree tree = new(Directory.CreateDirectory(Path.Combine(_folder, Guid.NewGuid().ToString("N"))).FullName);
        foreach (byte[] layer in layers)
        {
            tree.Apply(new MemoryStream(layer), Token);
        }

        return tree;
    }

    private static string Show(RootTree tree)
    {
        List<string> lines = [];
        void Walk(Node folder, string path)
        {
            foreach ((string name, Node child) in folder.Children)
            {
                switch (child.Kind)
                {
                    case NodeKind.Directory:
                        lines.Add($"{path}{name}/");
                        Walk(child, $"{path}{name}/");
                        break;
                    case NodeKind.Link:
                        lines.Add($"{path}{name}>{child.Target}");
                        break;
                    default:
                        lines.Add($"{path}{name}={(child.Content is null ? "" : System.IO.File.ReadAllText(child.Content))}");
                        break;
                }
            }
        }

        Walk(tree.Root, "");
        return string.Join(' ', lines);
    }

    [Fact]
    public void LaterLayersLieOverEarlierOnes() => Assert.Equal(
        "a/ a/x=2 a/y=1 b=file c/",
        Show(Tree(Tar(Folder("a/"), File("a/x", "1"), File("./a/y", "1"), Folder("b"), File("c", "1")), Tar(File("a/x", "2"), File("b", "file"), Folder("c/")))));

    [Theory]
    [InlineData("a/.wh.x", "a/ a/y=1 b/ b/z=1")]
    [InlineData(".wh.a", "b/ b/z=1")]
    [InlineData("a/.wh..wh..opq", "a/ b/ b/z=1")]
    [InlineData("nowhere/.wh.x", "a/ a/x=1 a/y=1 b/ b/z=1")]
    [InlineData(".wh.nothing", "a/ a/x=1 a/y=1 b/ b/z=1")]
    public void WhiteoutsHide(string whiteout, string left) =>
        Assert.Equal(left, Show(Tree(Tar(File("a/x", "1"), File("a/y", "1"), File("b/z", "1")), Tar(File(whiteout, "")))));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void WhiteoutsHideNothingOfTheirOwnLayer(bool first)
    {
        TarEntry[] whiteouts = [File("a/.wh..wh..opq", ""), File("b/.wh.sub", ""), File(".wh.c", "")];
        TarEntry[] files = [File("a/new", "2"), File("b/sub/new", "2"), File("c", "2")];
        byte[] layer = Tar(first ? [.. whiteouts, .. files] : [.. files, .. whiteouts]);
        Assert.Equal("a/ a/new=2 b/ b/sub/ b/sub/new=2 c=2", Show(Tree(Tar(File("a/old", "1"), File("b/sub/old", "1"), File("c", "1")), layer)));
    }

    [Fact]
    public void LinksOfTheImageAreFollowedInTheImageAlone()
    {
        // As where /lib is a link to usr/lib, and a layer speaks of lib; and links that try to lead out.
        RootTree tree = Tree(
            Tar(Folder("usr/lib"), Link("lib", "usr/lib"), Link("abs", "/usr"), Link("up", "../../../../usr"), Link("out", "/../../etc")),
            Tar(File("lib/a", "1"), File("abs/b", "1"), File("up/c", "1"), File("out/passwd", "mine"), File("lib/.wh.gone", "")));
        Assert.Equal("abs>/usr etc/ etc/passwd=mine lib>usr/lib out>/../../etc up>../../../../usr usr/ usr/b=1 usr/c=1 usr/lib/ usr/lib/a=1", Show(tree));
        Assert.Equal(["mine"], tree.ReadLines("etc/passwd"));
        Assert.Empty(tree.ReadLines("etc/none"));
        Assert.Empty(Directory.EnumerateFiles(_folder));
    }

    [Fact]
    public void NamesOfOneFileAreOneFile()
    {
        RootTree tree = Tree(Tar(File("a", "1", mode: 0x9ed, uid: 7), HardLink("d/b", "a"), Link("s", "a"), HardLink("t", "s")));
        Assert.Same(tree.Root.Children["a"], tree.Root.Children["d"].Children["b"]);
        Assert.Same(tree.Root.Children["s"], tree.Root.Children["t"]);
        Assert.Equal((0x9ed, 7, 1_600_000_000L), (tree.Root.Children["a"].Mode, tree.Root.Children["a"].Uid, tree.Root.Children["a"].Time));
    }

    [Theory]
    [InlineData("../x", "ImageUnsafe")]
    [InlineData("a/../../x", "ImageUnsafe")]
    [InlineData("a/../b", "ImageUnsafe")]
    [InlineData("d/.wh.", "ImageUnsafe")]
    [InlineData("d/.wh...", "ImageUnsafe")]
    [InlineData("loop/x", "ImageUnsafe")]
    [InlineData("f/x", "ImageDamaged")]
    public void WhatWouldLeadOutIsRefused(string name, string id) =>
        ClientFixture.Fails(id, () => Tree(Tar(File("f", "1"), Link("loop", "loop"), Folder("d"), File(name, "1"))));

    [Fact]
    public void ANameThatIsTooLongIsRefused() => ClientFixture.Fails("ImageUnsafe", () => Tree(Tar(File(new string('é', 200), "1"))));

    [Fact]
    public void AnOverLongNameIsRefusedWhereItsPartsAreNot() =>
        ClientFixture.Fails("ImageUnsafe", () => Tree(Tar(File(string.Join('/', Enumerable.Repeat(new string('d', 200), 30)), "1"))));

    [Theory]
    [InlineData("")]
    [InlineData("nowhere\0else")]
    [InlineData("long")]
    public void ALinkLeadsToWhatALinkCanLeadTo(string target)
    {
        byte[] tar = RawTar('2', "s", target.Length == 0 ? "" : "t");
        if (target.Length > 1)
        {
            // As only attributes can tell it.
            tar = [.. Pax("linkpath", target == "long" ? new string('x', 5000) : target), .. tar];
        }

        ClientFixture.Fails("ImageUnsafe", () => Tree(tar));
    }

    [Fact]
    public void SparseFilesAreToldNotTakenForTheirData()
    {
        // GNU's own kind, and the two that are plain files to who doesn't look at their attributes.
        byte[] plain = RawTar('0', "GNUSparseFile.1/f", "");
        foreach (byte[] tar in (byte[][])[RawTar('S', "f", ""), [.. Pax("GNU.sparse.major", "1"), .. plain], [.. Pax("GNU.sparse.map", "0,1"), .. plain]])
        {
            Assert.EndsWith("make the archive without -S.", ClientFixture.Fails("ImageDamaged", () => Tree(tar)).Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("xx")]
    [InlineData("xL")]
    [InlineData("LL")]
    [InlineData("LK")]
    [InlineData("x")]
    [InlineData("xg0")]
    [InlineData("ggx0")]
    [InlineData("L")]
    [InlineData("xS")]
    [InlineData("K1")]
    [InlineData("x?")]
    public void HeadersInNoOrderAreReadOrRefused(string kinds)
    {
        List<byte> tar = [];
        foreach (char kind in kinds)
        {
            tar.AddRange(kind is 'x' or 'g' ? Pax("comment", "c", kind) : RawTar(kind, "f", ""));
        }

        try
        {
            Tree([.. tar]);
        }
        catch (StratoException e)
        {
            Assert.StartsWith("Image", e.Id, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("none")]
    [InlineData("d")]
    [InlineData("../f")]
    public void AHardLinkLeadsToAFileOfTheImage(string target) =>
        Assert.Contains(Assert.Throws<StratoException>(() => Tree(Tar(Folder("d"), File("f", "1"), HardLink("h", target)))).Id, (string[])["ImageDamaged", "ImageUnsafe"]);

    [Fact]
    public void DevicesAndPipesAreLeftOut()
    {
        RootTree tree = Tree(Tar(new PaxTarEntry(TarEntryType.CharacterDevice, "dev/null"), new PaxTarEntry(TarEntryType.Fifo, "pipe"), File("a", "")));
        Assert.Equal((2, "a="), (tree.LeftOut, Show(tree)));
    }

    /// <summary>Against a plain list of paths that knows no tree.</summary>
    [Fact]
    public void RandomLayersGiveWhatTheSpecificationSays()
    {
        Random random = new(5);
        string[] names = ["a", "b", "c"];
        string AnyPath() => string.Join('/', Enumerable.Range(0, random.Next(1, 4)).Select(_ => names[random.Next(names.Length)]));
        for (int round = 0; round < 300; round++)
        {
            SortedDictionary<string, string> model = new(StringComparer.Ordinal);
            List<byte[]> layers = [];
            for (int layer = 0; layer < 4; layer++)
            {
                List<TarEntry> entries = [];
                SortedDictionary<string, string> upper = new(StringComparer.Ordinal);
                List<string> hidden = [];
                for (int i = 0; i < 4; i++)
                {
                    string path = AnyPath();
                    if (random.Next(3) == 0)
                    {
                        hidden.Add(path);
                        string parent = Path.GetDirectoryName(path)!;
                        entries.Add(File(parent.Length == 0 ? $".wh.{path}" : $"{parent}/.wh.{Path.GetFileName(path)}", ""));
                    }
                    else if (!upper.Keys.Any(other => other == path || other.StartsWith(path + "/", StringComparison.Ordinal) || path.StartsWith(other + "/", StringComparison.Ordinal)))
                    {
                        upper[path] = $"{round}.{layer}.{i}";
                        entries.Add(File(path, upper[path]));
                    }
                }

                foreach (string path in hidden)
                {
                    Drop(model, path);
                }

                // What lies below a file of a lower layer would be damaged; such a layer is left out.
                if (upper.Keys.Any(path => model.Keys.Any(lower => path.StartsWith(lower + "/", StringComparison.Ordinal))))
                {
                    foreach (string path in model.Keys.Where(lower => upper.Keys.Any(other => other.StartsWith(lower + "/", StringComparison.Ordinal))).ToArray())
                    {
                        model.Remove(path);
                        string parent = Path.GetDirectoryName(path)!;
                        entries.Insert(0, File(parent.Length == 0 ? $".wh.{path}" : $"{parent}/.wh.{Path.GetFileName(path)}", ""));
                    }
                }

                foreach ((string path, string content) in upper)
                {
                    Drop(model, path);
                    model[path] = content;
                }

                // Whiteouts may stand anywhere; those that make room for what comes have to be before it.
                layers.Add(Tar([.. entries.Where(entry => entry.Name.Contains(".wh.", StringComparison.Ordinal)), .. entries.Where(entry => !entry.Name.Contains(".wh.", StringComparison.Ordinal))]));
            }

            string shown = string.Join(' ', Show(Tree([.. layers])).Split(' ').Where(line => line.Contains('=', StringComparison.Ordinal)).Order(StringComparer.Ordinal));
            Assert.Equal(string.Join(' ', model.Select(file => $"{file.Key}={file.Value}").Order(StringComparer.Ordinal)), shown);
        }

        static void Drop(SortedDictionary<string, string> model, string path)
        {
            foreach (string below in model.Keys.Where(other => other == path || other.StartsWith(path + "/", StringComparison.Ordinal)).ToArray())
            {
                model.Remove(below);
            }
        }
    }
}
