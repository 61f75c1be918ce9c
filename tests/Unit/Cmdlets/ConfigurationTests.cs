using System;
using System.IO;
using System.Linq;
using System.Management.Automation;
using Strato.Client;
using Strato.Tests.CmdletHost;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Export- and Import-StratoVmConfiguration, Compare-StratoVm, and Set-StratoVm -Configuration.</summary>
[Collection(CmdletCollection.Name)]
public sealed class ConfigurationTests : CmdletTests
{
    [Theory]
    [InlineData("web.psd1")]
    [InlineData("web.json")]
    public void AVmIsMadeOfAnotherVmsExport(string file)
    {
        Full();
        Assert.Empty(Run(new Step("Export-StratoVmConfiguration", "web", file)).Output);
        Vm copy = Run(new Step("Import-StratoVmConfiguration", file).With("Name", "web2")).Single<Vm>();
        Assert.Equal(("web2", "Stopped", 1L << 30), (copy.Name, copy.State, copy.Memory));
        Assert.Empty(Run(new Step("Compare-StratoVm", "web").With("DifferenceName", "web2")).Output);
        Assert.Empty(Run(new Step("Compare-StratoVm", "web2", file)).Output);
        AssertError(Error(new Step("Import-StratoVmConfiguration", file)), "VmExists", ErrorCategory.ResourceExists, file);
        Assert.NotEqual(Store.Client.Get("web").Id, copy.Id);
    }

    [Fact]
    public void AnExportIsTextOrAFileThatIsNotLost()
    {
        New();
        New("db");
        string text = Assert.IsType<string>(Assert.Single(Run(new Step("Export-StratoVmConfiguration", "web")).Output));
        Assert.Contains("Name = 'web'", text, StringComparison.Ordinal);
        Assert.StartsWith("{", Assert.IsType<string>(Assert.Single(Run(new Step("Export-StratoVmConfiguration", "web").With("Format", "json")).Output)), StringComparison.Ordinal);

        string file = Store.WriteFile("web.psd1", "mine");
        AssertError(Error(new Step("Export-StratoVmConfiguration", "web", "web.psd1")), "FileExists", ErrorCategory.ResourceExists, "web");
        Assert.Equal("mine", File.ReadAllText(file));
        Assert.Equal([$"Export the configuration to '{file}': web"], Run(new Step("Export-StratoVmConfiguration", "web", "web.psd1").Switch("Force").Switch("WhatIf")).ShouldProcess);
        Assert.Equal("mine", File.ReadAllText(file));
        Assert.Equal("web", Run(new Step("Export-StratoVmConfiguration", "web", "web.psd1").Switch("Force").Switch("PassThru")).Single<Vm>().Name);
        Assert.Equal(text, File.ReadAllText(file));

        AssertError(Error(new Step("Export-StratoVmConfiguration", "web", "web.txt")), "ConfigurationFormatUnknown", ErrorCategory.InvalidArgument, "web");
        AssertError(Error(new Step("Export-StratoVmConfiguration", "web", "no/web.json")), "ConfigurationNotWritable", ErrorCategory.ObjectNotFound, "web");

        // Two VMs, one file.
        AssertError(Error(new Step("Export-StratoVmConfiguration", "*").With("Path", "all.psd1").Switch("Force")), "FileExists", ErrorCategory.ResourceExists, "web");
        string folder = Directory.CreateDirectory(Path.Combine(Store.Root, "exports")).FullName;
        Run(new Step("Get-StratoVm"), new Step("Export-StratoVmConfiguration").With("Path", "exports"));
        Assert.Equal(["db.psd1", "web.psd1"], Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void AnImportIsCheckedAsAllCmdletsCheck()
    {
        New();
        Store.WriteFile("a.psd1", "@{ Name = 'a'; Kernel = 'vmlinuz'; Socket = 2; Core = 2; Drives = @{ Id = 'd'; Path = 'vmlinuz'; ReadOnly = $true } }");
        Vm made = Run(new Step("Import-StratoVmConfiguration", "a.psd1")).Single<Vm>();
        Assert.Equal((4, 512L << 20, Store.Kernel), (made.Cpu, made.Memory, made.Drives[0].Path));
        Assert.Equal(StratoClient.DefaultCommandLine, Store.Client.Get("a").CommandLine);
        Assert.Equal(["Define a VM as 'a.psd1' says: b"], Run(new Step("Import-StratoVmConfiguration", "a.psd1", "b").Switch("WhatIf")).ShouldProcess);
        Refused("@{ Kernel = 'vmlinuz' }", "InvalidName", "no name is given");
        Refused("@{ Name = 'x' }", "KernelMissing", "a VM needs a kernel");
        Refused("@{ Name = 'x'; Kernel = 'nothing' }", "KernelNotFound", "line 1, Kernel: The kernel '");
        Refused("@{ Name = 'x'; Kernel = 'vmlinuz'\n Memory = 1MB }", "InvalidMemory", "line 2, Memory: Memory of 1048576");
        Refused("@{ Name = 'x'; Kernel = 'vmlinuz'; Memroy = 1MB }", "InvalidConfiguration", "did you mean Memory?");
        Refused("@{ Name = 'x'; Kernel = 'vmlinuz'; Drives = @(\n@{ Id = 'd'; Path = 'gone' }) }", "DriveFileNotFound", "line 2, Drives[0]: The drive '");
        Refused("@{ Name = 'x'; Kernel = 'vmlinuz'; Drives = @(@{ Id = 'd'; Path = 'vmlinuz' }, @{ Id = 'D'; Path = 'vmlinuz' }) }", "InvalidConfiguration", "Drives[1]: 'D' is there twice");
        Refused("@{ Name = 'x'; Kernel = 'vmlinuz'; Drives = @{ Id = 'd'; Path = 'vmlinuz'; IoThread = 'io' } }", "IoThreadNotFound", "has no iothread 'io'");
        Refused("@{ Name = 'x'; Kernel = 'vmlinuz'; NetworkAdapters = @{ Id = 'n'; TapName = 'tap0'; Publish = '80:80' } }", "InvalidNetworkAdapter", "NetworkAdapters[0]: -PortForward");
        Refused("@{ Name = 'x'; Kernel = 'vmlinuz'; NetworkAdapters = @{ Id = 'n'; Publish = @('80:80',\n 'tcp::80-:80') } }", "InvalidPublish", "NetworkAdapters.Publish[1]: 'tcp::80-:80' isn't");
        Refused("@{ Name = 'x'; Kernel = 'vmlinuz'; Cpu = 2; Affinity = @{ Cpu = 2; HostCpus = '0' } }", "InvalidConfiguration", "Affinity[0].Cpu: the VM has no virtual CPU 2");
        Refused("@{ Name = 'x'; Kernel = 'vmlinuz'; Weight = 20000 }", "InvalidWeight", "Weight: 20000 is out of range");
        Refused("@{ Name = 'x'; Kernel = 'vmlinuz'; Vsock = @{ GuestCid = 2 } }", "OutOfRange", "Vsock: 2 is out of range");
        Refused("@{ Name = 'x'; Kernel = 'vmlinuz'; SharedFolders = @{ Tag = 's'; Path = 'gone' } }", "SharedFolderPathNotFound", "SharedFolders[0]");
        AssertError(Error(new Step("Import-StratoVmConfiguration", "gone.psd1")), "ConfigurationNotFound", ErrorCategory.ObjectNotFound, "gone.psd1");
        Assert.Equal(["a", "web"], Run(new Step("Get-StratoVm")).Of<Vm>().Select(vm => vm.Name));
    }

    [Fact]
    public void DifferencesAreToldAndAskedForAndMade()
    {
        Full();
        Store.WriteFile("want.psd1", """
            @{
                Name = 'other'
                Memory = 512MB
                Notes = 'new'
                Drives = @(
                    @{ Id = 'DISK0'; Path = 'vmlinuz'; ReadOnly = $true; Serial = 'S1'; IoThread = 'IO'; Iops = 50 }
                    @{ Id = 'disk9'; Path = 'disk' }
                )
                Balloon = $null
            }
            """);
        Difference[] found = [.. Run(new Step("Compare-StratoVm", "web", "want.psd1")).Of<Difference>()];
        Assert.Equal(
            ["Notes <> False", "Memory <> True", "Drives[disk0].Iops => False", "Drives[disk9] => False", "Balloon <= True"],
            found.Select(one => $"{one.Path} {one.SideIndicator} {one.NeedsRestart}"));
        Assert.Equal((1L << 30, 512L << 20), (found[1].ReferenceValue, found[1].DifferenceValue));
        string[] changes =
        [
            "Change Notes from 'n' to 'new': web",
            "Change Memory from 1GB to 512MB: web",
            "Set Drives[disk0].Iops to 50: web",
            $"Set Drives[disk9] to @{{ Id = 'disk9'; Path = '{Path.Combine(Store.Root, "disk")}' }}: web",
            "Remove Balloon, which is @{ DeflateOnOom = $true }: web",
        ];
        Assert.Equal(changes, Run(new Step("Set-StratoVm", "web").With("Configuration", "want.psd1").Switch("WhatIf")).ShouldProcess);
        Assert.Equal(5, Run(new Step("Compare-StratoVm", "web", "want.psd1")).Output.Count);
        Assert.Equal(512L << 20, Run(new Step("Set-StratoVm", "web").With("Configuration", "want.psd1").Switch("PassThru")).Single<Vm>().Memory);
        VmDefinition after = Store.Client.Get("web");
        Assert.Equal(("web", "new", 50, "io", null), (after.Name, after.Notes, after.Drives[0].Io.Iops, after.Drives[0].Io.IoThread, after.Balloon));
        Assert.Equal(4, after.Vsock!.GuestCid);
        Assert.Empty(Run(new Step("Set-StratoVm", "web").With("Configuration", "want.psd1").Switch("WhatIf")).ShouldProcess);
    }

    [Fact]
    public void ARunningVmGetsWhatItCan()
    {
        New();
        Run(new Step("Start-StratoVm", "web"));
        Store.WriteFile("want.psd1", "@{ Notes = 'new'; Memory = 1GB; CommandLine = 'other' }");
        ErrorRecord error = Error(new Step("Set-StratoVm", "web").With("Configuration", "want.psd1"));
        AssertError(error, "VmRunning", ErrorCategory.InvalidOperation, "web");
        Assert.Contains("while it is stopped: CommandLine, Memory. All else it has.", error.Exception.Message, StringComparison.Ordinal);
        VmDefinition after = Store.Client.Get("web");
        Assert.Equal(("new", 512L << 20, "quiet"), (after.Notes, after.Memory, after.CommandLine));
        Store.WriteFile("good.psd1", "@{ Notes = 'better' }");
        Assert.Equal("better", Run(new Step("Set-StratoVm", "web").With("Configuration", "good.psd1").Switch("PassThru")).Single<Vm>().Notes);
    }

    [Fact]
    public void PortsAreWrittenAsPublishTakesThem()
    {
        New();
        Run(new Step("Add-StratoNetworkAdapter").With("VMName", "web").Switch("User").With("PortForward", new[] { "udp:[::1]:53-:5353" }).With("Publish", new[] { "127.0.0.1:8080:80" }));
        string text = Assert.IsType<string>(Assert.Single(Run(new Step("Export-StratoVmConfiguration", "web")).Output));
        Assert.Contains("Publish = @('[::1]:53:5353/udp', '127.0.0.1:8080:80')", text, StringComparison.Ordinal);
        Store.WriteFile("web.psd1", text);
        Run(new Step("Import-StratoVmConfiguration", "web.psd1", "other"));
        Assert.Equal(["udp:[::1]:53-:5353", "tcp:127.0.0.1:8080-:80"], Store.Client.Get("other").NetworkAdapters[0].Settings.PortForward!);
        Assert.Empty(Run(new Step("Compare-StratoVm", "web").With("DifferenceName", "other")).Output);
    }

    [Fact]
    public void ADriveGoesOnlyForOneThatComes()
    {
        New("full", commandLine: "full");
        Store.WriteFile("other", new string('d', 512));
        Run(new Step("Add-StratoDrive", "vmlinuz").With("VMName", "full").With("Id", "old"));
        Run(new Step("Start-StratoVm", "full"));
        Store.WriteFile("want.psd1", "@{ Drives = @{ Id = 'new'; Path = 'other' } }");

        // The engine refuses it.
        Error(new Step("Set-StratoVm", "full").With("Configuration", "want.psd1"));
        Assert.Equal(["old"], Store.Client.Get("full").Drives.Select(drive => drive.Id));

        // Another with the same file can't be there before that one has gone.
        Store.WriteFile("same.psd1", "@{ Drives = @{ Id = 'new'; Path = 'vmlinuz' } }");
        Error(new Step("Set-StratoVm", "full").With("Configuration", "same.psd1"));
        Assert.Empty(Store.Client.Get("full").Drives);
    }

    [Fact]
    public void WhatARunningVmHasNoPlaceForIsToldAndTheRestIsMade()
    {
        New();
        Store.WriteFile("other", new string('d', 512));
        Run(new Step("Add-StratoDrive", "vmlinuz").With("VMName", "web").With("Id", "old"));
        Run(new Step("Start-StratoVm", "web"));
        Store.WriteFile("want.psd1", "@{ IoThreads = 'io'; Drives = @(@{ Id = 'new'; Path = 'other'; IoThread = 'io' }, @{ Id = 'plain'; Path = 'other'; ReadOnly = $true }) }");
        string message = Error(new Step("Set-StratoVm", "web").With("Configuration", "want.psd1")).Exception.Message;
        Assert.Contains("IoThreads", message, StringComparison.Ordinal);
        Assert.Contains("Drives[new]", message, StringComparison.Ordinal);
        Assert.DoesNotContain("Drives[plain]", message, StringComparison.Ordinal);
        Assert.Equal(["plain"], Store.Client.Get("web").Drives.Select(drive => drive.Id));

        // Slots that the definition knows nothing of are full as well, and so are ids.
        foreach (string id in (string[])["a", "b", "c", "d"])
        {
            Run(new Step("Add-StratoDrive", "other").With("VMName", "web").With("Id", id).Switch("ReadOnly").Switch("Transient"));
        }

        Store.WriteFile("more.psd1", "@{ Drives = @(@{ Id = 'a'; Path = 'other' }, @{ Id = 'e'; Path = 'other' }, @{ Id = 'f'; Path = 'other' }, @{ Id = 'g'; Path = 'other' }) }");
        message = Error(new Step("Set-StratoVm", "web").With("Configuration", "more.psd1")).Exception.Message;
        Assert.Contains("stopped: Drives[a], Drives[g]. All else it has.", message, StringComparison.Ordinal);
        Assert.Equal(["e", "f"], Store.Client.Get("web").Drives.Select(drive => drive.Id).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void AnEphemeralVmStaysWhatItIs()
    {
        Run(new Step("New-StratoVm", "once").With("Kernel", "vmlinuz").With("CommandLine", "quiet").Switch("Ephemeral"));
        Run(new Step("Add-StratoDrive", "vmlinuz").With("VMName", "once"));
        Store.WriteFile("same.psd1", "@{ Ephemeral = $true; Drives = @{ Id = 'disk0'; Path = 'vmlinuz' } }");
        Store.WriteFile("kept.psd1", "@{ Drives = @{ Id = 'disk0'; Path = 'vmlinuz'; Snapshot = $false } }");
        Store.WriteFile("other.psd1", "@{ Ephemeral = $false; Notes = 'n' }");

        // Its drives throw changes away without being told.
        Assert.Empty(Run(new Step("Compare-StratoVm", "once", "same.psd1")).Output);
        Assert.Empty(Run(new Step("Set-StratoVm", "once").With("Configuration", "same.psd1").Switch("WhatIf")).ShouldProcess);
        foreach (bool running in (bool[])[false, true])
        {
            if (running)
            {
                Run(new Step("Start-StratoVm", "once"));
            }

            Assert.Contains("is there already", Error(new Step("Set-StratoVm", "once").With("Configuration", "other.psd1")).Exception.Message, StringComparison.Ordinal);
            AssertError(Error(new Step("Set-StratoVm", "once").With("Configuration", "kept.psd1")), "EphemeralDrive", ErrorCategory.InvalidArgument, "once");
            Assert.Equal("", Store.Client.Get("once").Notes);
        }
    }

    [Fact]
    public void WhatIsGivenTwiceIsRefused()
    {
        New();
        Store.WriteFile("want.psd1", "@{ }");
        Assert.StartsWith("ParametersConflict", Terminates(new Step("Set-StratoVm", "web").With("Configuration", "want.psd1").With("Memory", 1L << 30)), StringComparison.Ordinal);
        Assert.StartsWith("ParametersConflict", Terminates(new Step("Compare-StratoVm", "web")), StringComparison.Ordinal);
        Assert.StartsWith("ConfigurationNotFound", Terminates(new Step("Compare-StratoVm", "web", "no.psd1")), StringComparison.Ordinal);
        Assert.StartsWith("VmNotFound", Terminates(new Step("Compare-StratoVm", "web").With("DifferenceName", "nobody")), StringComparison.Ordinal);
        Assert.StartsWith("ConfigurationNotFound", Terminates(new Step("Set-StratoVm", "web").With("Configuration", "no.json")), StringComparison.Ordinal);
    }

    private void Refused(string text, string id, string message)
    {
        Store.WriteFile("bad.psd1", text);
        ErrorRecord error = Error(new Step("Import-StratoVmConfiguration", "bad.psd1"));
        Assert.Equal(id, error.FullyQualifiedErrorId.Split(',')[0]);
        Assert.Contains(message, error.Exception.Message, StringComparison.Ordinal);
    }

    /// <summary>A VM with something of everything.</summary>
    private void Full()
    {
        New();
        Store.WriteFile("disk", new string('d', 512));
        Run(new Step("Set-StratoVm", "web").With("Memory", 1L << 30).With("Cpu", 3).With("Notes", "n").With("CpuFeature", new[] { "-aes" }).Switch("GuestAgent"));
        Run(new Step("Add-StratoIoThread", "io").With("VMName", "web"));
        Run(new Step("Add-StratoDrive", "vmlinuz").With("VMName", "web").Switch("ReadOnly").With("IoThread", "io").With("Serial", "S1"));
        Run(new Step("Add-StratoNetworkAdapter", "tap0").With("VMName", "web").With("MacAddress", "52:54:00:12:34:56"));
        Run(new Step("Add-StratoNetworkAdapter").With("VMName", "web").Switch("User"));
        Run(new Step("Add-StratoVsock", "web").With("GuestCid", 4L));
        Run(new Step("Add-StratoRng", "web"));
        Run(new Step("Add-StratoBalloon", "web").Switch("DeflateOnOom"));
        Run(new Step("Add-StratoConsolePort", "a").With("VMName", "web").With("Path", Path.Combine(Store.Root, "a.sock")));
        Run(new Step("Set-StratoCpu", "web").With("Weight", 200));
    }
}
