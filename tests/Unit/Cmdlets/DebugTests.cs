using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Threading.Tasks;
using Strato.Tests.CmdletHost;
using Strato.Tests.Unit.Client;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Debug-StratoVm.</summary>
[Collection(CmdletCollection.Name)]
public sealed class DebugTests : CmdletTests
{
    [Fact]
    public void RegistersAreNumbers()
    {
        Vm web = Start();
        CpuRegister[] cpus = [.. Run(new Step("Debug-StratoVm", "web").Switch("Register")).Output.Cast<CpuRegister>()];
        Assert.Equal([0, 1], cpus.Select(cpu => cpu.Index));
        Assert.Equal(("web", web.Id, 0xffff_ffff_8100_0000, 0x10, "long", 0), (cpus[0].VMName, cpus[0].VMId, cpus[0].Rip, cpus[0].Cs, cpus[0].Mode, cpus[0].Ring));
        Assert.Equal(("real", 3, "web 1"), (cpus[1].Mode, cpus[1].Ring, cpus[1].ToString()));
    }

    [Fact]
    public void OneThingAtATime()
    {
        Start();
        Assert.Equal("ActionMissing", Terminates(new Step("Debug-StratoVm", "web")).Split(',')[0]);
        Assert.Equal("ParametersConflict", Terminates(new Step("Debug-StratoVm", "web").Switch("Register").Switch("Nmi")).Split(',')[0]);
        Assert.Equal("ParametersConflict", Terminates(new Step("Debug-StratoVm", "web").Switch("Nmi").Switch("Force")).Split(',')[0]);
        New("stopped");
        AssertError(Error(new Step("Debug-StratoVm", "stopped").Switch("Register")), "VmNotRunning", ErrorCategory.InvalidOperation, "stopped");
    }

    [Fact]
    public void AnNmiIsSentUnlessItIsOnlyAskedAbout()
    {
        Vm web = Start();
        Assert.Empty(Run(new Step("Debug-StratoVm", "web").Switch("Nmi").Switch("WhatIf")).Output);
        Assert.Empty(Run(new Step("Debug-StratoVm", "web").Switch("Nmi")).Output);
        ClientFixture.Until(() => File.ReadAllText(web.ConsoleLogPath).Contains("inject-nmi", StringComparison.Ordinal), "the command");
        Assert.Single(File.ReadAllText(web.ConsoleLogPath).Split("inject-nmi")[1..]);
    }

    [Fact]
    public void AFileIsThereWhenItIsWhole()
    {
        Vm web = Start();
        string path = Path.Combine(Store.Root, "core");
        Assert.Empty(Run(new Step("Debug-StratoVm", "web").With("DumpPath", "core")).Output);
        Assert.True(File.Exists(path));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.Contains("\"protocol\":\"fd:dump\"", File.ReadAllText(web.ConsoleLogPath), StringComparison.Ordinal);
        AssertError(Error(new Step("Debug-StratoVm", "web").With("DumpPath", "core")), "FileExists", ErrorCategory.ResourceExists, "web");
        File.WriteAllText(path, "old");
        Run(new Step("Debug-StratoVm", "web").With("DumpPath", "core").Switch("Force"));
        Assert.Equal("", File.ReadAllText(path));
        AssertError(Error(new Step("Debug-StratoVm", "web").With("DumpPath", "no/such/core")), "DumpNotWritable", ErrorCategory.ObjectNotFound, "web");
        AssertError(Error(new Step("Debug-StratoVm", "web").With("DumpPath", ".").Switch("Force")), "DumpNotWritable", ErrorCategory.InvalidArgument, "web");
    }

    [Fact]
    public void OneThatFailsLeavesNothingAndSaysWhy()
    {
        Start("web", "dump=full");
        string[] before = Files();
        ErrorRecord error = Error(new Step("Debug-StratoVm", "web").With("DumpPath", "core"));
        AssertError(error, "DumpFailed", ErrorCategory.NotSpecified, "web");
        Assert.Contains("No space left on device", error.ToString(), StringComparison.Ordinal);
        Assert.Equal(before, Files());
    }

    [Fact]
    public void WhatEndsWhileItBeginsIsAnothers()
    {
        Start("web", "dump=other");
        Assert.Empty(Run(new Step("Debug-StratoVm", "web").With("DumpPath", "core")).Errors);
        Assert.True(File.Exists(Path.Combine(Store.Root, "core")));
    }

    [Fact]
    public void ForceIsForOneFileOfOneVm()
    {
        Start("a");
        Start("b");
        File.WriteAllText(Path.Combine(Store.Root, "core"), "old");
        AssertError(Error(new Step("Debug-StratoVm").With("Name", new[] { "a", "b" }).With("DumpPath", "core").Switch("Force")), "FileExists", ErrorCategory.ResourceExists, "b");
        Assert.Equal("", File.ReadAllText(Path.Combine(Store.Root, "core")));

        // Of one that could not write, the next is the first.
        New("a0");
        File.WriteAllText(Path.Combine(Store.Root, "core"), "old");
        AssertError(Error(new Step("Debug-StratoVm").With("Name", new[] { "a0", "b" }).With("DumpPath", "core").Switch("Force")), "VmNotRunning", ErrorCategory.InvalidOperation, "a0");
        Assert.Equal("", File.ReadAllText(Path.Combine(Store.Root, "core")));
    }

    [Fact]
    public async Task CtrlCEndsItAtOnceAndTheEngineIsTold()
    {
        Vm web = Start("web", "dump=slow");
        string[] before = Files();
        Task<HostResult> dumping = Task.Factory.StartNew(
            () => Host.Invoke(new Step("Debug-StratoVm", "web").With("DumpPath", "core")), Store.Token, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        // Before its answer has come, the end of the connection ends it.
        ClientFixture.Until(() => File.ReadAllText(web.ConsoleLogPath).Contains("query-dump", StringComparison.Ordinal), "the dump under way");
        Stopwatch watch = Stopwatch.StartNew();
        Host.Stop();
        await dumping;
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(1), $"{watch.Elapsed}");
        ClientFixture.Until(() => File.ReadAllText(web.ConsoleLogPath).Contains("x-cancel-dump", StringComparison.Ordinal), "its end");
        Assert.Equal(before, Files());
    }

    private string[] Files() => [.. Directory.GetFiles(Store.Root).Order(StringComparer.Ordinal)];
}
