using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;
using Strato.Client;
using Strato.Client.Consoles;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Xunit;

namespace Strato.Tests.Unit.Client;

public sealed class WaitAndConsoleTests : IDisposable
{
    private readonly ClientFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    private StratoClient Client => _fixture.Client;

    [Fact]
    public void WaitingForAStateEndsWhenItComes()
    {
        VmDefinition vm = _fixture.Create();
        Assert.Equal(VmState.Stopped, Client.Wait(vm.Id, WaitTarget.Stopped, null, _fixture.Token).Vm.State);
        Concurrently(() => Client.Wait(vm.Id, WaitTarget.Running, null, _fixture.Token), () => Client.Start(vm.Id, null, _fixture.Token));
        Concurrently(() => Client.Wait(vm.Id, WaitTarget.Paused, null, _fixture.Token), () => Client.Suspend(vm.Id, _fixture.Token));
        Concurrently(() => Client.Wait(vm.Id, WaitTarget.Running, null, _fixture.Token), () => Client.Resume(vm.Id, _fixture.Token));
        Concurrently(() => Client.Wait(vm.Id, WaitTarget.Stopped, null, _fixture.Token), () => Client.Stop(vm.Id, null, _fixture.Token));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AVmThatAnotherShellStartsIsWaitedFor(bool enter)
    {
        string go = Path.Combine(_fixture.Root, "go");
        VmDefinition vm = _fixture.Create(commandLine: $"slow={go}");
        List<Task> work = [Task.Run(() => Client.Start(vm.Id, null, _fixture.Token), _fixture.Token)];
        ClientFixture.Until(() => File.Exists(Path.Combine(_fixture.Paths.RuntimeDirectory(vm.Id), "console.sock")), "the console's socket");
        WaitOptions options = new() { Match = new Regex("fake engine"), Timeout = TimeSpan.FromSeconds(60) };
        Action[] actions = enter
            ? [() => Client.EnterConsole(vm.Id, take: false, _fixture.Token).Dispose(), () => Client.Suspend(vm.Id, _fixture.Token)]
            :
            [
                () => Client.Wait(vm.Id, WaitTarget.Console, options, _fixture.Token),
                () => Client.SendConsole(vm.Id, "say x", new SendOptions { ExpectMatch = new Regex("x\n") }, _fixture.Token),
                () => Assert.Equal("fake engine", Client.OpenConsole(vm.Id, ConsoleStart.Beginning, _fixture.Token).ReadLine(_fixture.Token)),
                () => Client.InvokeQmp(vm.Id, "query-status", null, TimeSpan.FromSeconds(60), _fixture.Token),
            ];
        foreach (Action action in actions)
        {
            work.Add(Task.Factory.StartNew(action, _fixture.Token, TaskCreationOptions.LongRunning, TaskScheduler.Default));
        }

        // Longer than an engine that runs may be silent; who gives less time is told.
        await Assert.ThrowsAsync<TimeoutException>(() => Task.WhenAny(work).WaitAsync(QmpConnection.QuickLimit * 1.5, _fixture.Token));
        TimeSpan brief = TimeSpan.FromMilliseconds(50);
        foreach (Action action in (Action[])[
            () => Client.Wait(vm.Id, WaitTarget.Console, options with { Timeout = brief }),
            () => Client.SendConsole(vm.Id, "x", new SendOptions { Timeout = brief }),
            () => Client.InvokeQmp(vm.Id, "query-status", null, brief)])
        {
            Assert.Contains("was not ready within 0.05 seconds", ClientFixture.Fails("WaitTimeout", action).Message, StringComparison.Ordinal);
        }

        File.WriteAllText(go, "");
        await Task.WhenAll(work);
    }

    [Fact]
    public void AStartThatFailsEndsTheWaitForTheConsole()
    {
        VmDefinition vm = _fixture.Create(commandLine: "slow=/nowhere");
        string socket = Path.Combine(_fixture.Paths.RuntimeDirectory(vm.Id), "console.sock");
        Exception?[] errors = new Exception?[3];
        Thread[] shells = [.. ((Action[])[
            () => Client.Start(vm.Id, null, _fixture.Token),
            () => Client.Wait(vm.Id, WaitTarget.Console, new WaitOptions { Match = new Regex("x") }, _fixture.Token),
            () => Client.SendConsole(vm.Id, "x", null, _fixture.Token)]).Select((action, i) => new Thread(() => errors[i] = Record.Exception(action)))];
        shells[0].Start();
        ClientFixture.Until(() => File.Exists(socket), "the console's socket");
        shells[1].Start();
        shells[2].Start();
        ClientFixture.Until(() => shells[1..].All(shell => (shell.ThreadState & ThreadState.Unstarted) == 0), "both waits");
        ClientFixture.Signal(Client.Snapshot(vm.Id).ProcessId!.Value, Libc.SIGKILL);
        Array.ForEach(shells, shell => shell.Join());
        Assert.Equal("EngineFailed", Assert.IsType<StratoException>(errors[0]).Id);
        Assert.All(errors[1..], error => Assert.Equal("VmNotRunning", Assert.IsType<StratoException>(error).Id));
    }

    [Fact]
    public void WaitingFailsAtOnceWhenTheVmEnds()
    {
        VmInfo vm = _fixture.Start();
        StratoException? error = null;
        Thread waiter = new(() => error = Assert.Throws<StratoException>(() => Client.Wait(vm.Id, WaitTarget.Paused, null, _fixture.Token)));
        waiter.Start();

        // The engine's end of a connection bears the listener's path, too.
        ClientFixture.Until(() => Regex.Count(Procfs.ReadText("/proc/net/unix")!, Regex.Escape(vm.QmpPath)) >= 2, "the waiter's connection");
        ClientFixture.Signal(vm.ProcessId!.Value, Libc.SIGKILL);
        waiter.Join();
        Assert.Equal(("VmEnded", StratoErrorKind.Ended), (error!.Id, error.Kind));
    }

    [Fact]
    public void WaitingHasATimeLimitAndCanBeCancelled()
    {
        VmInfo vm = _fixture.Start();
        WaitOptions brief = new() { Timeout = TimeSpan.FromMilliseconds(50), Match = new Regex("never") };
        Assert.Contains("not Paused within 0.05 seconds", ClientFixture.Fails("WaitTimeout", () => Client.Wait(vm.Id, WaitTarget.Paused, brief)).Message, StringComparison.Ordinal);
        Assert.Contains("matched 'never' within 0.05 seconds. The last line is: fake engine", ClientFixture.Fails("WaitTimeout", () => Client.Wait(vm.Id, WaitTarget.Console, brief)).Message, StringComparison.Ordinal);
        ClientFixture.Fails("WaitTimeout", () => Client.Wait(vm.Id, WaitTarget.Stopped, brief));
        foreach (WaitTarget target in (WaitTarget[])[WaitTarget.Paused, WaitTarget.Stopped, WaitTarget.Console])
        {
            using CancellationTokenSource cancel = new(TimeSpan.FromMilliseconds(50));
            Assert.ThrowsAny<OperationCanceledException>(() => Client.Wait(vm.Id, target, new WaitOptions { Match = new Regex("never") }, cancel.Token));
        }

        VmDefinition other = _fixture.Create("other");
        ClientFixture.Fails("WaitTimeout", () => Client.Wait(other.Id, WaitTarget.Running, brief));
        ClientFixture.Fails("MatchMissing", () => Client.Wait(vm.Id, WaitTarget.Console));
        ClientFixture.Fails("VmNotRunning", () => Client.Wait(other.Id, WaitTarget.Console, brief));
    }

    [Fact]
    public void TheConsoleIsMatchedFromItsFirstByteOn()
    {
        VmInfo vm = _fixture.Start(commandLine: "print=\u001b[32mlogin\u001b[0m: Ü");
        ConsoleMatch match = Client.Wait(vm.Id, WaitTarget.Console, new WaitOptions { Match = new Regex("^(log)in: (.)$", RegexOptions.Multiline) }, _fixture.Token).ConsoleMatch!;
        Assert.Equal(("login: Ü", "login: Ü", "Ü"), (match.Text, match.Line, match.Match.Groups[2].Value));
        Concurrently(
            () => Client.Wait(vm.Id, WaitTarget.Console, new WaitOptions { Match = new Regex("answer=(\\d+)\n") }, _fixture.Token),
            () => Client.SendConsole(vm.Id, "say answer=42", null, _fixture.Token));
    }

    [Fact]
    public void AWaitAfterAResetDoesNotFindTheBootBefore()
    {
        VmInfo vm = _fixture.Start(commandLine: "print=login:");
        WaitOptions login = new() { Match = new Regex("login:(.*)\n"), Timeout = TimeSpan.FromMilliseconds(100) };
        Client.Wait(vm.Id, WaitTarget.Console, login, _fixture.Token);
        Client.Restart(vm.Id, RestartKind.Reset, null, _fixture.Token);
        ClientFixture.Fails("WaitTimeout", () => Client.Wait(vm.Id, WaitTarget.Console, login, _fixture.Token));
        Client.SendConsole(vm.Id, "say login: again", null, _fixture.Token);
        Assert.Equal(" again", Client.Wait(vm.Id, WaitTarget.Console, login with { Timeout = null }, _fixture.Token).ConsoleMatch!.Match.Groups[1].Value);

        // Who reads the console sees both boots.
        Assert.Equal(["fake engine", "login:"], Client.TailConsole(vm.Id).Take(2));
        using ConsoleReader all = Client.OpenConsole(vm.Id, ConsoleStart.Beginning);
        Assert.Equal("fake engine", all.ReadLine(_fixture.Token));
    }

    [Fact]
    public void WaitingForTheConsoleFailsAtOnceWhenTheVmEnds()
    {
        VmInfo vm = _fixture.Start(commandLine: "print=last words");
        StratoException? error = null;
        Thread waiter = new(() => error = Assert.Throws<StratoException>(() => Client.Wait(vm.Id, WaitTarget.Console, new WaitOptions { Match = new Regex("never") }, _fixture.Token)));
        waiter.Start();
        Client.SendConsole(vm.Id, "poweroff", null, _fixture.Token);
        waiter.Join();
        Assert.Equal("VmEnded", error!.Id);
        Assert.Contains("last line on its console is: poweroff", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AVmThatEndsFasterThanAnybodyCanWaitIsMatchedAllTheSame()
    {
        VmDefinition vm = _fixture.Create(commandLine: "short print=result=7");
        Client.Start(vm.Id, null, _fixture.Token);
        Client.Wait(vm.Id, WaitTarget.Stopped, null, _fixture.Token);
        Assert.Equal("7", Client.Wait(vm.Id, WaitTarget.Console, new WaitOptions { Match = new Regex("result=(\\d)") }, _fixture.Token).ConsoleMatch!.Match.Groups[1].Value);
        ClientFixture.Fails("VmEnded", () => Client.Wait(vm.Id, WaitTarget.Console, new WaitOptions { Match = new Regex("never") }, _fixture.Token));
        Assert.Null(Client.Snapshot(vm.Id).StateReason);
    }

    [Fact]
    public void ASendExpectsOnlyWhatFollowsIt()
    {
        VmInfo vm = _fixture.Start(commandLine: "print=ready");
        SendOptions ready = new() { ExpectMatch = new Regex("ready"), Timeout = TimeSpan.FromMilliseconds(100) };
        ClientFixture.Fails("WaitTimeout", () => Client.SendConsole(vm.Id, "x", ready, _fixture.Token));
        Assert.Equal("ready", Client.SendConsole(vm.Id, "say ready", ready with { Timeout = null }, _fixture.Token)!.Text);
        Assert.Null(Client.SendConsole(vm.Id, "say par", new SendOptions { NoNewline = true }, _fixture.Token));
        StratoException error = ClientFixture.Fails("VmEnded", () => Client.SendConsole(vm.Id, "poweroff", new SendOptions { ExpectMatch = new Regex("never") }, _fixture.Token));
        Assert.Contains("powered off", error.Message, StringComparison.Ordinal);
        ClientFixture.Fails("VmNotRunning", () => Client.SendConsole(vm.Id, "x"));
    }

    [Fact]
    public void OneWritesAndAnyNumberRead()
    {
        VmInfo vm = _fixture.Start();
        using ConsoleReader first = Client.OpenConsole(vm.Id, ConsoleStart.Beginning);
        using ConsoleReader now = Client.OpenConsole(vm.Id, ConsoleStart.Now);
        Assert.Equal(0, first.Offset);
        Assert.Equal("fake engine", first.ReadLine(_fixture.Token));
        using (ConsoleSession held = Client.EnterConsole(vm.Id))
        {
            StratoException error = ClientFixture.Fails("ConsoleBusy", () => Client.SendConsole(vm.Id, "x"));
            Assert.Contains("somebody else", error.Message, StringComparison.Ordinal);
            Client.SendConsole(vm.Id, "say hello", new SendOptions { Take = true, ExpectMatch = new Regex("hello\n") }, _fixture.Token);
        }

        foreach (ConsoleReader reader in (ConsoleReader[])[first, now])
        {
            Assert.Equal(("say hello", "hello"), (reader.ReadLine(_fixture.Token), reader.ReadLine(_fixture.Token)));
        }

        Client.Stop(vm.Id, null, _fixture.Token);
        Assert.Null(first.ReadLine(_fixture.Token));
        Assert.Equal(["say hello", "hello"], Client.TailConsole(vm.Id, 2));
        Assert.Equal(["fake engine", "say hello", "hello"], Client.TailConsole(vm.Id));
    }

    [Fact]
    public void ASessionCarriesKeysUntilTheEscapeKey()
    {
        VmInfo vm = _fixture.Start();
        (FileDescriptor keys, FileDescriptor keyboard) = Pipe();
        (FileDescriptor screen, FileDescriptor display) = Pipe();
        using (keys)
        using (keyboard)
        using (screen)
        using (display)
        {
            using EngineProcess process = new EngineRegistry(_fixture.Paths).TryOpen(vm.Id)!;
            using ConsoleSession session = new(
                ConsoleConnection.Open(process.Run.ConsoleSocket, "web", attach: true, ConsoleStart.Now, take: false, _fixture.Token), () => process.HasEnded, keys.Value, display.Value);
            ConsoleSessionEnd? end = null;
            Thread user = new(() => end = session.Run());
            user.Start();
            Libc.Write(keyboard.Value, "say seen\r"u8);
            string shown = "";
            byte[] buffer = new byte[100];
            while (!shown.Contains("\nseen\r\n", StringComparison.Ordinal))
            {
                shown += System.Text.Encoding.UTF8.GetString(buffer, 0, Libc.Read(screen.Value, buffer));
            }

            Assert.Equal("say seen\r\nseen\r\n", shown);
            Libc.Write(keyboard.Value, "say typed before leaving\r\u001dnever sent\r"u8);
            user.Join();
            Assert.Equal(ConsoleSessionEnd.Left, end);
        }

        ClientFixture.Until(() => string.Join('|', Client.TailConsole(vm.Id)).EndsWith("|typed before leaving", StringComparison.Ordinal), "what was typed before leaving");
    }

    [Theory]
    [InlineData("", 5, "")]
    [InlineData("a\nb\nc\n", 2, "b|c")]
    [InlineData("a\nb\nc", 2, "b|c")]
    [InlineData("a\r\n\r\nb\r", 2, "|b")]
    [InlineData("a\n", 0, "")]
    [InlineData("a", 9, "a")]
    public void TheTailHasThatManyLines(string content, int lines, string expected) =>
        Assert.Equal(expected, string.Join('|', TextTail.Read(_fixture.WriteFile("log", content), lines)));

    [Fact]
    public void TheTailOfALongFileIsFoundAcrossBlocks()
    {
        string path = _fixture.WriteFile("log", "");
        for (int i = 0; i < 20_000; i++)
        {
            File.AppendAllText(path, $"line {i}\n");
            i += i < 19_900 ? 99 : 0;
        }

        Assert.Equal(File.ReadAllLines(path)[^150..], TextTail.Read(path, 150));
        using FileStream file = File.OpenRead(path);
        Assert.Equal(File.ReadAllLines(path), TextTail.Read(file, null));
    }

    [Fact]
    public void ALineWithoutEndComesInPieces()
    {
        const int Long = TextTail.MaximumLine;
        string path = _fixture.WriteFile("log", "first\n" + new string('x', (2 * Long) + 5) + "\nlast\n");
        Assert.Equal(["first".Length, Long, Long, 5, "last".Length], TextTail.Read(path, 100).Select(line => line.Length));
        Assert.Equal(["last"], TextTail.Read(path, 1));
        Assert.All(TextTail.Read(path, 2), line => Assert.True(line.Length <= Long));
    }

    [Fact]
    public void ALogThatWasBegunAnewIsReadWithWhatWasBefore()
    {
        VmDefinition vm = _fixture.Create();
        string log = _fixture.Paths.ConsoleLog(vm.Id);

        // Of the boot before: no mark tells of it.
        File.WriteAllText(log + ".1", "of the boot before\n");
        File.WriteAllText(log, "one\n");
        Assert.Equal(["one"], Client.TailConsole(vm.Id));

        File.WriteAllText(log + ".1", "[strato: from byte 1000 on; what was before is in the file .1]\ntwo\nthr");
        File.WriteAllText(log, "[strato: from byte 1007 on; what was before is in the file .1]\nee\nfour\n");
        Assert.Equal(["[strato: from byte 1000 on; what was before is in the file .1]", "two", "three", "four"], Client.TailConsole(vm.Id));
        Assert.Equal(["three", "four"], Client.TailConsole(vm.Id, 2));
        using ConsoleLogStream stream = ConsoleLogStream.TryOpen(log)!;
        stream.Position = 1000 - stream.Start;
        Assert.Equal("two\nthree\nfour\n", new StreamReader(stream).ReadToEnd());

        File.WriteAllText(log, "[strato: from byte 1007 on; what was before has been dropped]\nee\n");
        Assert.Equal(["[strato: from byte 1007 on; what was before has been dropped]", "ee"], Client.TailConsole(vm.Id));
        File.Delete(log + ".1");
        File.WriteAllText(log, "[strato: from byte 1007 on; what was before is in the file .1]\nee\n");
        Assert.Equal(["ee"], Client.TailConsole(vm.Id, 1));
    }

    private void Concurrently(Action wait, Action action)
    {
        Exception? failure = null;
        Thread waiter = new(() => failure = Record.Exception(wait));
        waiter.Start();
        action();
        Assert.True(waiter.Join(TimeSpan.FromSeconds(30)), "still waiting");
        Assert.Null(failure);
    }

    private static unsafe (FileDescriptor Read, FileDescriptor Write) Pipe()
    {
        int* ends = stackalloc int[2];
        Assert.Equal(0, Libc.pipe2(ends, Libc.O_CLOEXEC));
        return (new FileDescriptor(ends[0]), new FileDescriptor(ends[1]));
    }
}
