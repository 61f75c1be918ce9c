using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using Strato.Client;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Strato.Tests.Unit.Net;
using Xunit;

namespace Strato.Tests.Unit.Client;

/// <summary>What an engine inherits open at its start, told by a shell script in its place; and that nothing of it stays open here.</summary>
[Collection(TapCollection.Name)]
public sealed class StartFilesTests : IDisposable
{
    private const string Hold = "exec sleep 1000 3>&-";
    private readonly ClientFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public void TheMachinesFilesAreInheritedOpen()
    {
        string seen = Path.Combine(_fixture.Root, "seen");
        _fixture.UseEngineScript($"for a; do printf '%s\\n' \"$a\"; done > '{seen}'; echo ok >&3; {Hold}");
        string initrd = _fixture.WriteFile("initrd, the first", "i");
        string written = _fixture.WriteFile("written.img", new string('w', 512));
        string read = _fixture.WriteFile("read.img", new string('r', 512));
        string thrown = _fixture.WriteFile("thrown.img", new string('t', 512));
        VmDefinition vm = _fixture.Client.Create(new VmSettings { Name = "web", Kernel = _fixture.Kernel, Initrd = initrd });
        _fixture.Client.AddDrive(vm.Id, new DriveSettings { Path = written });
        _fixture.Client.AddDrive(vm.Id, new DriveSettings { Path = read, ReadOnly = true });
        _fixture.Client.AddDrive(vm.Id, new DriveSettings { Path = thrown, Io = new DriveIo { Snapshot = true } });
        int pid = _fixture.Client.Start(vm.Id, null, _fixture.Token).ProcessId!.Value;
        ClientFixture.Until(() => Procfs.ReadText($"/proc/{pid}/cmdline") == "sleep\01000\0", "exec");

        (string, int)[] wanted = [(_fixture.Kernel, Libc.O_RDONLY), (initrd, Libc.O_RDONLY), (written, Libc.O_RDWR), (read, Libc.O_RDONLY), (thrown, Libc.O_RDONLY)];
        for (int i = 0; i < wanted.Length; i++)
        {
            Assert.Equal(wanted[i], (Target($"/proc/{pid}/fd/{4 + i}"), AccessOf(pid, 4 + i)));
        }

        Assert.False(Path.Exists($"/proc/{pid}/fd/{4 + wanted.Length}"), "one more is open");
        Assert.Empty(OpenHere());
        List<string> line = [.. File.ReadAllLines(seen)];
        Assert.Equal("/dev/fdset/0", After("-kernel"));
        Assert.Equal("/dev/fdset/1", After("-initrd"));
        Assert.Contains("id=disk0,file=/dev/fdset/2,readonly=off", line);
        Assert.Contains("id=disk1,file=/dev/fdset/3,readonly=on", line);
        Assert.Contains($"fd=5,set=1,opaque={_fixture.Root}/initrd,, the first,keep=off", line);
        Assert.Contains($"fd=6,set=2,opaque={written},keep=off", line);
        _fixture.Client.Stop(vm.Id, new StopOptions { TurnOff = true }, _fixture.Token);

        string After(string option) => line[line.IndexOf(option) + 1];
    }

    [Fact]
    public void WhatCanNotBeOpenedKeepsItsNameAndNothingStaysOpen()
    {
        string seen = Path.Combine(_fixture.Root, "seen");
        _fixture.UseEngineScript($"echo \"$@\" > '{seen}'; echo '{{\"id\":\"DriveNotFound\",\"message\":\"m\",\"where\":\"-drive file\"}}' >&3; exit 1");
        string image = _fixture.WriteFile("disk.img", new string('x', 512));
        string gone = _fixture.WriteFile("gone.img", new string('x', 512));
        VmDefinition vm = _fixture.Create();
        _fixture.Client.AddDrive(vm.Id, new DriveSettings { Path = image });
        _fixture.Client.AddDrive(vm.Id, new DriveSettings { Path = gone });
        _fixture.Client.AddNetworkAdapter(vm.Id, new NetworkAdapterSettings { TapName = "nosuchtap0", QueueCount = 2 });
        File.Delete(gone);
        ClientFixture.Fails("DriveNotFound", () => _fixture.Client.Start(vm.Id));
        string line = File.ReadAllText(seen);
        Assert.Contains("id=disk0,file=/dev/fdset/1,", line, StringComparison.Ordinal);
        Assert.Contains($"id=disk1,file={gone},", line, StringComparison.Ordinal);
        Assert.Contains("tap,id=net0,ifname=nosuchtap0,queues=2 ", line, StringComparison.Ordinal);
        Assert.Empty(OpenHere());

        // Neither where there is no engine to give them to.
        File.WriteAllText(_fixture.Engine, "\u007fELF nonsense");
        ClientFixture.Fails("EngineStartFailed", () => _fixture.Client.Start(vm.Id));
        Assert.Empty(OpenHere());
    }

    [Fact]
    public void ATapIsInheritedQueueByQueue()
    {
        using TemporaryTap tap = new(Libc.IFF_MULTI_QUEUE);
        using StartFiles files = new(_fixture.Paths, "abcdefgh", Deadline.Never, _fixture.Token);
        NetworkAdapterDefinition adapter = new() { Id = "net,0", Settings = new() { TapName = tap.Name, QueueCount = 2 } };
        Assert.Equal("tap,id=net,,0,fds=4:5", files.OpenNetdev(adapter, EngineArguments.Part));
        Assert.Equal(2, files.Files.Count);
        Assert.All(files.Files, file => Assert.Equal("/dev/net/tun", Target($"/proc/self/fd/{file.Value}")));

        // One that can't be had as it is wished: this tap is of several queues.
        Assert.Equal($"tap,id=b,ifname={tap.Name}", files.OpenNetdev(new() { Id = "b", Settings = new() { TapName = tap.Name } }, EngineArguments.Part));
        Assert.Equal(2, files.Files.Count);
    }

    [Fact]
    public void AHundredDescriptorsArriveInTheirOrder()
    {
        const int Count = 100;
        string seen = Path.Combine(_fixture.Root, "seen");
        List<FileDescriptor> passed = [];
        using ReadinessPipe pipe = new();
        try
        {
            for (int i = 0; i < Count; i++)
            {
                passed.Add(new FileDescriptor(Libc.Open(_fixture.WriteFile($"file{i:d3}", ""), Libc.O_RDONLY)));
            }

            // Whose numbers are in the way of others'.
            passed.Reverse();
            string last = string.Create(CultureInfo.InvariantCulture, $"{Spawn.FirstPassed + Count}");
            int pid = Spawn.Start(
                "/bin/bash", ["-c", $"for ((i = {Spawn.FirstPassed}; i < {last}; i++)); do readlink /proc/$$/fd/$i; done; [ -e /proc/$$/fd/{last} ] || echo end"], output: -1, seen, pipe.WriteEnd, passed);
            Assert.True(ChildWatch.Begin(pid, 0, exitFile: null).Wait(TimeSpan.FromSeconds(20)));
        }
        finally
        {
            passed.ForEach(file => file.Dispose());
        }

        Assert.Equal([.. Enumerable.Range(0, Count).Select(i => Path.Combine(_fixture.Root, $"file{Count - 1 - i:d3}")), "end"], File.ReadAllLines(seen));
        Assert.Empty(OpenHere());
    }

    /// <summary>What this process has open of the test's own files.</summary>
    private string[] OpenHere() =>
        [.. Directory.EnumerateFileSystemEntries("/proc/self/fd").Select(Target).Where(target => target.StartsWith(_fixture.Root, StringComparison.Ordinal))];

    private static string Target(string link)
    {
        try
        {
            return new FileInfo(link).LinkTarget ?? "";
        }
        catch (IOException)
        {
            // Another test has closed it meanwhile.
            return "";
        }
    }

    /// <summary>O_RDONLY, O_WRONLY or O_RDWR.</summary>
    private static int AccessOf(int pid, int fd)
    {
        string flags = Procfs.ReadText($"/proc/{pid}/fdinfo/{fd}")!.Split('\n').Single(line => line.StartsWith("flags:", StringComparison.Ordinal));
        return Convert.ToInt32(flags["flags:".Length..].Trim(), 8) & 3;
    }
}
