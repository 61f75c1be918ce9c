using System;
using System.Formats.Tar;
using System.IO;
using System.Linq;
using System.Threading;
using Strato.Client;
using Strato.Client.Images;
using Strato.Client.Linux;
using Xunit;
using static Strato.Tests.Unit.Client.Images.Archives;

namespace Strato.Tests.Unit.Client.Images;

/// <summary>Root disks made without root: e2fsprogs' own tools say what is in them.</summary>
public sealed class Ext4Tests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("strato-ext4-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Image => Path.Combine(_folder, "root.ext4");

    private void Make(byte[] layer, long size = 0)
    {
        Assert.SkipWhen(ProgramPath.Find("mke2fs", ProgramPath.Folders + ":/usr/sbin:/sbin") is null, "mke2fs isn't installed");
        RootTree tree = new(Directory.CreateDirectory(Path.Combine(_folder, "contents")).FullName);
        tree.Apply(new MemoryStream(layer), Token);
        StagedTree staged = new(Token);
        staged.Write(tree.Root, Path.Combine(_folder, "staged"));
        Ext4Image.Make(Path.Combine(_folder, "staged"), Image, staged.Bytes, staged.Count, size, Token);
        using Ext4Owners owners = new(Image, Token);
        owners.Apply(tree.Root);
    }

    private string Debugfs(string command) =>
        string.Join('\n', HostTool.Run(HostTool.Find("debugfs", "e2fsprogs"), ["-R", command, Image], "debugfs", Token));

    [Fact]
    public void OwnersModesTimesLinksAndContentsAreThoseOfTheArchive()
    {
        Make(Tar(
            Folder("home", 0x1ff, uid: 70_000),
            File("home/set", "content", mode: 0x9ed, uid: 1234, gid: 5678),
            File("home/secret", "", mode: 0),
            new UstarTarEntry(TarEntryType.RegularFile, "home/with \"quotes\" and\nlines") { Uid = 3, Mode = UnixFileMode.UserRead },
            Link("home/link", "/nowhere/at/all"),
            HardLink("home/again", "home/set"),
            Folder("many"),
            File("big", new string('b', 3_000_000))));
        HostTool.Run(HostTool.Find("e2fsck", "e2fsprogs"), ["-fn", Image], "e2fsck", Token);
        string set = Debugfs("stat /home/set");
        Assert.Contains("Mode:  04755", set, StringComparison.Ordinal);
        Assert.Matches(@"User: +1234 +Group: +5678", set);
        Assert.Contains("Links: 2", set, StringComparison.Ordinal);
        Assert.Contains("mtime: 0x5f5e1000", set, StringComparison.Ordinal);
        Assert.Matches(@"User: 70000 +Group: +0", Debugfs("stat /home"));
        Assert.Contains("Mode:  0777", Debugfs("stat /home"), StringComparison.Ordinal);
        Assert.Contains("Mode:  0000", Debugfs("stat /home/secret"), StringComparison.Ordinal);
        Assert.Contains("/nowhere/at/all", Debugfs("stat /home/link"), StringComparison.Ordinal);
        Assert.Equal("content", Debugfs("cat /home/again")[^7..]);
        Assert.Contains("3000000", Debugfs("stat /big"), StringComparison.Ordinal);

        // debugfs can't be told this name; its own listing shows the owner.
        Assert.Contains(Debugfs("ls -l /home").Split('\n'), line => line.Contains("with \"quotes\" and", StringComparison.Ordinal) && line.Contains(" 3 ", StringComparison.Ordinal));
    }

    [Fact]
    public void AFolderWithManyNamesHasAllItsOwners()
    {
        Make(Tar([.. Enumerable.Range(0, 3000).Select(i => File($"many/{i:d6}-{new string('n', 60)}", "", uid: i))]));
        HostTool.Run(HostTool.Find("e2fsck", "e2fsprogs"), ["-fn", Image], "e2fsck", Token);
        foreach (int i in (int[])[0, 1, 1499, 2998, 2999])
        {
            Assert.Matches($@"User: +{i} +Group: +0", Debugfs($"stat /many/{i:d6}-{new string('n', 60)}"));
        }
    }

    [Fact]
    public void TheImageHasHolesAndRoom()
    {
        Make(Tar(File("a", "1")));
        Assert.True(new FileInfo(Image).Length > 512L << 20);
        Assert.True(Libc.TryStat(Image, out Libc.statx_t stat));
        Assert.True(stat.stx_blocks * 512 < 64 << 20, $"{stat.stx_blocks} blocks");
    }

    [Fact]
    public void ASizeIsKeptOrRefused()
    {
        Make(Tar(File("a", "1")), 1L << 30);
        Assert.Equal(1L << 30, new FileInfo(Image).Length);
        System.IO.File.Delete(Image);
        ClientFixture.Fails("ImageSize", () => Ext4Image.Make(_folder, Path.Combine(_folder, "small"), 100 << 20, 10, 64 << 20, Token));
    }

    [Fact]
    public void AFolderOfAnotherUserCanBeRoots()
    {
        Make(Tar(Folder("d", uid: 1000), File("d/f", "", uid: 1000, gid: 7), File("d/g", "", uid: 5)));
        using (Ext4Owners owners = new(Image, Token))
        {
            owners.GiveToRoot(1000, 7);
        }

        Assert.Matches(@"User: +0 +Group: +0", Debugfs("stat /d/f"));
        Assert.Matches(@"User: +5 +Group: +0", Debugfs("stat /d/g"));
    }

    [Fact]
    public void AProgramThatFailsIsToldWithItsWords()
    {
        Assert.SkipWhen(ProgramPath.Find("mke2fs", ProgramPath.Folders + ":/usr/sbin:/sbin") is null, "mke2fs isn't installed");
        StratoException error = ClientFixture.Fails("ProgramFailed", () => Ext4Image.Make(Path.Combine(_folder, "none"), Image, 0, 0, 0, Token));
        Assert.Contains("mke2fs says", error.Message, StringComparison.Ordinal);
        Assert.Contains("apt install none-such", ClientFixture.Fails("ProgramNotFound", () => HostTool.Find("none-such-program", "none-such")).RecommendedAction, StringComparison.Ordinal);
    }

    [Fact]
    public void CancellationKillsAProgram()
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        stop.CancelAfter(200);
        Assert.ThrowsAny<OperationCanceledException>(() => HostTool.Run("/bin/sleep", ["1000"], "Sleeping", stop.Token));
    }
}
