using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Strato.Client;
using Strato.Tests.CmdletHost;
using Strato.Tests.Unit.Client;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Get-, Send- and Enter-StratoConsole.</summary>
[Collection(CmdletCollection.Name)]
public sealed class ConsoleTests : CmdletTests
{
    [Fact]
    public void SendTypesALineAndCanWaitForTheAnswer()
    {
        Start();
        Assert.Empty(Run(new Step("Send-StratoConsole", "say hello").With("VMName", "web").With("ExpectMatch", "^hello").With("Timeout", 20)).Output);
        Run(new Step("Get-StratoVm"), new Step("Send-StratoConsole", "say ").Switch("NoNewline"));
        Assert.Equal("web", Run(new Step("Send-StratoConsole", "more").With("VMName", "web").With("ExpectMatch", "^more").Switch("PassThru")).Single<Vm>().Name);
    }

    [Fact]
    public void SendLooksOnlyAtWhatFollows()
    {
        Start("web", "print=hello");
        ErrorRecord error = Error(new Step("Send-StratoConsole", "say x").With("VMName", "web").With("ExpectMatch", "hello").With("Timeout", 1));
        AssertError(error, "WaitTimeout", ErrorCategory.OperationTimeout, "web");
    }

    [Fact]
    public void SendNeedsARunningVm()
    {
        New();
        AssertError(Error(new Step("Send-StratoConsole", "x").With("VMName", "web")), "VmNotRunning", ErrorCategory.InvalidOperation, "web");
        Assert.Single(Run(new Step("Send-StratoConsole", "x").With("VMName", "web").Switch("WhatIf")).ShouldProcess);
    }

    [Fact]
    public void TheKeyboardHasOneUserUnlessTaken()
    {
        Start();
        using ConsoleSession session = Store.Client.EnterConsole(Store.Client.Get("web").Id, take: false, Store.Token);
        AssertError(Error(new Step("Send-StratoConsole", "say x").With("VMName", "web")), "ConsoleBusy", ErrorCategory.ResourceBusy, "web");
        AssertError(Error(new Step("Enter-StratoConsole", "web")), "ConsoleBusy", ErrorCategory.ResourceBusy, "web");
        Run(new Step("Send-StratoConsole", "say x").With("VMName", "web").With("ExpectMatch", "^x").Switch("Take"));
    }

    [Theory]
    [InlineData("leave", "Left the console of 'web'; it runs on.")]
    [InlineData("take", "Somebody else took the keyboard of 'web'.")]
    [InlineData("end", "'web' has ended.")]
    public void EnterJoinsTheTerminalToTheConsoleAndTellsHowThatEnded(string how, string last)
    {
        Start();
        using Process shell = Process.Start(FakeEngine.TerminalCommand("web"))!;
        Assert.Equal("Console of 'web'. Ctrl-] leaves.", shell.StandardOutput.ReadLine());
        shell.StandardInput.Write("say hello\n");
        shell.StandardInput.Flush();
        List<string?> lines = [];
        void ReadUntil(string text)
        {
            do
            {
                lines.Add(shell.StandardOutput.ReadLine());
            }
            while (lines[^1] is { } line && line != text);
        }

        ReadUntil("hello");
        switch (how)
        {
            case "leave":
                shell.StandardInput.Write("\u001d");
                shell.StandardInput.Flush();
                break;
            case "take":
                Run(new Step("Send-StratoConsole", "say x").With("VMName", "web").Switch("Take"));
                break;
            default:
                Run(new Step("Stop-StratoVm", "web").Switch("TurnOff"));
                break;
        }

        ReadUntil(last);
        Assert.Equal(last, lines[^1]);
        shell.WaitForExit();
        Assert.Equal(0, shell.ExitCode);
        Assert.Equal(how == "end" ? VmState.Stopped : VmState.Running, State("web"));
    }

    [Fact]
    public void GetEmitsLinesOfThisBootOrTheLast()
    {
        Start("web", "print=one");
        Run(new Step("Send-StratoConsole", "say two").With("VMName", "web").With("ExpectMatch", "^two"));
        string[] all = [.. Run(new Step("Get-StratoConsole", "web")).Of<string>()];
        Assert.Equal(["fake engine", "one", "say two", "two"], all);
        Assert.Equal(["two"], Run(new Step("Get-StratoVm"), new Step("Get-StratoConsole").With("Tail", 1)).Of<string>());
        Run(new Step("Stop-StratoVm", "web"));
        Assert.Equal(all, Run(new Step("Get-StratoConsole", "web")).Of<string>());
    }

    [Fact]
    public async Task FollowGoesOnUntilTheVmEnds()
    {
        Start("web", "print=one");
        int lines = 0;
        using ManualResetEventSlim following = new();
        Host.OnOutput = _ =>
        {
            lines++;
            following.Set();
        };
        Task<HostResult> follow = Task.Run(() => Host.Invoke(new Step("Get-StratoConsole", "web").Switch("Follow")), Store.Token);
        following.Wait(Store.Token);
        Store.Client.SendConsole(Store.Client.Get("web").Id, "say two\npoweroff", null, Store.Token);
        Assert.Equal(["fake engine", "one", "say two", "two", "poweroff"], (await follow).Of<string>());
        Assert.Equal(5, lines);
    }

    [Fact]
    public void RawIsAllAsItCame()
    {
        Vm vm = Start("web", "print=\u001b[1mone");
        byte[] log = File.ReadAllBytes(vm.ConsoleLogPath);
        string text = Encoding.UTF8.GetString(log);
        Assert.Contains("\u001b[1mone", text, StringComparison.Ordinal);
        Assert.Equal([text], Run(new Step("Get-StratoConsole", "web").Switch("Raw")).Of<string>());
        Assert.Equal(text[(text.IndexOf('\n', StringComparison.Ordinal) + 1)..], Run(new Step("Get-StratoConsole", "web").Switch("Raw").With("Tail", 1)).Single<string>());
        Assert.Equal(log, Run(new Step("Get-StratoConsole", "web").Switch("AsByteStream")).Single<byte[]>());
        Assert.Equal(log, Run(new Step("Get-StratoConsole", "web").Switch("AsByteStream").Switch("Raw")).Single<byte[]>());
        Run(new Step("Stop-StratoVm", "web"));

        // What isn't UTF-8 is in the bytes alone.
        File.WriteAllBytes(vm.ConsoleLogPath, [0xff, 0x0d, 0x0d, 0x0a]);
        Assert.Equal("\ufffd\r\r\n", Run(new Step("Get-StratoConsole", "web").Switch("Raw")).Single<string>());
        Assert.Equal([0xff, 0x0d, 0x0d, 0x0a], Run(new Step("Get-StratoConsole", "web").Switch("AsByteStream")).Single<byte[]>());
        Assert.Equal(["\ufffd"], Run(new Step("Get-StratoConsole", "web")).Of<string>());
        File.WriteAllBytes(vm.ConsoleLogPath, []);
        Assert.Empty(Run(new Step("Get-StratoConsole", "web").Switch("Raw")).Output);
    }

    [Theory]
    [InlineData("Raw")]
    [InlineData("AsByteStream")]
    public async Task RawGoesOnTooAndBeginsAtTheLastLines(string kind)
    {
        Vm vm = Start("web", "print=one");
        using ManualResetEventSlim following = new();
        Host.OnOutput = _ => following.Set();
        Task<HostResult> follow = Task.Run(() => Host.Invoke(new Step("Get-StratoConsole", "web").Switch("Follow", kind).With("Tail", 1)), Store.Token);
        following.Wait(Store.Token);
        Store.Client.SendConsole(Store.Client.Get("web").Id, "say two\npoweroff", null, Store.Token);
        List<object?> pieces = (await follow).Output;
        string all = kind == "Raw" ? string.Concat(pieces.Cast<string>()) : Encoding.UTF8.GetString([.. pieces.Cast<byte[]>().SelectMany(piece => piece)]);
        string log = await File.ReadAllTextAsync(vm.ConsoleLogPath, Store.Token);
        Assert.Equal(log[log.IndexOf("one", StringComparison.Ordinal)..], all);
        Assert.True(pieces.Count > 1);
    }

    [Fact]
    public void PreviousIsOfTheRunBefore()
    {
        Vm vm = Start("web", "print=one");
        Assert.Empty(Run(new Step("Get-StratoConsole", "web").Switch("Previous")).Output);
        Run(new Step("Stop-StratoVm", "web"));
        Run(new Step("Start-StratoVm", "web"));
        Run(new Step("Send-StratoConsole", "say two").With("VMName", "web").With("ExpectMatch", "^two"));
        Assert.Equal(["fake engine", "one"], Run(new Step("Get-StratoConsole", "web").Switch("Previous")).Of<string>());
        Assert.Equal(["one"], Run(new Step("Get-StratoConsole", "web").Switch("Previous").With("Tail", 1)).Of<string>());
        Assert.Equal(File.ReadAllText(vm.ConsoleLogPath + ".1"), Run(new Step("Get-StratoConsole", "web").Switch("Previous", "Raw")).Single<string>());
        Assert.StartsWith("ParametersConflict", Terminates(new Step("Get-StratoConsole", "web").Switch("Previous", "Follow")), StringComparison.Ordinal);

        // A run that printed so much that it needed the other file, too.
        Run(new Step("Stop-StratoVm", "web"));
        File.WriteAllText(vm.ConsoleLogPath, "[strato: from byte 1007 on; what was before is in the file .1]\nmore\n");
        Assert.Empty(Run(new Step("Get-StratoConsole", "web").Switch("Previous")).Output);
    }

    [Fact]
    public void FollowCanBeginAtTheLastLines()
    {
        Start("web", "print=one");
        Host.OnOutput = line => Host.Stop();
        HostResult result = Host.Invoke(new Step("Get-StratoConsole", "web").With("Tail", 1).Switch("Follow"));
        Assert.Equal("one", result.Output[0]);
        Assert.True(result.Stopped);
    }

    [Fact]
    public void ControlCEndsFollowing()
    {
        Start("web", "print=one");
        Host.OnOutput = _ => new Thread(Host.Stop).Start();
        HostResult result = Host.Invoke(new Step("Get-StratoConsole", "web").Switch("Follow"));
        Assert.True(result.Stopped);
        Assert.Equal("fake engine", result.Output.First());
    }
}
