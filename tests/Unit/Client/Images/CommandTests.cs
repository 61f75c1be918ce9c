using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Strato.Client;
using Strato.Client.Images;
using Strato.Client.Linux;
using Xunit;

namespace Strato.Tests.Unit.Client.Images;

/// <summary>Commands of images: the scripts that run them, what comes back, and VMs that are there for one command.</summary>
public sealed class CommandTests : IDisposable
{
    private readonly ClientFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    private (string[] Said, int Code) Shell(string script)
    {
        string path = _fixture.WriteFile("script", script), output = Path.Combine(_fixture.Root, "said");
        using Process shell = Process.Start(new ProcessStartInfo("/bin/sh", [path]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })!;
        string said = shell.StandardOutput.ReadToEnd() + shell.StandardError.ReadToEnd();
        shell.WaitForExit();
        Assert.False(File.Exists(output));
        return (said.Split('\n'), shell.ExitCode);
    }

    [Fact]
    public void AProgramGetsItsArgumentsVariablesAndFolder()
    {
        ImageRun run = new() { Environment = ["A=it's $HOME", "B=1", "no equals"], WorkingDirectory = "/usr", Home = "/home/of it" };
        (string[] said, int code) = Shell(run.Script(["sh", "-c", "printf '%s\\n' \"$A\" \"$B\" \"$HOME\" \"$PWD\" \"$@\"; exit 7", "name", "two words", "", "it's"], new Dictionary<string, string> { ["B"] = "2" }));
        Assert.Equal(["it's $HOME", "2", "/home/of it", "/usr", "two words", "", "it's", ""], said);
        Assert.Equal(7, code);
    }

    [Fact]
    public void WhatIsNotThereIsToldByItsExitCode()
    {
        (string[] said, int code) = Shell(new ImageRun().Script(["no such"]));
        Assert.Equal(["strato-guest: no such: not found", ""], said);
        Assert.Equal(127, code);
        Assert.Equal(126, Shell(new ImageRun { WorkingDirectory = "/no/such" }.Script(["true"])).Code);
    }

    [Fact]
    public void ALineIsTheShells()
    {
        (string[] said, int code) = Shell(new ImageRun { WorkingDirectory = "/" }.ShellScript("echo 'a b'; echo c; exit 3"));
        Assert.Equal(["a b", "c", ""], said);
        Assert.Equal(3, code);
    }

    [Theory]
    [InlineData("", 0, 0, "/root")]
    [InlineData("web", 33, 34, "/srv")]
    [InlineData("33", 33, 34, "/srv")]
    [InlineData("500", 500, 0, "/")]
    [InlineData("500:600", 500, 600, "/")]
    [InlineData("web:staff", 33, 50, "/srv")]
    public void UsersAreThoseOfTheImage(string user, int uid, int gid, string home)
    {
        ImageRun run = ImageRun.Of(new ImageConfig { User = user }, Lines);
        Assert.Equal(((uint)uid, (uint)gid, home), (run.Uid, run.Gid, run.Home));
    }

    [Theory]
    [InlineData("nobody")]
    [InlineData("web:none")]
    [InlineData(":web")]
    public void UnknownUsersAreTold(string user) => ClientFixture.Fails("ImageUser", () => ImageRun.Of(new ImageConfig { User = user }, Lines));

    private static string[] Lines(string path) => path == "etc/passwd" ? ["root:x:0:0::/root:/bin/sh", "web:x:33:34::/srv:/bin/sh", "odd", ":::"] : ["staff:x:50:", "x"];

    [Fact]
    public void AMarkIsFoundHoweverTheBytesCome()
    {
        Random random = new(3);
        byte[] mark = "\n0123456789ABCDEF"u8.ToArray();
        for (int round = 0; round < 500; round++)
        {
            byte[] content = new byte[random.Next(60)];
            for (int i = 0; i < content.Length; i++)
            {
                content[i] = mark[random.Next(3)];
            }

            byte[] all = [.. content, .. mark, .. "what a daemon says later"u8];
            CommandRun.Collector collector = new(mark, 40);
            for (int at = 0; at < all.Length;)
            {
                int count = Math.Min(random.Next(1, 20), all.Length - at);
                collector.Add(all.AsSpan(at, count));
                at += count;
            }

            Assert.True(collector.IsWhole);
            Assert.Equal(content[..Math.Min(40, content.Length)], collector.Bytes);
            Assert.Equal(content.Length > 40, collector.Truncated);
        }
    }

    private VmCommand Command(string line = "true")
    {
        Assert.SkipWhen(ProgramPath.Find("mke2fs", ProgramPath.Folders + ":/usr/sbin:/sbin") is null, "mke2fs isn't installed");
        string folder = Path.Combine(_fixture.Root, "image");
        Directory.CreateDirectory(folder);
        _fixture.WriteFile("image/hello", "world");
        return new VmCommand { Image = folder, Line = line, Kernel = _fixture.Kernel, ModulePath = "" };
    }

    private void AssertNothingIsLeft()
    {
        Assert.Empty(Client.List().Definitions);
        Assert.Empty(Directory.EnumerateDirectories(_fixture.Paths.VmsDirectory));
        Assert.DoesNotContain(Directory.EnumerateDirectories(Client.ImageCache), folder => Path.GetFileName(folder).StartsWith('.'));
    }

    private StratoClient Client => _fixture.Client;

    [Fact]
    public void AGuestThatNeverAnswersIsTurnedOffAndGone()
    {
        StratoException error = ClientFixture.Fails("CommandTimeout", () => Client.Invoke(Command() with { Timeout = TimeSpan.FromSeconds(2) }, _fixture.Token));
        Assert.Contains("Its console", error.Message, StringComparison.Ordinal);
        AssertNothingIsLeft();
    }

    [Fact]
    public void AGuestThatFailsToStartIsGone()
    {
        _fixture.UseEngineScript("exit 3");
        ClientFixture.Fails("EngineFailed", () => Client.Invoke(Command(), _fixture.Token));
        AssertNothingIsLeft();
    }

    [Fact]
    public async Task CancellationEndsItAtOnce()
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(_fixture.Token);
        Task<VmCommandOutcome> run = Task.Run(() => Client.Invoke(Command(), stop.Token), _fixture.Token);
        ClientFixture.Until(() => Client.List().Definitions is [{ } vm] && Client.Snapshot(vm.Id).State == VmState.Running, "the VM");
        Assert.True(Client.List().Definitions[0].Ephemeral);
        Stopwatch watch = Stopwatch.StartNew();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), $"{watch.Elapsed}");
        AssertNothingIsLeft();
    }

    [Fact]
    public async Task AnEngineThatIsKilledIsToldWithTheConsole()
    {
        Task<VmCommandOutcome> run = Task.Run(() => Client.Invoke(Command(), _fixture.Token), _fixture.Token);
        ClientFixture.Until(() => Client.List().Definitions is [{ } vm] && Client.Snapshot(vm.Id).State == VmState.Running, "the VM");
        ClientFixture.Signal(Client.Snapshot(Client.List().Definitions[0].Id).ProcessId!.Value, Libc.SIGKILL);
        StratoException error = await Assert.ThrowsAsync<StratoException>(() => run);
        Assert.Equal("CommandLost", error.Id);
        AssertNothingIsLeft();
    }

    [Fact]
    public void ImagesAreMadeOnceAndTheOldestGoFirst()
    {
        VmCommand command = Command();
        GuestImageSettings settings = new() { Path = command.Image, Kernel = command.Kernel, ModulePath = "", Destination = "" };
        GuestImageInfo first = Client.UseCachedImage(settings, image => image, _fixture.Token);
        Assert.Equal(first.Root, Client.UseCachedImage(settings, image => image, _fixture.Token).Root);
        _fixture.WriteFile("image/hello", "another world");
        GuestImageInfo second = Client.UseCachedImage(settings, image => image, _fixture.Token);
        Assert.NotEqual(first.Root, second.Root);
        File.SetLastWriteTimeUtc(Path.Combine(Path.GetDirectoryName(first.Root)!, ImageFiles.Description), DateTime.UtcNow.AddDays(-1));

        // One that a VM has stays.
        VmDefinition vm = _fixture.Create();
        Client.AddDrive(vm.Id, new DriveSettings { Path = first.Root });
        Client.RemoveOldImages(Path.GetDirectoryName(second.Root)!, 0);
        Assert.True(File.Exists(first.Root));
        Client.Delete(vm.Id);
        Client.RemoveOldImages(Path.GetDirectoryName(second.Root)!, 0);
        Assert.False(File.Exists(first.Root));
        Assert.True(File.Exists(second.Root));
    }

    [Fact]
    public void FilesAreMadeTogetherOrNotAtAll()
    {
        VmCommand command = Command();
        string destination = Path.Combine(_fixture.Root, "made");
        GuestImageSettings settings = new() { Path = command.Image, Kernel = command.Kernel, ModulePath = "", Destination = destination };
        GuestImageInfo made = Client.CreateImage(settings, _fixture.Token);
        Assert.Equal((Path.Combine(destination, "vmlinuz"), Path.Combine(destination, "initrd.img"), Path.Combine(destination, "root.ext4")), (made.Kernel, made.Initrd, made.Root));
        Assert.Equal(4, Directory.EnumerateFileSystemEntries(destination).Count());
        ClientFixture.Fails("FileExists", () => Client.CreateImage(settings, _fixture.Token));
        Client.CreateImage(settings with { Replace = true }, _fixture.Token);
        ClientFixture.Fails("ImageNotFound", () => Client.CreateImage(settings with { Path = "/no/such" }, _fixture.Token));
        ClientFixture.Fails("ImageSize", () => Client.CreateImage(settings with { Size = 5, Replace = true }, _fixture.Token));
        string damaged = _fixture.WriteFile("damaged.tar", "nonsense");
        string other = Path.Combine(_fixture.Root, "other");
        ClientFixture.Fails("ImageDamaged", () => Client.CreateImage(settings with { Path = damaged, Destination = other }, _fixture.Token));
        Assert.Empty(Directory.EnumerateFileSystemEntries(other));
    }

    [Fact]
    public void NothingToRunIsToldBeforeAVmIsMade()
    {
        ClientFixture.Fails("CommandMissing", () => Client.Invoke(Command() with { Line = null }, _fixture.Token));
        AssertNothingIsLeft();
    }
}
