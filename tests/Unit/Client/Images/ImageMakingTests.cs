using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Strato.Client;
using Strato.Client.Images;
using Strato.Client.Linux;
using Strato.Client.Store;
using Xunit;

namespace Strato.Tests.Unit.Client.Images;

/// <summary>Images are whole or not there, whoever else makes them and whatever was left of them.</summary>
public sealed class ImageMakingTests : IDisposable
{
    private readonly ClientFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    private StratoClient Client => _fixture.Client;

    private string Destination => Path.Combine(_fixture.Root, "made");

    private GuestImageSettings Settings()
    {
        Assert.SkipWhen(ProgramPath.Find("mke2fs", ProgramPath.Folders + ":/usr/sbin:/sbin") is null, "mke2fs isn't installed");
        string folder = Directory.CreateDirectory(Path.Combine(_fixture.Root, "image")).FullName;
        string file = Path.Combine(folder, "hello");
        if (!File.Exists(file))
        {
            File.WriteAllText(file, "world");
        }

        return new GuestImageSettings { Path = folder, Kernel = _fixture.Kernel, ModulePath = "", Destination = Destination };
    }

    private GuestImageInfo Cached() => Client.UseCachedImage(Settings(), image => image, _fixture.Token);

    [Theory]
    [InlineData("image.json", "nonsense")]
    [InlineData("image.json", "{\"command\":[1]}")]
    [InlineData("image.json", null)]
    [InlineData("root.ext4", null)]
    public void ADamagedImageOfTheCacheIsMadeAnew(string name, string? content)
    {
        string folder = Path.GetDirectoryName(Cached().Root)!;
        File.Delete(Path.Combine(folder, name));
        if (content is not null)
        {
            File.WriteAllText(Path.Combine(folder, name), content);
        }

        Assert.Equal(folder, Path.GetDirectoryName(Cached().Root));
        Assert.Equal(ImageFiles.All.Order(), Directory.EnumerateFiles(folder).Select(Path.GetFileName).Order());
        Assert.Equal([folder], Directory.EnumerateDirectories(Client.ImageCache));
    }

    [Fact]
    public void NoImageIsRemovedWhileItsUserMakesAVmOfIt() => Client.UseCachedImage(
        Settings(),
        image =>
        {
            Assert.Null(FileLock.TryTake(Path.Combine(Client.ImageCache, ".lock"), Deadline.After(TimeSpan.Zero), _fixture.Token));
            return image;
        },
        _fixture.Token);

    [Fact]
    public void NoImageIsRemovedThatAVmMayHaveWhoseDefinitionIsDamaged()
    {
        GuestImageInfo image = Cached();
        VmDefinition vm = _fixture.Create();
        File.WriteAllText(_fixture.Paths.DefinitionFile(vm.Id), "nonsense");
        Client.RemoveOldImages("", 0);
        Assert.True(File.Exists(image.Root));
        Directory.Delete(_fixture.Paths.VmDirectory(vm.Id), recursive: true);
        Client.RemoveOldImages("", 0);
        Assert.False(File.Exists(image.Root));
    }

    [Fact]
    public void WhatAKilledMakerLeftIsRemovedAndWhatALivingOneHasIsNot()
    {
        GuestImageSettings settings = Settings();
        string dead = Directory.CreateDirectory(Path.Combine(Destination, $".tmp-{Guid.NewGuid():N}")).FullName;
        File.WriteAllText(Path.Combine(dead, "lock"), "");
        string other = Directory.CreateDirectory(Path.Combine(Destination, ".tmp-mine")).FullName;
        using (WorkFolder living = WorkFolder.Make(Destination, _fixture.Token))
        {
            Client.CreateImage(settings, _fixture.Token);
            Assert.Equal([living.Path, other], Directory.EnumerateDirectories(Destination).Order());
        }

        Assert.Equal([other], Directory.EnumerateDirectories(Destination));
    }

    [Fact]
    public void WhatCannotBeReplacedLeavesAllAsItWas()
    {
        GuestImageSettings settings = Settings() with { Replace = true };
        Client.CreateImage(settings, _fixture.Token);
        foreach (string name in ImageFiles.All)
        {
            File.WriteAllText(Path.Combine(Destination, name), "before");
        }

        File.Delete(Path.Combine(Destination, "root.ext4"));
        Directory.CreateDirectory(Path.Combine(Destination, "root.ext4"));
        ClientFixture.Fails("FileExists", () => Client.CreateImage(settings, _fixture.Token));
        Assert.All((string[])["vmlinuz", "initrd.img", "image.json"], name => Assert.Equal("before", File.ReadAllText(Path.Combine(Destination, name))));
        Assert.Equal(4, Directory.EnumerateFileSystemEntries(Destination).Count());
    }

    [Fact]
    public void AFailureHalfwayPutsBackWhatWasThere()
    {
        string from = Directory.CreateDirectory(Path.Combine(_fixture.Root, "from")).FullName, aside = Directory.CreateDirectory(Path.Combine(_fixture.Root, "aside")).FullName;
        Directory.CreateDirectory(Destination);
        foreach (string name in ImageFiles.All)
        {
            File.WriteAllText(Path.Combine(from, name), "new");
            File.WriteAllText(Path.Combine(Destination, name), "before");
        }

        File.Delete(Path.Combine(from, "root.ext4"));
        Assert.Throws<FileNotFoundException>(() => ImageFiles.Publish(from, Destination, aside, replace: true, _fixture.Token));
        Assert.All(ImageFiles.All, name => Assert.Equal("before", File.ReadAllText(Path.Combine(Destination, name))));
        Assert.Equal("new", File.ReadAllText(Path.Combine(from, "vmlinuz")));
    }

    [Fact]
    public async Task OfTwoWritersOneIsToldThatTheFilesAreThere()
    {
        GuestImageSettings settings = Settings();
        Task<GuestImageInfo>[] writers = [.. Enumerable.Range(0, 3).Select(_ => Task.Run(() => Client.CreateImage(settings, _fixture.Token), _fixture.Token))];
        await Task.WhenAll(writers).ContinueWith(static _ => { }, _fixture.Token, TaskContinuationOptions.None, TaskScheduler.Default);
        _ = Assert.Single(writers, writer => writer.IsCompletedSuccessfully);
        Assert.All(writers.Where(writer => writer.IsFaulted), writer => Assert.Equal("FileExists", Assert.IsType<StratoException>(writer.Exception!.InnerException).Id));
        Assert.Equal(ImageFiles.All.Order(), Directory.EnumerateFileSystemEntries(Destination).Select(Path.GetFileName).Order());
    }

    [Fact]
    public async Task AProgramThatTidiesUpIsAskedToEndAndItsFolderGoesThen()
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(_fixture.Token);
        string ready = Path.Combine(_fixture.Root, "ready"), tidied = Path.Combine(_fixture.Root, "tidied");
        Directory.CreateDirectory(Destination);
        WorkFolder work = WorkFolder.Make(Destination, stop.Token);
        Task run = Task.Run(
            () =>
            {
                using (work)
                {
                    // Its folder is there yet when it tidies up.
                    HostTool.Run("/bin/sh", ["-c", "trap 'test -d \"$3\" && >\"$2\"; exit 1' TERM; >\"$1\"; while :; do sleep 0.05; done", "sh", ready, tidied, work.Path], "Waiting", stop.Token, work.Leave);
                }
            },
            _fixture.Token);
        ClientFixture.Until(() => File.Exists(ready), "the program");
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        ClientFixture.Until(() => File.Exists(tidied) && !Directory.Exists(work.Path), "the end of both");
    }

    [Fact]
    public void LinksInAFolderAreCopiedAsLinksWhereverTheyLead()
    {
        GuestImageSettings settings = Settings();
        foreach ((string name, string target) in ((string, string)[])[("image/loop", "."), ("image/out", "/etc"), ("image/none", "nowhere"), ("image/file", "hello")])
        {
            File.CreateSymbolicLink(Path.Combine(_fixture.Root, name), target);
        }

        string root = Client.CreateImage(settings, _fixture.Token).Root;
        foreach ((string name, string target) in ((string, string)[])[("loop", "."), ("out", "/etc"), ("none", "nowhere"), ("file", "hello")])
        {
            IReadOnlyList<string> said = HostTool.Run(HostTool.Find("debugfs", "e2fsprogs"), ["-R", $"stat /{name}", root], "debugfs", _fixture.Token);
            Assert.Contains(said, line => line.Contains("Type: symlink", StringComparison.Ordinal));
            Assert.Contains(said, line => line.Contains($"\"{target}\"", StringComparison.Ordinal));
        }

        // Where one leads is part of what the image is known by.
        string first = Client.UseCachedImage(settings, image => image.Root, _fixture.Token);
        File.Delete(Path.Combine(_fixture.Root, "image/none"));
        File.CreateSymbolicLink(Path.Combine(_fixture.Root, "image/none"), "elsewhere");
        Assert.NotEqual(first, Client.UseCachedImage(settings, image => image.Root, _fixture.Token));
    }

    [Fact]
    public void AVmWhoseCommandWasKilledBeforeItsStartIsRemovedAndOneWithALivingCommandIsNot()
    {
        VmDefinition vm;
        FileLock? maker = null;
        VmSettings settings = VmRules.Complete(new VmSettings { Name = "run-1", Kernel = _fixture.Kernel, Ephemeral = true });
        vm = new VmStore(_fixture.Paths).Create(settings, _fixture.Token, prepare: folder => maker = FileLock.TryTake(Path.Combine(folder, StratoPaths.MakerLockName), Deadline.After(TimeSpan.Zero), _fixture.Token));
        using (maker)
        {
            Assert.NotNull(maker);
            Assert.Single(Client.List().Definitions);
        }

        Assert.Empty(Client.List().Definitions);
        Assert.False(Directory.Exists(_fixture.Paths.VmDirectory(vm.Id)));
    }

    [Fact]
    public async Task ACommandIsKnownAsTheMakerOfItsVmWhichComesInOneWrite()
    {
        GuestImageSettings settings = Settings();
        VmCommand command = new() { Image = settings.Path, Line = "true", Kernel = settings.Kernel, ModulePath = "" };
        _fixture.UseEngineScript($"while [ ! -e '{_fixture.Root}/go' ]; do sleep 0.05; done; exit 3");
        Task<VmCommandOutcome> run = Task.Run(() => Client.Invoke(command, _fixture.Token), _fixture.Token);
        ClientFixture.Until(() => Client.List().Definitions.Count == 1, "the VM");
        VmDefinition vm = Assert.Single(Client.List().Definitions);
        Assert.Equal((1, 3, true, 0), (vm.Drives.Count, vm.ConsolePorts.Count, vm.Rng is not null, vm.NetworkAdapters.Count));
        Assert.True(vm.Drives[0].Io.Snapshot);
        Assert.Null(FileLock.TryTake(_fixture.Paths.MakerLock(vm.Id), Deadline.After(TimeSpan.Zero), _fixture.Token));
        _fixture.WriteFile("go", "");
        await Assert.ThrowsAsync<StratoException>(() => run);
        Assert.Empty(Client.List().Definitions);
    }
}
