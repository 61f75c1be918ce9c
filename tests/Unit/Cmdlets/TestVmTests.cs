using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using Strato.Client.Linux;
using Strato.Tests.CmdletHost;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Test-StratoVm.</summary>
[Collection(CmdletCollection.Name)]
public sealed class TestVmTests : CmdletTests
{
    [Fact]
    public void AVmThatCanStartPassesAndNothingIsLeft()
    {
        New();
        string disk = Store.WriteFile("disk", new string('d', 512));
        Run(new Step("Add-StratoDrive", "disk").With("VMName", "web"));
        UseEngine("ok");
        string[] before = Directory.GetFileSystemEntries(Path.GetTempPath(), "strato-*");
        Dictionary<string, VmCheck> checks = Checks("web");
        Assert.Equal(["Definition", "Drive disk0", "Engine", "Kernel", "Kvm", "Machine", "Memory", "Sockets"], checks.Keys.Order(StringComparer.Ordinal));
        Assert.All(checks.Values, check => Assert.Equal(("web", "Passed", null), (check.VMName, check.Result, check.Remedy)));
        Assert.Equal(disk, checks["Drive disk0"].Detail);
        Assert.True(Run(new Step("Test-StratoVm", "web").Switch("Quiet")).Single<bool>());
        Assert.Equal(before.Order(), Directory.GetFileSystemEntries(Path.GetTempPath(), "strato-*").Order());
        Assert.Equal("Stopped", State("web"));
        string arguments = File.ReadAllText(Path.Combine(Store.Root, "arguments"));
        Assert.Contains(" -dry-run ", arguments, StringComparison.Ordinal);
        Assert.Contains("virtio-blk-device,drive=disk0", arguments, StringComparison.Ordinal);
        Assert.DoesNotContain("-force", arguments, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsMissingIsToldWithARemedy()
    {
        New();
        string disk = Store.WriteFile("disk", new string('d', 512));
        Store.WriteFile("locked", new string('d', 512));
        Store.WriteFile("initrd", "i");
        Directory.CreateDirectory(Path.Combine(Store.Root, "share"));
        Directory.CreateDirectory(Path.Combine(Store.Root, "gone"));
        Run(new Step("Set-StratoVm", "web").With("Initrd", "initrd").With("Memory", 512L << 30));
        Run(new Step("Add-StratoDrive", "disk").With("VMName", "web"));
        Run(new Step("Add-StratoDrive", "locked").With("VMName", "web"));
        Run(new Step("Add-StratoNetworkAdapter", "notap0").With("VMName", "web"));
        Run(new Step("Add-StratoSharedFolder", "share").With("VMName", "web"));
        Run(new Step("Add-StratoConsolePort", "p").With("VMName", "web").With("Backend", "File").With("Path", "gone/out"));
        Run(new Step("Set-StratoCpu", "web").With("Affinity", "0"));
        File.Delete(disk);
        Directory.Delete(Path.Combine(Store.Root, "share"));
        Directory.Delete(Path.Combine(Store.Root, "gone"));
        UseEngine("ok");
        using (FileStream writer = new(Path.Combine(Store.Root, "locked"), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
        {
            Lock(writer);
            Dictionary<string, VmCheck> checks = Checks("web");
            string[] failed = ["ConsolePort p", "Drive disk0", "Drive disk1", "NetworkAdapter net0", "SharedFolder share0"];
            Assert.Equal(failed, checks.Values.Where(check => check.Result == "Failed" && check.Name != "Virtiofsd").Select(check => check.Name).Order(StringComparer.Ordinal));
            Assert.All(failed, name => Assert.NotNull(checks[name].Remedy));
            Assert.Equal("Warning", checks["Memory"].Result);
            Assert.Equal("Passed", checks["Affinity"].Result);
            Assert.Contains("does not exist", checks["Drive disk0"].Detail, StringComparison.Ordinal);
            Assert.Contains("is in use by another VM or program", checks["Drive disk1"].Detail, StringComparison.Ordinal);
            Assert.Contains("The host has no interface 'notap0'", checks["NetworkAdapter net0"].Detail, StringComparison.Ordinal);

            // The engine is asked about the rest.
            Assert.Equal("Passed", checks["Machine"].Result);
            Assert.DoesNotContain("-drive", File.ReadAllText(Path.Combine(Store.Root, "arguments")), StringComparison.Ordinal);
        }

        File.Delete(Path.Combine(Store.Root, "initrd"));
        Dictionary<string, VmCheck> again = Checks("web");
        Assert.Equal(("Failed", "Warning", "Passed"), (again["Initrd"].Result, again["Machine"].Result, again["Drive disk1"].Result));
        Assert.False(Run(new Step("Test-StratoVm", "web").Switch("Quiet")).Single<bool>());
    }

    [Fact]
    public void TheEnginesRefusalIsALine()
    {
        New();
        UseEngine("{\"id\":\"CpuFeatureNotOffered\",\"message\":\"The feature 'avx' is not offered.\",\"where\":\"-cpu\"}");
        VmCheck machine = Checks("web")["Machine"];
        Assert.Equal(("Failed", "The feature 'avx' is not offered."), (machine.Result, machine.Detail));
        Assert.Contains("-CpuModel", machine.Remedy, StringComparison.Ordinal);
        UseEngine("");
        Assert.Contains("before it had built the machine", Checks("web")["Machine"].Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void AKvmThatEmulatesIsAsGoodAsIsAllowed()
    {
        New();
        UseEngine("ok", "emulated");
        Assert.Equal("Failed", Checks("web")["Kvm"].Result);
        Dictionary<string, VmCheck> checks = Run(new Step("Test-StratoVm", "web").Switch("AllowEmulation")).Of<VmCheck>().ToDictionary(check => check.Name);
        Assert.Equal(("Warning", "Passed"), (checks["Kvm"].Result, checks["Machine"].Result));
        Assert.Contains("-force", File.ReadAllText(Path.Combine(Store.Root, "arguments")), StringComparison.Ordinal);
    }

    [Fact]
    public void ADefinitionThatDoesNotGoTogetherFails()
    {
        Vm vm = New();
        Run(new Step("Add-StratoIoThread", "io").With("VMName", "web"));
        Run(new Step("Add-StratoDrive", "vmlinuz").With("VMName", "web").Switch("ReadOnly").With("IoThread", "io"));
        string file = Store.Paths.DefinitionFile(vm.Id);
        File.WriteAllText(file, File.ReadAllText(file).Replace("\"cpu\": 1", "\"cpu\": 300", StringComparison.Ordinal));
        UseEngine("ok");
        Dictionary<string, VmCheck> checks = Checks("web");
        Assert.Equal(("Failed", "Warning"), (checks["Definition"].Result, checks["Machine"].Result));
        Assert.Contains("Cpu", checks["Definition"].Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void ARunningVmIsNotLookedAt()
    {
        Start();
        VmCheck check = Assert.Single(Checks("web").Values);
        Assert.Equal(("State", "Failed"), (check.Name, check.Result));
        AssertError(Error(new Step("Test-StratoVm", "nobody")), "VmNotFound", ErrorCategory.ObjectNotFound, "nobody");
    }

    private Dictionary<string, VmCheck> Checks(string name) => Run(new Step("Test-StratoVm", name)).Of<VmCheck>().ToDictionary(check => check.Name);

    /// <summary>An engine that tells a verdict, and says what is given when it is to build the machine.</summary>
    private void UseEngine(string answer, string verdict = "usable")
    {
        string file = Path.Combine(Store.Root, "arguments");
        Store.UseEngineScript($$"""
            if [ "$1" = -probe ]; then echo '{"verdict":"{{verdict}}","reason":"ok"}'; exit; fi
            echo " $* " > '{{file}}'
            cat >&3 <<'END'
            {{answer}}
            END
            """);
        Environment.SetEnvironmentVariable("STRATO_ENGINE", Store.Engine);
    }

    private static unsafe void Lock(FileStream file)
    {
        Libc.flock alone = new() { l_type = Libc.F_WRLCK };
        Assert.Equal(0, Libc.fcntl((int)file.SafeFileHandle.DangerousGetHandle(), Libc.F_OFD_SETLK, &alone));
    }
}
