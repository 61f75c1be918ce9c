using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Strato.Engine.Linux;
using Strato.Engine.Snapshot;
using Strato.Protocol;
using Xunit;

namespace Strato.Tests.Unit.Snapshots;

/// <summary>What a save leaves in its folder, wherever it ends.</summary>
public sealed class SnapshotFolderTests : IDisposable
{
    private static readonly Guid Old = new("00000000-0000-0000-0000-00000000000a");
    private static readonly Guid Interrupted = new("00000000-0000-0000-0000-00000000000b");
    private static readonly Guid New = new("00000000-0000-0000-0000-00000000000c");

    private readonly SavedFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AnEmptyFolderGetsBothFilesAtOnce()
    {
        using SnapshotFolder save = Begin(New);
        Assert.Equal(["memory.new", "state.new"], _folder.Names);
        save.Commit();
        Assert.Equal(["memory", "state"], _folder.Names);
        Assert.Equal(New, _folder.Restored());
        Assert.All(_folder.Names, name => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_folder.File(name))));
    }

    [Fact]
    public void AFolderThatIsntThereIsMade()
    {
        string path = _folder.File("web");
        using (SnapshotFolder save = SnapshotFolder.Open(path))
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(path));
        }

        Assert.Empty(Directory.GetFileSystemEntries(path));
    }

    [Fact]
    public void ASaveThatIsGivenUpLeavesTheOldOne()
    {
        Lay(0);
        using (Begin(New))
        {
            Assert.Equal(Old, _folder.Restored());
        }

        Assert.Equal(["memory", "state"], _folder.Names);
        Assert.Equal(Old, _folder.Restored());
    }

    /// <summary>The table of <see cref="SnapshotFolder"/>: what a kill leaves is the old one or the new one, and the next save goes through.</summary>
    [Theory]
    [InlineData(0, false)]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(3, true)]
    [InlineData(4, true)]
    public void WhereverAKillCameOneIsThereAndTheNextSaveGoesThrough(int step, bool isNew)
    {
        Lay(step);
        Assert.Equal(isNew ? Interrupted : Old, _folder.Restored());
        using (Begin(New))
        {
            Assert.Equal(isNew ? Interrupted : Old, _folder.Restored());
        }

        Assert.Equal(isNew ? Interrupted : Old, _folder.Restored());
        using (SnapshotFolder save = Begin(New))
        {
            save.Commit();
        }

        Assert.Equal(New, _folder.Restored());
        Assert.Equal(["memory", "state"], _folder.Names);
    }

    /// <summary>As above, and the host refuses one of the names: what was there before is there still.</summary>
    [Theory]
    [InlineData(0, "memory.new")]
    [InlineData(0, "state.new")]
    [InlineData(1, "memory.new")]
    [InlineData(1, "state.new")]
    [InlineData(2, "memory.new")]
    [InlineData(2, "state.new")]
    [InlineData(3, "memory.new")]
    [InlineData(3, "state.new")]
    [InlineData(4, "memory.new")]
    [InlineData(4, "state.new")]
    public void ANameThatTheHostRefusesTakesBackTheOthers(int step, string missing)
    {
        Lay(step);
        Guid before = _folder.Restored();
        using (SnapshotFolder save = Begin(New))
        {
            File.Delete(_folder.File(missing));
            Assert.Equal(Errno.ENOENT, Assert.Throws<LinuxException>(save.Commit).Errno);
            Assert.Equal(before, _folder.Restored());
        }

        Assert.Equal(before, _folder.Restored());
        Assert.DoesNotContain(_folder.Names, name => name.EndsWith(".new", StringComparison.Ordinal));
        using (SnapshotFolder save = Begin(New))
        {
            save.Commit();
        }

        Assert.Equal(New, _folder.Restored());
    }

    /// <summary>An old memory that has lost its name is open still: the file system gives its space back when the last who has it open closes it.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void AnOldMemoryIsGivenBackByWhoeverClosesIt(int step)
    {
        Lay(step);
        HashSet<FileIdentity> before = [.. _folder.Names.Where(name => name.StartsWith("memory", StringComparison.Ordinal) && !name.EndsWith(".new", StringComparison.Ordinal)).Select(Identify)];
        SnapshotFolder save = Begin(New);
        save.Commit();
        Assert.Equal(["memory", "state"], _folder.Names);
        List<FileDescriptor> files = save.End();
        HashSet<FileIdentity> open = [.. files.Select(file => FileIdentity.Of(file.Value)!.Value)];
        Assert.True(before.IsSubsetOf(open), $"of {before.Count} old memories some were given back while the guest waits");
        files.ForEach(file => file.Dispose());

        FileIdentity Identify(string name)
        {
            using FileDescriptor file = new(Libc.Open(_folder.File(name), Libc.O_RDONLY));
            return FileIdentity.Of(file.Value)!.Value;
        }
    }

    [Fact]
    public void WhatCantBePutAsideStays()
    {
        Lay(0);
        Directory.CreateDirectory(_folder.File("memory.old"));
        using (SnapshotFolder save = Begin(New))
        {
            Assert.Equal(Errno.EISDIR, Assert.Throws<LinuxException>(save.Commit).Errno);
        }

        Assert.Equal(["memory", "memory.old", "state"], _folder.Names);
        Assert.Equal(Old, _folder.Restored());
    }

    [Fact]
    public void AStateThatIsDamagedGivesWay()
    {
        Lay(0);
        File.WriteAllText(_folder.File("state"), "nothing");
        using SnapshotFolder save = Begin(New);
        save.Commit();
        Assert.Equal(New, _folder.Restored());
        Assert.Equal(["memory", "state"], _folder.Names);
    }

    [Fact]
    public void TwoDontSaveIntoOneFolder()
    {
        using (SnapshotFolder first = Begin(New))
        {
            UserErrorException error = Assert.Throws<UserErrorException>(() => SnapshotFolder.Open(_folder.Path));
            Assert.Equal("SnapshotBusy", error.Id);
            Assert.Contains(_folder.Path, error.Message, StringComparison.Ordinal);
            first.Commit();
            using SnapshotFolder second = SnapshotFolder.Open(_folder.Path);
            first.Dispose();
            Assert.Equal("SnapshotBusy", Assert.Throws<UserErrorException>(() => SnapshotFolder.Open(_folder.Path)).Id);
        }

        Assert.Equal(New, _folder.Restored());
        SnapshotFolder.Open(_folder.Path).Dispose();
    }

    [Fact]
    public void WhatCantBeWrittenIsToldByItsPath()
    {
        File.WriteAllText(_folder.File("file"), "");
        Refused(_folder.File("file"), "Not a directory");
        Refused(_folder.File("file/below"), "Not a directory");
        Refused(_folder.File("no/parent"), "No such file");
        Refused("/proc/self", "");
        Directory.CreateDirectory(_folder.File("a/state.new"));
        Refused(_folder.File("a"), "Is a directory");
        Assert.Equal(["state.new"], Directory.GetFileSystemEntries(_folder.File("a")).Select(Path.GetFileName));
        Directory.CreateDirectory(_folder.File("b"));
        File.CreateSymbolicLink(_folder.File("b/memory.new"), _folder.File("file"));
        Refused(_folder.File("b"), "symbolic links");
        Assert.Equal("", File.ReadAllText(_folder.File("file")));
    }

    [Fact]
    public void WhatIsntThereIsToldAsSuch()
    {
        OpenRefused("SnapshotNotFound", "/state' can't be opened: No such file");
        _folder.WriteState(Old);
        OpenRefused("SnapshotNotFound", "/memory' can't be opened: No such file");
        File.Delete(_folder.File("state"));
        _folder.WriteMemory(Old);
        OpenRefused("SnapshotNotFound", "/state' can't be opened: No such file");
        Assert.Equal("SnapshotNotFound", Assert.Throws<UserErrorException>(() => SnapshotFiles.Open(IncomingSnapshot.Parse($"file:{_folder.File("memory")}", false))).Id);
    }

    [Theory]
    [InlineData("state")]
    [InlineData("memory")]
    public void WhatIsNoFileIsRefusedAtOnce(string name)
    {
        Lay(0);
        File.Delete(_folder.File(name));
        MakeFifo(_folder.File(name));
        OpenRefused("SnapshotNotReadable", $"/{name}' is no regular file");
        File.Delete(_folder.File(name));
        Directory.CreateDirectory(_folder.File(name));
        OpenRefused("SnapshotNotReadable", $"/{name}'");
    }

    [Fact]
    public void AStateThatIsCutOrOverlongIsDamaged()
    {
        Lay(0);
        byte[] state = File.ReadAllBytes(_folder.File("state"));
        for (int length = 0; length < state.Length; length += 7)
        {
            File.WriteAllBytes(_folder.File("state"), state[..length]);
            OpenRefused("SnapshotDamaged", "state is damaged");
        }

        using (FileStream file = File.OpenWrite(_folder.File("state")))
        {
            file.SetLength(1L << 40);
        }

        OpenRefused("SnapshotDamaged", "1099511627776 bytes are more than any has");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4095)]
    [InlineData(4096)]
    [InlineData(SavedFolder.MemoryBytes)]
    [InlineData(SavedFolder.MemoryBytes + 4095)]
    [InlineData(SavedFolder.MemoryBytes + 4097)]
    [InlineData(2 * SavedFolder.MemoryBytes)]
    public void MemoryOfAnotherLengthIsDamaged(int length)
    {
        Lay(0);
        using (FileStream file = File.OpenWrite(_folder.File("memory")))
        {
            file.SetLength(length);
        }

        OpenRefused("SnapshotDamaged", $"/memory' is damaged: it has {length} bytes, and {SavedFolder.MemoryBytes + 4096} were saved");
    }

    [Fact]
    public void AnotherSnapshotsMemoryIsRefused()
    {
        Lay(0);
        _folder.WriteMemory(New);
        OpenRefused("SnapshotDamaged", $"is another snapshot's than the state ({New} and {Old})");

        // Nor does one that was put aside and is a third's help.
        _folder.WriteMemory(Interrupted, "memory.old");
        OpenRefused("SnapshotDamaged", $"is another snapshot's than the state ({New} and {Old})");
        byte[] memory = SavedFolder.Memory(Old);
        for (int at = SavedFolder.MemoryBytes; at < memory.Length; at += at < SavedFolder.MemoryBytes + 32 ? 1 : 97)
        {
            memory[at] ^= 1;
            File.WriteAllBytes(_folder.File("memory"), memory);
            OpenRefused("SnapshotDamaged", "its end doesn't say whose it is");
            memory[at] ^= 1;
        }
    }

    [Theory]
    [InlineData("", "InvalidOption")]
    [InlineData("file:", null)]
    [InlineData("tcp:host:1", "InvalidOption")]
    [InlineData("state=/a", "InvalidOption")]
    [InlineData("memory=/a,state=/b", "InvalidOption")]
    [InlineData("state=,memory=/b", null)]
    [InlineData("state=/a,memory=", null)]
    public void WhatIsNoSnapshotIsRefused(string uri, string? id)
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => IncomingSnapshot.Parse(uri, keepsTime: false));
        Assert.Equal(("-incoming", id ?? error.Id), (error.Where, error.Id));
    }

    [Fact]
    public void FilesMayBeNamedOneByOne()
    {
        IncomingSnapshot files = IncomingSnapshot.Parse("state=/dev/fdset/1,memory=/dev/fdset/2", keepsTime: true);
        Assert.Equal("/dev/fdset/1", files.State);
        Assert.Equal(["/dev/fdset/2"], files.Memory);
        Assert.True(files.KeepsTime);
        IncomingSnapshot folder = IncomingSnapshot.Parse("file:/a b", keepsTime: false);
        Assert.Equal("/a b/state", folder.State);
        Assert.Equal(["/a b/memory", "/a b/memory.old"], folder.Memory);
    }

    /// <summary>What a kill behind a step of a save over the old one leaves; 0 for before the first.</summary>
    private void Lay(int step)
    {
        bool isNew = step >= 3;
        _folder.WriteState(isNew ? Interrupted : Old);
        _folder.WriteMemory(step switch { 0 => Old, 1 => Old, _ => Interrupted });
        switch (step)
        {
            case 1:
                File.Move(_folder.File("memory"), _folder.File("memory.old"));
                _folder.WriteMemory(Interrupted, "memory.new");
                _folder.WriteState(Interrupted, "state.new");
                break;
            case 2:
                _folder.WriteMemory(Old, "memory.old");
                _folder.WriteState(Interrupted, "state.new");
                break;
            case 3:
                _folder.WriteMemory(Old, "memory.old");
                break;
        }
    }

    /// <summary>A save that has written its files and hasn't given them their names.</summary>
    private SnapshotFolder Begin(Guid id)
    {
        SnapshotFolder save = SnapshotFolder.Open(_folder.Path);
        _folder.WriteMemory(id, "memory.new");
        _folder.WriteState(id, "state.new");
        return save;
    }

    private static void Refused(string folder, string reason)
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => SnapshotFolder.Open(folder));
        Assert.Equal("SnapshotNotWritable", error.Id);
        Assert.Contains(folder, error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    private void OpenRefused(string id, string message)
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => SnapshotFiles.Open(_folder.Incoming));
        Assert.Equal(id, error.Id);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    private static void MakeFifo(string path)
    {
        using System.Diagnostics.Process mkfifo = System.Diagnostics.Process.Start("mkfifo", [path]);
        mkfifo.WaitForExit();
        Assert.Equal(0, mkfifo.ExitCode);
    }
}
