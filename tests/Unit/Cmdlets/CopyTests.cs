using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Threading;
using Strato.Client;
using Strato.Client.Disks;
using Strato.Client.Linux;
using Strato.Tests.CmdletHost;
using Strato.Tests.Unit.Client;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Copy-StratoVm, and how disks are copied.</summary>
[Collection(CmdletCollection.Name)]
public sealed class CopyTests : CmdletTests
{
    [Fact]
    public void ACopyHasTheDefinitionAndWhatIsUniqueIsItsOwn()
    {
        string socket = Path.Combine(Store.Root, "port.sock");
        Vm vm = New();
        Run(new Step("Set-StratoVm", "web").With("Memory", 1L << 30).With("Cpu", 3).With("Notes", "n").With("CpuFeature", new[] { "-aes" }));
        Run(new Step("Add-StratoIoThread", "io").With("VMName", "web"));
        Run(new Step("Add-StratoDrive", "vmlinuz").With("VMName", "web").Switch("ReadOnly").With("IoThread", "io").With("Serial", "S1"));
        Run(new Step("Add-StratoNetworkAdapter", "tap0").With("VMName", "web").With("MacAddress", "52:54:00:12:34:56"));
        Run(new Step("Add-StratoVsock", "web").With("GuestCid", 3L));
        Run(new Step("Add-StratoConsolePort", "a").With("VMName", "web").With("Path", socket));
        HostResult result = Run(new Step("Copy-StratoVm", "web", "web2"));
        Vm copy = result.Single<Vm>();
        Assert.Empty(result.Warnings);
        Assert.NotEqual(vm.Id, copy.Id);
        VmDefinition before = Store.Client.Get("web");
        VmDefinition after = Store.Client.Get("web2");
        Assert.Equal(("web2", 1L << 30, 3, "n", "quiet"), (after.Name, after.Memory, after.Cpu, after.Notes, after.CommandLine));
        Assert.Equal(["-aes"], after.Processor.Features);
        Assert.Equal(before.Drives[0] with { Extra = after.Drives[0].Extra }, after.Drives[0]);
        Assert.Equal(before.IoThreads.Select(thread => thread.Id), after.IoThreads.Select(thread => thread.Id));
        Assert.Equal(("tap0", null), (after.NetworkAdapters[0].Settings.TapName, after.NetworkAdapters[0].Settings.MacAddress));
        Assert.Equal(4, after.Vsock!.GuestCid);
        Assert.Equal(("a", null), (after.ConsolePorts[0].Id, after.ConsolePorts[0].Path));
        Assert.Equal(socket, Store.Client.Get("web").ConsolePorts[0].Path);
        Assert.True(after.Created > before.Created);

        Run(new Step("Get-StratoVm", "web"), new Step("Copy-StratoVm").With("NewName", "web3").Switch("KeepMacAddress"));
        Assert.Equal("52:54:00:12:34:56", Store.Client.Get("web3").NetworkAdapters[0].Settings.MacAddress);
    }

    [Fact]
    public void WhatBothWriteToIsAWarning()
    {
        New();
        Store.WriteFile("disk", new string('d', 512));
        Run(new Step("Add-StratoDrive", "disk").With("VMName", "web"));
        Run(new Step("Add-StratoDrive", "vmlinuz").With("VMName", "web").Switch("Snapshot"));
        Run(new Step("Add-StratoConsolePort", "a").With("VMName", "web").With("Backend", "File").With("Path", "out"));
        HostResult result = Run(new Step("Copy-StratoVm", "web", "web2"));
        Assert.Equal(2, result.Warnings.Count);
        Assert.Contains($"share the disk '{Path.Combine(Store.Root, "disk")}'", result.Warnings[0], StringComparison.Ordinal);
        Assert.Contains("console port 'a'", result.Warnings[1], StringComparison.Ordinal);
    }

    [Fact]
    public void DisksAreCopiedThatTheGuestCanWriteTo()
    {
        New();
        string disk = Store.WriteFile("web.ext4", new string('d', 1024));
        File.SetUnixFileMode(disk, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        string folder = Directory.CreateDirectory(Path.Combine(Store.Root, "disks")).FullName;
        Run(new Step("Add-StratoDrive", "web.ext4").With("VMName", "web"));
        Run(new Step("Add-StratoDrive", "vmlinuz").With("VMName", "web").Switch("ReadOnly"));
        HostResult result = Run(new Step("Copy-StratoVm", "web", "web2").Switch("CopyDisk").With("DiskDirectory", "disks"));
        Assert.Empty(result.Warnings);
        string copy = Path.Combine(folder, "web2-disk0.ext4");
        Assert.Equal([copy, Store.Kernel], result.Single<Vm>().Drives.Select(drive => drive.Path));
        Assert.Equal([copy], Directory.GetFiles(folder));
        Assert.Equal(File.ReadAllText(disk), File.ReadAllText(copy));
        Assert.Equal(File.GetUnixFileMode(disk), File.GetUnixFileMode(copy));
        Assert.Equal(Path.Combine(Store.Root, "web3-disk0.ext4"), Run(new Step("Copy-StratoVm", "web", "web3").Switch("CopyDisk")).Single<Vm>().Drives[0].Path);
    }

    [Fact]
    public void ARunningSourceIsCopiedWithoutItsWritableDisksOnly()
    {
        New();
        Store.WriteFile("disk", new string('d', 512));
        Run(new Step("Add-StratoDrive", "vmlinuz").With("VMName", "web").Switch("ReadOnly"));
        Run(new Step("Start-StratoVm", "web"));
        Assert.Equal("Stopped", Run(new Step("Copy-StratoVm", "web", "web2").Switch("CopyDisk")).Single<Vm>().State);
        Run(new Step("Stop-StratoVm", "web").Switch("TurnOff").Switch("Force"));
        Run(new Step("Add-StratoDrive", "disk").With("VMName", "web"));
        Run(new Step("Start-StratoVm", "web"));
        AssertError(Error(new Step("Copy-StratoVm", "web", "web3").Switch("CopyDisk")), "VmRunning", ErrorCategory.InvalidOperation, "web");
        Assert.Single(Run(new Step("Copy-StratoVm", "web", "web3")).Warnings);
    }

    [Fact]
    public void WhatCannotBeLeavesNothing()
    {
        New();
        New("other");
        string disk = Store.WriteFile("disk", new string('d', 512));
        Store.WriteFile("second", new string('d', 512));
        Run(new Step("Add-StratoDrive", "disk").With("VMName", "web"));
        Run(new Step("Add-StratoDrive", "second").With("VMName", "web"));
        AssertError(Error(new Step("Copy-StratoVm", "nobody", "x")), "VmNotFound", ErrorCategory.ObjectNotFound, "nobody");
        AssertError(Error(new Step("Copy-StratoVm", "web", "a/b")), "InvalidName", ErrorCategory.InvalidArgument, "web");
        AssertError(Error(new Step("Copy-StratoVm", "web", "OTHER")), "VmExists", ErrorCategory.ResourceExists, "web");
        AssertError(Error(new Step("Copy-StratoVm", "web", "x").Switch("CopyDisk").With("DiskDirectory", "nowhere")), "DirectoryNotFound", ErrorCategory.ObjectNotFound, "web");
        Assert.StartsWith("ParametersConflict", Terminates(new Step("Copy-StratoVm", "web", "x").With("DiskDirectory", ".")), StringComparison.Ordinal);
        string taken = Store.WriteFile("x-disk1", "");
        AssertError(Error(new Step("Copy-StratoVm", "web", "x").Switch("CopyDisk").Switch("WhatIf")), "FileExists", ErrorCategory.ResourceExists, "web");
        File.Delete(taken);
        Assert.Equal(["Copy to 'x': web"], Run(new Step("Copy-StratoVm", "web", "x").Switch("CopyDisk").Switch("WhatIf")).ShouldProcess);

        // The second fails when the first is done.
        File.Delete(Path.Combine(Store.Root, "second"));
        AssertError(Error(new Step("Copy-StratoVm", "web", "x").Switch("CopyDisk")), "DriveFileNotFound", ErrorCategory.ObjectNotFound, "web");
        Store.WriteFile("second", new string('d', 512));
        using (FileStream writer = new(disk, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
        {
            Lock(writer);
            AssertError(Error(new Step("Copy-StratoVm", "web", "x").Switch("CopyDisk")), "DriveInUse", ErrorCategory.ResourceBusy, "web");
        }

        using CancellationTokenSource source = new();
        Assert.Throws<OperationCanceledException>(() => Store.Client.Copy(Store.Client.Get("web").Id, "x", new CopyOptions { CopyDisk = true, Progress = (_, _, _) => source.Cancel() }, source.Token));
        Assert.Equal(["other", "web"], Run(new Step("Get-StratoVm")).Of<Vm>().Select(vm => vm.Name));
        Assert.Equal(["disk", "second", "strato-engine", "vmlinuz"], Directory.GetFiles(Store.Root).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public void HolesStayHoles(bool reflink, bool ranges)
    {
        string source = Path.Combine(Store.Root, "sparse");
        byte[] piece = new byte[100_000];
        new Random(1).NextBytes(piece);
        using (FileStream file = File.Create(source))
        {
            file.Position = 5 << 20;
            file.Write(piece);
            file.Position = 40 << 20;
            file.Write(piece);
            file.SetLength(64 << 20);
        }

        string target = Path.Combine(Store.Root, "copy");
        long last = 0;
        using (NewFile copy = DiskCopy.Copy(source, target, (done, all) => (last, _) = (done, all), Store.Token, reflink, ranges))
        {
            copy.Keep(replace: false);
        }

        Assert.Equal(64 << 20, last);
        Assert.Equal(64 << 20, new FileInfo(target).Length);
        Assert.Equal(File.ReadAllBytes(source), File.ReadAllBytes(target));
        Assert.True(Libc.TryStat(source, out Libc.statx_t before) && Libc.TryStat(target, out Libc.statx_t after) && after.stx_blocks <= before.stx_blocks + 64);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AFileHasItsNameWhenItIsWholeAndTakesNobodysPlace(bool nameless)
    {
        string folder = Directory.CreateDirectory(Path.Combine(Store.Root, "disks")).FullName;
        string path = Path.Combine(folder, "disk");
        using (NewFile file = new(path, 0x180, nameless: nameless))
        {
            Assert.Equal(3, Libc.Write(file.Fd, "new"u8));
            Assert.Equal(nameless ? 0 : 1, Directory.GetFiles(folder).Length);

            // Another is quicker.
            File.WriteAllText(path, "other");
            ClientFixture.Fails("FileExists", () => file.Keep(replace: false));
            Assert.Equal("other", File.ReadAllText(path));
        }

        Assert.Equal([path], Directory.GetFiles(folder));
        using (NewFile file = new(path, 0x180, nameless: nameless))
        {
            Assert.Equal(3, Libc.Write(file.Fd, "new"u8));
            file.Keep(replace: true);
        }

        Assert.Equal("new", File.ReadAllText(path));
        File.Delete(path);
        using (NewFile file = new(path, 0x180, nameless: nameless))
        {
            file.Keep(replace: false);
        }

        Assert.Equal([path], Directory.GetFiles(folder));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
    }

    [Fact]
    public void ALargeCopyEndsSoonAfterControlC()
    {
        string source = Path.Combine(Store.Root, "large");
        byte[] piece = new byte[1 << 20];
        new Random(1).NextBytes(piece);
        using (FileStream file = File.Create(source))
        {
            for (int i = 0; i < 192; i++)
            {
                file.Write(piece);
            }
        }

        using CancellationTokenSource cancel = new();
        Stopwatch since = new();
        Assert.Throws<OperationCanceledException>(() => DiskCopy.Copy(
            source,
            Path.Combine(Store.Root, "copy"),
            (done, all) =>
            {
                if (done >= all - (8 << 20) && !since.IsRunning)
                {
                    since.Start();
                    cancel.Cancel();
                }
            },
            cancel.Token,
            reflink: false));

        // As much as it may take beside other tests; with all of it to sync it would be seconds on a slow disk.
        Assert.InRange(since.ElapsedMilliseconds, 0, 2000);
        Assert.Equal(["large", "strato-engine", "vmlinuz"], Directory.GetFiles(Store.Root).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void ManyAtOnceHaveVsockAddressesOfTheirOwn()
    {
        Store.Client.AddVsock(Store.Create("web").Id, null, Store.Token);
        string[] others = [.. Enumerable.Range(0, 6).Select(i => Store.Create($"other{i}").Id)];
        string id = Store.Client.Get("web").Id;
        Thread[] makers =
        [
            .. Enumerable.Range(0, 6).Select(i => new Thread(() => Store.Client.Copy(id, $"copy{i}", null, Store.Token))),
            .. others.Select(other => new Thread(() => Store.Client.AddVsock(other, null, Store.Token))),
        ];
        Array.ForEach(makers, maker => maker.Start());
        Array.ForEach(makers, maker => maker.Join());
        long[] addresses = [.. Store.Client.List().Definitions.Select(vm => vm.Vsock!.GuestCid)];
        Assert.Equal(Enumerable.Range(3, 13).Select(cid => (long)cid), addresses.Order());
    }

    [Fact]
    public void ADiskThatIsNoFileIsNotCopied() =>
        ClientFixture.Fails("DriveNotFile", () => DiskCopy.Copy("/dev/null", Path.Combine(Store.Root, "copy"), null, Store.Token));

    private static unsafe void Lock(FileStream file)
    {
        Libc.flock alone = new() { l_type = Libc.F_WRLCK };
        Assert.Equal(0, Libc.fcntl((int)file.SafeFileHandle.DangerousGetHandle(), Libc.F_OFD_SETLK, &alone));
    }
}
