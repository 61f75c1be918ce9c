using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using Strato.Client;
using Strato.Client.Snapshots;
using Strato.Protocol.Snapshots;
using Xunit;

namespace Strato.Tests.Unit.Client;

/// <summary>Snapshots as they lie on the disk, without an engine.</summary>
public sealed class SnapshotFilesTests : IDisposable
{
    private readonly ClientFixture _store = new();

    [Fact]
    public void WhatIsWrittenIsRead()
    {
        VmSnapshot snapshot = Make("abcdefgh", "base") with
        {
            ParentId = "bcdefghj",
            WasRunning = true,
            EngineVersion = "1.2",
            Disks = [new SnapshotDisk("disk0", 512, "0-disk0", null), new SnapshotDisk("disk1", 1024, null, DateTimeOffset.UnixEpoch)],
        };
        VmSnapshot read = SnapshotJson.Read(SnapshotJson.Write(snapshot));
        Assert.Equal((snapshot.Id, snapshot.Name, snapshot.ParentId, snapshot.Created, true, "1.2"), (read.Id, read.Name, read.ParentId, read.Created, read.WasRunning, read.EngineVersion));
        Assert.Equal(snapshot.Disks, read.Disks);
        Assert.Equal(snapshot.Definition.Name, read.Definition.Name);

        // What a newer module has written stays.
        string text = Encoding.UTF8.GetString(SnapshotJson.Write(snapshot)).Replace("\"running\"", "\"colour\": \"red\", \"running\"", StringComparison.Ordinal);
        Assert.Contains("\"colour\": \"red\"", Encoding.UTF8.GetString(SnapshotJson.Write(SnapshotJson.Read(Encoding.UTF8.GetBytes(text)))), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"version\": 1", "\"version\": 2", "version is 2")]
    [InlineData("\"0-disk0\"", "\"../disk0\"", "without a folder")]
    [InlineData("\"name\": \"base\"", "\"nam\": \"base\"", "name is missing")]
    [InlineData("\"memory\"", "\"memor\"", "of vm, memory is missing")]
    [InlineData("{", "[", "not JSON")]
    public void WhatCannotBeReadSaysWhere(string old, string next, string expected)
    {
        string text = Encoding.UTF8.GetString(SnapshotJson.Write(Make("abcdefgh", "base") with { Disks = [new SnapshotDisk("disk0", 512, "0-disk0", null)] }));
        int at = text.IndexOf(old, StringComparison.Ordinal);
        FormatException error = Assert.Throws<FormatException>(() => SnapshotJson.Read(Encoding.UTF8.GetBytes(text.Remove(at, old.Length).Insert(at, next))));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void EachStandsBehindItsParent()
    {
        List<VmSnapshot> all =
        [
            At("cccccccc", 3, "aaaaaaaa"), At("dddddddd", 4, "bbbbbbbb"), At("aaaaaaaa", 1, null), At("bbbbbbbb", 2, "aaaaaaaa"), At("eeeeeeee", 0, "gone1234"),
        ];
        List<VmSnapshot> ordered = SnapshotTree.Order(all, "cccccccc");
        Assert.Equal(["eeeeeeee", "aaaaaaaa", "bbbbbbbb", "dddddddd", "cccccccc"], ordered.Select(snapshot => snapshot.Id));
        Assert.Equal([0, 0, 1, 2, 1], ordered.Select(snapshot => snapshot.Depth));
        Assert.Equal("cccccccc", Assert.Single(ordered, snapshot => snapshot.IsCurrent).Id);
        Assert.Equal(["bbbbbbbb", "dddddddd", "cccccccc"], SnapshotTree.Below(ordered, "aaaaaaaa").Select(snapshot => snapshot.Id));
    }

    [Fact]
    public void ACircleIsShownAllTheSame()
    {
        List<VmSnapshot> ordered = SnapshotTree.Order([At("aaaaaaaa", 1, "bbbbbbbb"), At("bbbbbbbb", 2, "aaaaaaaa")], null);
        Assert.Equal(["aaaaaaaa", "bbbbbbbb"], ordered.Select(snapshot => snapshot.Id));
        Assert.Single(SnapshotTree.Below(ordered, "aaaaaaaa"));
    }

    [Fact]
    public void EveryByteOfTheMemoryCounts()
    {
        string folder = Path.Combine(_store.Root, "snapshot");
        StateFile state = WriteFiles(folder, (3 << 20) + 4096);
        Assert.Empty(SnapshotFiles.VerifyMemory(state, folder, null, _store.Token));
        string memory = Path.Combine(folder, MemoryMap.FileName);
        foreach (long at in (long[])[0, 4095, (1 << 20) + 17, (3 << 20) + 4095])
        {
            Flip(memory, at);
            string fault = Assert.Single(SnapshotFiles.VerifyMemory(state, folder, null, _store.Token));
            Assert.Contains($"in chunk {at >> 20}, the mebibyte at {at >> 20 << 20:#,0} of its file (guest address 0x{at >> 20 << 20:x})", fault, StringComparison.Ordinal);
            Flip(memory, at);
        }

        // Of the page behind it, too, which says whose it is.
        Flip(memory, (3 << 20) + 4096 + 9);
        ClientFixture.Fails("SnapshotDamaged", () => SnapshotFiles.CheckMemoryFile(state, folder));
        Flip(memory, (3 << 20) + 4096 + 9);
        using (FileStream file = new(memory, FileMode.Open))
        {
            file.SetLength(file.Length - 1);
        }

        Assert.Contains("were saved", ClientFixture.Fails("SnapshotDamaged", () => SnapshotFiles.CheckMemoryFile(state, folder)).Message, StringComparison.Ordinal);
        File.Delete(memory);
        ClientFixture.Fails("SnapshotNotFound", () => SnapshotFiles.CheckMemoryFile(state, folder));
    }

    [Fact]
    public void AStateIsReadWholeOrNotAtAll()
    {
        string folder = Path.Combine(_store.Root, "snapshot");
        WriteFiles(folder, 1 << 20);
        string path = Path.Combine(folder, StateFile.FileName);
        byte[] good = File.ReadAllBytes(path);
        for (int i = 0; i < good.Length; i += 7)
        {
            byte[] bad = [.. good];
            bad[i] ^= 0x40;
            File.WriteAllBytes(path, bad);
            Assert.Equal(StratoErrorKind.InvalidData, Assert.Throws<StratoException>(() => SnapshotFiles.ReadState(folder)).Kind);
            File.WriteAllBytes(path, good[..i]);
            Assert.Equal(StratoErrorKind.InvalidData, Assert.Throws<StratoException>(() => SnapshotFiles.ReadState(folder)).Kind);
        }

        File.Delete(path);
        ClientFixture.Fails("SnapshotNotFound", () => SnapshotFiles.ReadState(folder));
    }

    public void Dispose() => _store.Dispose();

    private static void Flip(string path, long at)
    {
        using FileStream file = new(path, FileMode.Open);
        file.Position = at;
        int value = file.ReadByte();
        file.Position = at;
        file.WriteByte((byte)(value ^ 1));
    }

    private static StateFile WriteFiles(string folder, int size)
    {
        Directory.CreateDirectory(folder);
        byte[] memory = new byte[size];
        memory[17] = 1;
        uint[] checksums = new uint[MemoryMap.ChunksOf(size)];
        for (int i = 0; i < checksums.Length; i++)
        {
            checksums[i] = Checksum.Of(memory.AsSpan(i << 20, Math.Min(1 << 20, size - (i << 20))));
        }

        StateFile state = new(Guid.NewGuid(), [new MemoryMap([(0, (ulong)size)], checksums).ToSection()]);
        File.WriteAllBytes(Path.Combine(folder, StateFile.FileName), state.ToBytes());
        using FileStream file = new(Path.Combine(folder, MemoryMap.FileName), FileMode.Create);
        file.Write(memory.AsSpan(0, 4096));
        file.SetLength(size);
        file.Position = size;
        file.Write(MemoryMap.Trailer(state.Id));
        return state;
    }

    private VmSnapshot At(string id, int second, string? parent) => Make(id, $"s{second}") with { Created = DateTimeOffset.UnixEpoch.AddSeconds(second), ParentId = parent };

    private VmSnapshot Make(string id, string name) => new()
    {
        Id = id,
        Name = name,
        Created = DateTimeOffset.UtcNow,
        Definition = new() { Id = "abcdefgh", Name = "web", Machine = "microvm", Kernel = _store.Kernel, Memory = 512 << 20, Cpu = 1, Created = DateTimeOffset.UnixEpoch },
    };
}
