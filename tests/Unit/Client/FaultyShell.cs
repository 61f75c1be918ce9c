using System;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Text;
using System.Threading;
using Strato.Client;

namespace Strato.Tests.Unit.Client;

/// <summary>What happens to a step.</summary>
public enum Fault
{
    /// <summary>The process is killed instead of it.</summary>
    Kill,

    /// <summary>A step of a file fails: no room is left.</summary>
    NoRoom,
}

/// <summary>A shell of its own that runs commands of the client, of which one step can be made to fail. What it starts isn't touched.</summary>
internal sealed class FaultyShell : IDisposable
{
    internal const string Role = "faulty-shell";
    internal const string Killed = "killed";
    internal const string Good = "ok";
    private const int ENOSPC = 28;

    private readonly Process _process;
    private readonly string _root;
    private readonly int _listener;
    private readonly int _pid;
    private volatile int _target;
    private volatile int _steps;
    private Fault _fault;

    internal FaultyShell(ClientFixture fixture)
    {
        _root = fixture.Root;
        _process = Process.Start(new ProcessStartInfo(FakeEngine.Program, [fixture.Paths.StateRoot, fixture.Paths.RuntimeRoot, fixture.Engine])
        {
            Environment = { [FakeEngine.RoleVariable] = Role, ["DOTNET_EnableDiagnostics"] = "0" },
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        })!;
        _pid = _process.Id;
        _listener = CallTrap.Take(_pid, int.Parse(_process.StandardOutput.ReadLine()!, CultureInfo.InvariantCulture));
        if (Works)
        {
            new Thread(Supervise) { IsBackground = true, Name = "supervisor" }.Start();
        }
    }

    /// <summary>Steps of the last command, up to the one that failed.</summary>
    internal int Steps => _steps;

    /// <summary>Whether this host lets a process supervise another.</summary>
    internal bool Works => _listener >= 0;

    /// <summary>Runs a command.</summary>
    /// <param name="command">As <see cref="Play"/> knows it.</param>
    /// <param name="step">The step that fails, from 1; 0 for none.</param>
    /// <param name="fault">How.</param>
    /// <returns><c>ok</c>, <c>killed</c>, or the error's id.</returns>
    internal string Run(string command, int step = 0, Fault fault = Fault.Kill)
    {
        _steps = 0;
        _fault = fault;
        _target = step == 0 ? -1 : step;
        _process.StandardInput.WriteLine(command);
        _process.StandardInput.Flush();
        string? said = _process.StandardOutput.ReadLine();
        _target = 0;
        return said ?? Killed;
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    /// <summary>The other side: commands come on standard input.</summary>
    internal static int Play(string[] arguments)
    {
        StratoClient client = new(new StratoPaths(arguments[0], arguments[1]), arguments[2]);
        using BlockingCollection<string> commands = [];
        using BlockingCollection<string> answers = [];

        // The main thread stays free, to tell what becomes of the other.
        new Thread(() =>
        {
            answers.Add(CallTrap.Install().ToString(CultureInfo.InvariantCulture));
            foreach (string command in commands.GetConsumingEnumerable())
            {
                answers.Add(Do(client, command.Split('\t')));
            }
        })
        { IsBackground = true }.Start();
        Console.WriteLine(answers.Take());
        while (Console.ReadLine() is { } line)
        {
            commands.Add(line);
            Console.WriteLine(answers.Take());
        }

        return 0;
    }

    private static string Do(StratoClient client, string[] words)
    {
        try
        {
            switch (words[0])
            {
                case "new":
                    client.Create(new VmSettings { Name = words[1], Kernel = words[2], CommandLine = "quiet" });
                    break;
                case "start":
                    client.Start(client.Get(words[1]).Id);
                    break;
                case "stop":
                    client.Stop(client.Get(words[1]).Id, new StopOptions { TurnOff = true });
                    break;
                case "shutdown":
                    client.Stop(client.Get(words[1]).Id);
                    break;
                case "restart":
                    client.Restart(client.Get(words[1]).Id, RestartKind.Reboot);
                    break;
                case "remove":
                    client.Delete(client.Get(words[1]).Id);
                    break;
                case "rename":
                    client.Update(client.Get(words[1]).Id, new VmSettings { Name = words[2] });
                    break;
                case "copy":
                    client.Copy(client.Get(words[1]).Id, words[2], new CopyOptions { CopyDisk = true });
                    break;
                case "save":
                    client.SaveSnapshot(client.Get(words[1]).Id, new SnapshotSaveOptions { Name = words[2], IncludeDisk = true });
                    break;
                case "restore":
                    string id = client.Get(words[1]).Id;
                    client.RestoreSnapshot(id, client.ListSnapshots(id).Snapshots[0].Id);
                    break;
                case "disk":
                    StratoClient.CreateDisk(new DiskSettings { Path = words[1], Size = 4096 });
                    break;
                case "switch":
                    client.CreateSwitch(words[2] == "nat" ? new SwitchSettings { Name = words[1], Nat = true } : new SwitchSettings { Name = words[1], SwitchType = SwitchType.Private });
                    break;
                case "unswitch":
                    client.RemoveSwitch(words[1], force: true);
                    break;
                default:
                    return "unknown";
            }

            return Good;
        }
        catch (StratoException e)
        {
            return e.Id;
        }
        catch (Exception e)
        {
            return $"{e.GetType().Name}: {e.Message}".ReplaceLineEndings(" ");
        }
    }

    private void Supervise()
    {
        while (CallTrap.Next(_listener, out CallTrap.Notification call))
        {
            bool counts = _target != 0 && Directory.Exists($"/proc/{_pid}/task/{call.Pid}") && IsStep(call);
            if (counts && ++_steps == _target)
            {
                if (_fault == Fault.Kill)
                {
                    _process.Kill();
                    continue;
                }

                CallTrap.Answer(_listener, call.Id, ENOSPC);
                continue;
            }

            CallTrap.Answer(_listener, call.Id);
        }

        CallTrap.Close(_listener);
    }

    /// <summary>Not what the runtime does for itself; and for a lack of room only what needs some.</summary>
    private unsafe bool IsStep(CallTrap.Notification call) => call.Number switch
    {
        CallTrap.Openat => IsOurs(call.Pid, call.Arguments[1]),
        CallTrap.Mkdir or CallTrap.Rename or CallTrap.Link => IsOurs(call.Pid, call.Arguments[0]),
        CallTrap.Linkat => true,
        CallTrap.Write or CallTrap.Fsync or CallTrap.Ftruncate => (new FileInfo($"/proc/{call.Pid}/fd/{(int)call.Arguments[0]}").LinkTarget ?? "").StartsWith(_root, StringComparison.Ordinal),
        CallTrap.Unlink or CallTrap.Rmdir => _fault == Fault.Kill && IsOurs(call.Pid, call.Arguments[0]),
        CallTrap.Unlinkat => _fault == Fault.Kill && IsOurs(call.Pid, call.Arguments[1]),
        _ => _fault == Fault.Kill,
    };

    private bool IsOurs(int pid, ulong address)
    {
        try
        {
            using FileStream memory = new($"/proc/{pid}/mem", FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
            memory.Position = (long)address;
            Span<byte> text = stackalloc byte[256];
            int count = memory.Read(text);
            return Encoding.UTF8.GetString(text[..count]).StartsWith(_root, StringComparison.Ordinal);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It ended meanwhile.
            return false;
        }
    }
}
