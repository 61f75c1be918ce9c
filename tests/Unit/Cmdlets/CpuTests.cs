using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Threading;
using Strato.Client;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Strato.Tests.CmdletHost;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>What New- and Set-StratoVm say of virtual CPUs, and the engine's command line that follows.</summary>
[Collection(CmdletCollection.Name)]
public sealed class CpuTests : CmdletTests
{
    [Fact]
    public void ATopologyIsKeptAndToldToTheEngine()
    {
        Vm vm = Run(Vm().With("Socket", 2).With("Core", 4).With("CpuModel", "X86-64-V3").With("CpuFeature", new[] { "+AES", "rdtscp=off" })).Single<Vm>();
        Assert.Equal((8, null, "2 sockets of 4 cores of 1 thread", "x86-64-v3"), (vm.Cpu, vm.MaximumCpu, vm.CpuTopology, vm.CpuModel));
        Assert.Equal(["+aes", "-rdtscp"], vm.CpuFeature);
        Assert.Contains(" -smp 8,sockets=2,cores=4 -cpu x86-64-v3,+aes,-rdtscp ", Line(), StringComparison.Ordinal);

        // What isn't given stays; a zero, an empty list and the default model take back.
        Run(new Step("Set-StratoVm", "web").With("Cpu", 2).With("MaximumCpu", 12).With("Core", 3).With("Thread", 2));
        Assert.Contains(" -smp 2,maxcpus=12,sockets=2,cores=3,threads=2 -cpu x86-64-v3,+aes,-rdtscp ", Line(), StringComparison.Ordinal);
        vm = Run(new Step("Set-StratoVm", "web").With("MaximumCpu", 0).With("Socket", 0).With("Core", 0).With("Thread", 0).With("CpuModel", "host").With("CpuFeature", Array.Empty<string>()).Switch("PassThru"))
            .Single<Vm>();
        Assert.Equal((2, null, "2 sockets of 1 core of 1 thread", "host"), (vm.Cpu, vm.MaximumCpu, vm.CpuTopology, vm.CpuModel));
        Assert.Contains(" -smp 2 -", Line(), StringComparison.Ordinal);
        Assert.DoesNotContain("-cpu", Line(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", 1, "-smp 1 ")]
    [InlineData("Cpu=3", 3, "-smp 3 ")]
    [InlineData("MaximumCpu=4", 1, "-smp 1,maxcpus=4 ")]
    [InlineData("Socket=2 Die=2 Core=3 Thread=2", 24, "-smp 24,sockets=2,dies=2,cores=3,threads=2 ")]
    [InlineData("Thread=2", 2, "-smp 2,threads=2 ")]
    [InlineData("Cpu=4 Thread=2", 4, "-smp 4,threads=2 ")]
    [InlineData("MaximumCpu=8 Core=4", 1, "-smp 1,maxcpus=8,cores=4 ")]
    public void TheNumberFollowsFromTheTopology(string given, int cpus, string expected)
    {
        Assert.Equal(cpus, Run(Give(Vm(), given)).Single<Vm>().Cpu);
        Assert.Contains(expected, Line() + " ", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Cpu=8 Socket=3", "InvalidTopology", "3 sockets of 2 cores of 1 thread are 6 CPUs, where there can be 8; sockets · dies · cores · threads has to be 8.")]
    [InlineData("Cpu=8 MaximumCpu=4", "InvalidTopology", "8 CPUs are more than the 4 that there can be; allowed: 1 to 4.")]
    [InlineData("MaximumCpu=300", "InvalidTopology", "300 CPUs at most are out of range; allowed: 1 to 254.")]
    [InlineData("Socket=-1", "InvalidTopology", "-1 sockets are out of range; allowed: 1 to 254.")]
    [InlineData("Socket=100 Core=100", "InvalidTopology", "100 sockets of 100 cores of 1 thread are 10000 CPUs; allowed: 1 to 254.")]
    [InlineData("Socket=3 Core=65", "InvalidTopology", "With 3 sockets of 65 cores of 1 thread the last CPU has the APIC id 320; 254 is the highest that interrupts reach.")]
    [InlineData("Cpu=255", "InvalidCpuCount", "255 vCPUs are out of range; allowed: 1 to 254.")]
    [InlineData("CpuModel=haswell", "UnknownCpuModel", "The CPU model 'haswell' is unknown; allowed: host, x86-64-v2, x86-64-v3.")]
    [InlineData("CpuFeature=aes", "InvalidCpuFeature", "'aes' is not a CPU feature with its sign; allowed: +NAME, -NAME, NAME=on, NAME=off.")]
    [InlineData("CpuFeature=+aess", "UnknownCpuFeature", "The CPU feature 'aess' is unknown (did you mean aes?)")]
    public void MistakesAreNamed(string given, string id, string message)
    {
        ErrorRecord error = Error(Give(Vm(), given));
        AssertError(error, id, ErrorCategory.InvalidArgument, "web");
        Assert.StartsWith(message, error.Exception.Message, StringComparison.Ordinal);
        Run(Vm());
        AssertError(Error(Give(new Step("Set-StratoVm", "web"), given)), id, ErrorCategory.InvalidArgument, "web");
        Assert.Contains(" -smp 1 ", Line(), StringComparison.Ordinal);
    }

    [Fact]
    public void CpusComeAndGoWhileItRuns()
    {
        Run(Vm().With("Cpu", 2).With("MaximumCpu", 4));
        string first = AllowedOf("self").Split(',', '-')[0];
        Run(new Step("Set-StratoCpu", "web").With("Cpu", new[] { 2 }).With("Affinity", new[] { first }));
        Run(new Step("Start-StratoVm", "web"));
        Vm vm = Run(new Step("Set-StratoVm", "web").With("Cpu", 4).Switch("Wait", "PassThru")).Single<Vm>();
        Assert.Equal(4, vm.Cpu);
        Cpu[] cpus = [.. Run(new Step("Get-StratoCpu", "web")).Of<Cpu>()];
        Assert.Equal([0, 1, 2, 3], cpus.Select(cpu => cpu.Index));
        Assert.Equal(first, cpus[2].Affinity);
        Assert.Contains($"cpu 2 begins on {first}\r\n", File.ReadAllText(Store.Paths.ConsoleLog(vm.Id)), StringComparison.Ordinal);
        Assert.Equal(AllowedOf("self"), AllowedOf(vm.ProcessId!.Value.ToString(CultureInfo.InvariantCulture)));
        Run(new Step("Set-StratoVm", "web").With("Cpu", 3).Switch("Wait"));
        Assert.Equal([0, 1, 2], Run(new Step("Get-StratoCpu", "web")).Of<Cpu>().Select(cpu => cpu.Index));
        Assert.Contains(" -smp 3,maxcpus=4 ", Line(), StringComparison.Ordinal);
        foreach (int count in (int[])[1, 5])
        {
            ErrorRecord error = Error(new Step("Set-StratoVm", "web").With("Cpu", count));
            AssertError(error, count == 1 ? "CpuCountUnavailable" : "InvalidTopology", count == 1 ? ErrorCategory.InvalidOperation : ErrorCategory.InvalidArgument, "web");
            Assert.Equal(
                count == 1
                    ? "The VM 'web' was started with 2 virtual CPUs, which stay until it is stopped; allowed: 2 to 4."
                    : "5 CPUs are more than the 4 that there can be; allowed: 1 to 4.",
                error.Exception.Message);
        }

        Assert.Equal(3, Run(new Step("Get-StratoVm", "web")).Single<Vm>().Cpu);
    }

    [Theory]
    [InlineData("quiet", 3, "CpuCountUnavailable", "The VM 'web' was started with room for 2 virtual CPUs, and -MaximumCpu changes only while it is stopped; allowed: 2 to 2.")]
    [InlineData("blind", 3, "WaitTimeout", "The guest of VM 'web' has not answered for cpu2 within 0 seconds; the change stays asked for.")]
    [InlineData("cling", 2, "CpuRefused", "The guest of VM 'web' refuses to give up cpu2 (ACPI status 0x82); its kernel's log says why.")]
    [InlineData("reset blind", 3, "VmReset", "The VM 'web' was reset before its guest answered for cpu2; what it was asked is forgotten.")]
    [InlineData("full", 3, "QmpCommandNotFound", "")]
    public void AGuestThatDoesNotFollowIsNamed(string how, int count, string id, string message)
    {
        Run(Vm().With("Cpu", 2).With("CommandLine", how));
        if (how != "quiet")
        {
            Run(new Step("Set-StratoVm", "web").With("MaximumCpu", 4));
        }

        Run(new Step("Start-StratoVm", "web"));
        Step change = new Step("Set-StratoVm", "web").With("Cpu", count).Switch("Wait").With("Timeout", 0);
        if (how == "cling")
        {
            Run(new Step("Set-StratoVm", "web").With("Cpu", 3).Switch("Wait"));
            change = new Step("Set-StratoVm", "web").With("Cpu", count).Switch("Wait");
        }

        if (how == "reset blind")
        {
            change = new Step("Set-StratoVm", "web").With("Cpu", count).Switch("Wait");
        }

        ErrorRecord error = Error(change);
        Assert.Equal(id, error.FullyQualifiedErrorId.Split(',')[0]);
        Assert.StartsWith(message, error.Exception.Message, StringComparison.Ordinal);
        Assert.Equal(how is "quiet" or "full" ? 2 : count, Store.Client.Get("web").Cpu);
    }

    /// <summary>Answers of others, and to what others asked, are let pass.</summary>
    [Fact]
    public void OnlyTheAnswerToWhatWasAskedCounts()
    {
        Run(Vm().With("Cpu", 1).With("MaximumCpu", 2).With("CommandLine", "other="));
        Run(new Step("Start-StratoVm", "web"));
        Run(new Step("Set-StratoVm", "web").With("Cpu", 2).Switch("Wait"));
        Run(new Step("Set-StratoVm", "web").With("Cpu", 1).Switch("Wait"));
        Assert.Equal([0], Cpus().Select(cpu => cpu.Index));
    }

    [Fact]
    public void ACpuWhoseNameADriveHasIsNamedOtherwise()
    {
        Run(Vm().With("Cpu", 1).With("MaximumCpu", 3));
        Run(new Step("Add-StratoDrive", "vmlinuz").With("VMName", "web").With("Id", "cpu1"));
        Run(new Step("Start-StratoVm", "web"));
        Run(new Step("Set-StratoVm", "web").With("Cpu", 3).Switch("Wait"));
        Assert.Equal([0, 1, 2], Cpus().Select(cpu => cpu.Index));
        Run(new Step("Set-StratoVm", "web").With("Cpu", 1).Switch("Wait"));
        Assert.Equal([0], Cpus().Select(cpu => cpu.Index));
    }

    [Fact]
    public void AChangeThatNoLongerFitsIsRefused()
    {
        Run(Vm().With("Socket", 2).With("Core", 2));
        ErrorRecord error = Error(new Step("Set-StratoVm", "web").With("Cpu", 6));
        AssertError(error, "InvalidTopology", ErrorCategory.InvalidArgument, "web");
        Assert.StartsWith("2 sockets of 2 cores of 1 thread are 4 CPUs, where there can be 6", error.Exception.Message, StringComparison.Ordinal);
        Run(new Step("Set-StratoVm", "web").With("Cpu", 6).With("Core", 3));
        Run(new Step("Start-StratoVm", "web"));
        AssertError(Error(new Step("Set-StratoVm", "web").With("Core", 1)), "VmRunning", ErrorCategory.InvalidOperation, "web");
    }

    [Fact]
    public void CountsThatWereWrittenByHandAndDontFitAreKept()
    {
        Run(Vm().With("Socket", 2).With("Core", 2));
        string path = Store.Paths.DefinitionFile(Store.Client.Get("web").Id);
        File.WriteAllText(path, File.ReadAllText(path).Replace("\"sockets\": 2", "\"sockets\": 3, \"later\": [1]", StringComparison.Ordinal));
        Assert.Equal("", Run(new Step("Get-StratoVm", "web")).Single<Vm>().CpuTopology);
        Run(new Step("Set-StratoVm", "web").With("Notes", "kept"));
        Assert.Contains("\"later\": [", File.ReadAllText(path), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"maximum\": 4294967298")]
    [InlineData("\"maximum\": 2000000000")]
    public void AMaximumBeyondReasonIsNeitherWrappedNorCountedTo(string written)
    {
        Run(Vm().With("Cpu", 2).With("MaximumCpu", 8));
        string path = Store.Paths.DefinitionFile(Store.Client.Get("web").Id);
        File.WriteAllText(path, File.ReadAllText(path).Replace("\"maximum\": 8", written, StringComparison.Ordinal));
        Assert.Equal("", Run(new Step("Get-StratoVm", "web")).Single<Vm>().CpuTopology);
        AssertError(Error(new Step("Set-StratoCpu", "web").With("Affinity", new[] { "" })), "InvalidTopology", ErrorCategory.InvalidArgument, "web");
    }

    [Fact]
    public void PinsOfCpusThatCanNoLongerBeGo()
    {
        Run(Vm().With("Cpu", 4));
        string first = AllowedOf("self").Split(',', '-')[0];
        Run(new Step("Set-StratoCpu", "web").With("Affinity", new[] { first }));
        Run(new Step("Set-StratoVm", "web").With("Cpu", 2));
        Assert.Equal([0, 1, null], Store.Client.Get("web").Processor.Affinity.Select(one => one.Cpu));

        // One that was left by hand goes with all.
        string path = Store.Paths.DefinitionFile(Store.Client.Get("web").Id);
        File.WriteAllText(path, File.ReadAllText(path).Replace("\"cpu\": 1,", "\"cpu\": 7,", StringComparison.Ordinal));
        Assert.Contains(Store.Client.Get("web").Processor.Affinity, one => one.Cpu == 7);
        Run(new Step("Set-StratoCpu", "web").With("Affinity", new[] { "" }));
        Assert.Empty(Store.Client.Get("web").Processor.Affinity);
    }

    [Fact]
    public void APinOfACpuThatMayComeIsLookedAtWhileItRuns()
    {
        Run(Vm().With("Cpu", 1).With("MaximumCpu", 2));
        Run(new Step("Start-StratoVm", "web"));
        AssertError(Error(new Step("Set-StratoCpu", "web").With("Cpu", new[] { 1 }).With("Affinity", new[] { "8191" })), "HostCpuOffline", ErrorCategory.ResourceUnavailable, "web");
        Assert.Empty(Store.Client.Get("web").Processor.Affinity);
    }

    [Fact]
    public void CpusThatWereGotArePinned()
    {
        Run(Vm().With("Cpu", 3));
        string first = AllowedOf("self").Split(',', '-')[0];
        Run(new Step("Get-StratoCpu", "web"), new Step("Set-StratoCpu").With("Affinity", new[] { first }));
        Assert.Equal([0, 1, 2], Store.Client.Get("web").Processor.Affinity.Select(one => one.Cpu));
        Run(new Step("Set-StratoCpu").With("InputObject", new[] { Cpus()[1] }).With("Affinity", new[] { "" }));
        Assert.Equal([0, 2], Store.Client.Get("web").Processor.Affinity.Select(one => one.Cpu));
    }

    [Fact]
    public void AVmOnNewsPipelineIsMadeOnceMore()
    {
        Run(Vm().With("Cpu", 2).With("MaximumCpu", 8).With("Core", 4).With("CpuModel", "x86-64-v2").With("CpuFeature", new[] { "+aes" }));
        Run(new Step("Get-StratoVm", "web"), new Step("New-StratoVm").With("Name", "copy"));
        Assert.Equal((8, null, null, 4, null, "x86-64-v2"), Said(Store.Client.Get("copy").Processor));
        Assert.Equal(["+aes"], Store.Client.Get("copy").Processor.Features);

        // What wasn't said isn't said of the other either: it can grow.
        Run(new Step("New-StratoVm", "plain").With("Kernel", "vmlinuz").With("Cpu", 2));
        Run(new Step("Get-StratoVm", "plain"), new Step("New-StratoVm").With("Name", "other"));
        Assert.Equal(4, Run(new Step("Set-StratoVm", "other").With("Cpu", 4).Switch("PassThru")).Single<Vm>().Cpu);
    }

    [Fact]
    public void AStartWithAPinThatCantBeStartsNothing()
    {
        Run(Vm());
        Run(new Step("Set-StratoCpu", "web").With("Affinity", new[] { AllowedOf("self") }));
        Run(new Step("Start-StratoVm", "web"));
        Assert.Equal("Running", Run(new Step("Get-StratoVm", "web")).Single<Vm>().State);
        Run(new Step("Stop-StratoVm", "web").Switch("TurnOff", "Force"));
        string path = Store.Paths.DefinitionFile(Store.Client.Get("web").Id);
        File.WriteAllText(path, File.ReadAllText(path).Replace($"\"{AllowedOf("self")}\"", "\"8191\"", StringComparison.Ordinal));
        AssertError(Error(new Step("Start-StratoVm", "web")), "HostCpuOffline", ErrorCategory.ResourceUnavailable, "web");
        Assert.Equal("Stopped", Run(new Step("Get-StratoVm", "web")).Single<Vm>().State);
    }

    [Fact]
    public void APinIsKeptForTheStartAndChangedWhileItRuns()
    {
        Run(Vm().With("Socket", 1).With("Core", 3));
        string own = AllowedOf("self");
        string all = AllOf();
        string first = own.Split(',', '-')[0];
        Assert.SkipWhen(all == first, "there is one CPU, to which every thread is pinned");
        Run(new Step("Set-StratoCpu", "web").With("Cpu", new[] { 1 }).With("Affinity", new[] { first }));
        Assert.Equal([(0, 0, null, null), (1, 1, first, null), (2, 2, null, null)], Cpus().Select(cpu => (cpu.Index, cpu.Core, cpu.Affinity, cpu.ThreadId)));
        Run(new Step("Start-StratoVm", "web"));
        Cpu[] cpus = Cpus();
        int process = Run(new Step("Get-StratoVm", "web")).Single<Vm>().ProcessId!.Value;
        Assert.Equal([own, first, own], cpus.Select(cpu => cpu.Affinity));
        Assert.Equal(3, cpus.Select(cpu => cpu.ThreadId).Distinct().Count());
        Assert.All(cpus, cpu => Assert.Equal(cpu.Affinity, AllowedOf($"{process}/task/{cpu.ThreadId}")));
        Assert.All(cpus, cpu => Assert.InRange(cpu.HostCpu ?? -1, 0, HostCpus.Most));

        Run(new Step("Set-StratoCpu", "web").Switch("Emulator").With("Affinity", new[] { first }));
        Assert.Equal(first, AllowedOf($"{process}"));
        Assert.Equal([own, first, own], Cpus().Select(cpu => cpu.Affinity));
        Run(new Step("Set-StratoCpu", "web").With("Affinity", new[] { "" }).Switch("WhatIf"));
        Error(new Step("Set-StratoCpu", "web").With("Cpu", new[] { 1 }).With("Affinity", new[] { "8191" }));
        Assert.Equal(first, Cpus()[1].Affinity);
        Vm vm = Run(new Step("Get-StratoVm", "web"), new Step("Set-StratoCpu").With("Affinity", new[] { "" }).Switch("PassThru")).Single<Vm>();
        Assert.Equal((all, all), (Cpus()[1].Affinity, AllowedOf($"{vm.ProcessId}")));
        Run(new Step("Set-StratoCpu", "web").With("Affinity", new[] { first }));
        Run(new Step("Stop-StratoVm", "web").Switch("TurnOff", "Force"));
        Assert.Equal([first, first, first], Cpus().Select(cpu => cpu.Affinity));
    }

    [Fact]
    public void APinFollowsAnIoThreadsId()
    {
        New();
        Run(new Step("Add-StratoIoThread", "fast").With("VMName", "web"));
        Run(new Step("Set-StratoCpu", "web").With("IoThread", new[] { "FAST" }).With("Affinity", new[] { AllowedOf("self") }));
        Run(new Step("Set-StratoIoThread", "fast").With("VMName", "web").With("NewId", "slow"));
        Assert.Equal("slow", Assert.Single(Store.Client.Get("web").Processor.Affinity).IoThread);
        Run(new Step("Remove-StratoIoThread", "slow").With("VMName", "web"));
        Assert.Empty(Store.Client.Get("web").Processor.Affinity);
    }

    [Theory]
    [InlineData("x", "InvalidAffinity", "'x' is not a host CPU, nor several; allowed: numbers from 0 on, ranges such as 0-3, and ^2 for one that is left out.")]
    [InlineData("3-1", "InvalidAffinity", "'3-1' is not a host CPU")]
    [InlineData("0,^0", "InvalidAffinity", "'0,^0' has no host CPU left.")]
    [InlineData("9999", "InvalidAffinity", "'9999' is not a host CPU")]
    [InlineData("0,8191", "HostCpuOffline", "Of the host's CPUs 0,8191, 8191 isn't there or is offline; online are ")]
    public void PinsThatCannotBeAreRefused(string affinity, string id, string message)
    {
        New();
        Step pin = new Step("Set-StratoCpu", "web").With("Affinity", new[] { affinity });
        for (int i = 0; i < 2; i++)
        {
            ErrorRecord error = Error(pin);
            Assert.Equal(id, error.FullyQualifiedErrorId.Split(',')[0]);
            Assert.StartsWith(message, error.Exception.Message, StringComparison.Ordinal);
            Assert.Empty(Store.Client.Get("web").Processor.Affinity);
            Run(new Step("Start-StratoVm", "web"));
        }
    }

    [Fact]
    public void ThreadsThatAreNotThereAreNamed()
    {
        New();
        AssertError(Error(new Step("Set-StratoCpu", "web").With("Cpu", new[] { 1 }).With("Affinity", new[] { "0" })), "CpuNotFound", ErrorCategory.ObjectNotFound, "web");
        AssertError(Error(new Step("Set-StratoCpu", "web").With("IoThread", new[] { "x" }).With("Affinity", new[] { "0" })), "IoThreadNotFound", ErrorCategory.ObjectNotFound, "web");
    }

    [Theory]
    [InlineData("0", "0")]
    [InlineData("0-3,^2", "0-1,3")]
    [InlineData("5,1-4,6,8", "1-6,8")]
    [InlineData(" 2 , 1", "1-2")]
    public void SetsOfHostCpusAreWrittenInRanges(string given, string written)
    {
        HostCpus cpus = HostCpus.Parse(given, "");
        Assert.Equal(written, cpus.ToString());
        Assert.Equal(written, HostCpus.FromMask(cpus.ToMask()).ToString());
    }

    private static string AllowedOf(string process) =>
        File.ReadLines($"/proc/{process}/status").First(line => line.StartsWith("Cpus_allowed_list:", StringComparison.Ordinal)).Split('\t')[1];

    /// <summary>All CPUs that a thread of this cgroup can have, which this process need not have been given.</summary>
    private static string AllOf()
    {
        byte[] mask = new byte[HostCpus.Most / 8];
        int outcome = -1;
        Thread asking = new(() =>
        {
            Array.Fill<byte>(mask, 0xFF);
            outcome = Math.Min(Libc.SetAffinity(0, mask), Libc.GetAffinity(0, mask));
        });
        asking.Start();
        asking.Join();
        Assert.Equal(0, outcome);
        return HostCpus.FromMask(mask).ToString();
    }

    private Cpu[] Cpus() => [.. Run(new Step("Get-StratoCpu", "web")).Of<Cpu>()];

    private static Step Vm() => new("New-StratoVm", "web", "vmlinuz");

    private static Step Give(Step step, string given)
    {
        foreach (string[] pair in given.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(part => part.Split('=')))
        {
            step = step.With(pair[0], pair[0] switch
            {
                "CpuModel" => pair[1],
                "CpuFeature" => new[] { pair[1] },
                _ => int.Parse(pair[1], null),
            });
        }

        return step;
    }

    private string Line() => string.Join(' ', EngineArguments.Build(Store.Client.Get("web"), "/run", "/log", "/console", new StartOptions()));

    private static (int?, int?, int?, int?, int?, string?) Said(ProcessorDefinition cpus) => (cpus.Maximum, cpus.Sockets, cpus.Dies, cpus.Cores, cpus.Threads, cpus.Model);
}
