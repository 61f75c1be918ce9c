using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Threading;
using Microsoft.Win32.SafeHandles;
using Strato.Client;
using Strato.Tests.CmdletHost;

namespace Strato.Tests.Unit.Client;

/// <summary>
/// Stands in for strato-engine: a process of its own that takes the same options, speaks on the readiness pipe, and serves QMP and the
/// console. It is this test program, started again with STRATO_TEST_ROLE set.
/// </summary>
/// <remarks>
/// The kernel command line says how it behaves: <c>fail</c> reports KernelNotFound, <c>crash</c> ends with code 3 without a word,
/// <c>mute</c> never becomes ready, <c>slow=FILE</c> binds its console, and is busy
/// (serves nothing, isn't ready) until FILE is there, <c>deaf</c> ignores system_powerdown and balloon and refuses block_set_io_throttle and set_link, <c>full</c> refuses device_add, <c>blind</c> has a guest that looks at no device, <c>broken</c> one whose driver looks at nothing any more,
/// <c>late=FILE</c> answers device_add when FILE is there, <c>cling</c> has a guest that gives up no CPU, <c>other=</c> one that answers for others before, <c>reset</c> one that resets instead, <c>spoil=FILE</c> puts a folder in FILE's place at device_add and device_del,
/// <c>alien</c> is of another version: it says what nobody knows, and lacks commands that all have,
/// <c>old=</c> knows no query-stats, <c>dump=full</c> fails to dump and <c>dump=slow</c> never ends it, with <c>dump=other</c> another's ends just before, <c>print=TEXT</c> prints TEXT at start, <c>short</c> powers off
/// right after that; <c>save=full</c> fails to save, <c>save=slow</c> never ends it, <c>save=never</c> refuses it, <c>save=die</c> ends in it. What is typed is echoed; a typed line <c>poweroff</c> ends it, <c>say TEXT</c> prints TEXT.
/// </remarks>
internal sealed partial class FakeEngine
{
    internal const string RoleVariable = "STRATO_TEST_ROLE";
    private const string Starter = "starter";
    private const string StarterWithoutPidfds = "starter-without-pidfds";
    private const string Terminal = "terminal";
    private const string Taken = "taken";
    internal static readonly string Program = Path.Combine(AppContext.BaseDirectory, "Strato.Tests.Unit");
    private readonly Lock _guard = new();
    private readonly List<Socket> _clients = [];
    private readonly List<Socket> _readers = [];
    private readonly MemoryStream _console = new();
    private readonly ManualResetEventSlim _ended = new();
    private readonly Dictionary<string, string> _options = new(StringComparer.Ordinal);
    private string _status = "running";
    private long _actual;
    private long _samples;
    private Socket? _writer;
    private long _boot;
    private int[]? _cpuThreads;
    private readonly SortedDictionary<int, (string Id, int Thread)> _plugged = [];
    private readonly string?[] _disks = new string?[6];
    private readonly string?[] _nets = new string?[2];
    private string? _dumpEnd;

    /// <summary>A script that runs this program in the role of the engine.</summary>
    internal static string WriteScript(string folder) =>
        TestProgram.Write(Path.Combine(folder, "strato-engine"), $"#!/bin/sh\n{RoleVariable}=engine exec '{Program}' \"$@\"\n");

    /// <summary>Shell words that run this program as a shell that starts one VM and ends.</summary>
    internal static string StarterCommand(StratoPaths paths, string engine, string id, bool withoutPidfds = false) =>
        $"{RoleVariable}={(withoutPidfds ? StarterWithoutPidfds : Starter)} '{Program}' '{paths.StateRoot}' '{paths.RuntimeRoot}' '{engine}' {id}";

    /// <summary>This program as a shell that runs Enter-StratoConsole in the cmdlet test host, on its standard input and output.</summary>
    internal static ProcessStartInfo TerminalCommand(string vm) => new(Program, [vm])
    {
        Environment = { [RoleVariable] = Terminal },
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        UseShellExecute = false,
    };

    /// <summary>Plays the role that the environment asks for; null if it asks for none.</summary>
    internal static int? TryPlay(string[] arguments)
    {
        switch (Environment.GetEnvironmentVariable(RoleVariable))
        {
            case "engine":
                return new FakeEngine().Run(arguments);
            case FaultyShell.Role:
                Environment.SetEnvironmentVariable(RoleVariable, null);
                return FaultyShell.Play(arguments);
            case Starter:
                return Start(arguments);
            case StarterWithoutPidfds:
                DeniedCall.Fail(DeniedCall.SYS_pidfd_open, DeniedCall.EMFILE);
                return Start(arguments);
            case Terminal:
                Environment.SetEnvironmentVariable(RoleVariable, null);
                HostResult result = new TestHost { OnScreen = Console.WriteLine }.Invoke(new Step("Enter-StratoConsole", arguments[0]));
                return result.Errors.Count;
            default:
                return null;
        }
    }

    private static int Start(string[] arguments)
    {
        Environment.SetEnvironmentVariable(RoleVariable, null);
        try
        {
            VmInfo vm = new StratoClient(new StratoPaths(arguments[0], arguments[1]), arguments[2]).Start(arguments[3]);
            Console.WriteLine($"{vm.State} {vm.ProcessId}");
            return 0;
        }
        catch (StratoException e)
        {
            Console.WriteLine($"{e.Id}: {e.Message}");
            return 1;
        }
    }

    private int Run(string[] arguments)
    {
        _arguments = arguments;
        for (int i = 0; i + 1 < arguments.Length; i++)
        {
            _options.TryAdd(arguments[i], arguments[i + 1]);
        }

        for (int i = 0; i + 1 < arguments.Length; i++)
        {
            if (arguments[i] == "-device" && arguments[i + 1].StartsWith("virtio-", StringComparison.Ordinal))
            {
                Fill(arguments[i + 1], Between(arguments[i + 1], "id=", ","));
            }
        }

        string append = _options["-append"];
        _actual = long.Parse(_options["-m"], CultureInfo.InvariantCulture);
        using FileStream ready = new(new SafeFileHandle(3, ownsHandle: true), FileAccess.Write);
        if (append.Contains("fail", StringComparison.Ordinal))
        {
            ready.Write("{\"id\":\"KernelNotFound\",\"message\":\"The kernel is not there.\",\"where\":\"-kernel\"}\n"u8);
            return 1;
        }

        if (_options.ContainsKey("-incoming") && append.Contains("picky", StringComparison.Ordinal))
        {
            ready.Write("{\"id\":\"SnapshotMismatch\",\"message\":\"The snapshot's guest uses features of its processor that this host lacks: avx512f.\",\"where\":\"-incoming\"}\n"u8);
            return 1;
        }

        if (Array.IndexOf(arguments, "-dry-run") >= 0)
        {
            ready.Write("ok\n"u8);
            return 0;
        }

        if (append.Contains("crash", StringComparison.Ordinal))
        {
            File.AppendAllText(_options["-D"], "the guest fell over\n");
            return 3;
        }

        if (append.Contains("mute", StringComparison.Ordinal))
        {
            // Never ready, and never ended but by a signal: that is the part it plays.
            Thread.Sleep(Timeout.Infinite);
        }

        if (Array.IndexOf(arguments, "-S") >= 0)
        {
            _status = "prelaunch";
        }

        // In the engine's order: the console is bound before the machine is built, and nothing is served until all is there.
        string qmp = _options["-qmp"]["unix:".Length..].Split(',')[0];
        string socket = Between(_options["-serial"], "socket=", ",");
        Socket console = Bind(socket);
        int slow = append.IndexOf("slow=", StringComparison.Ordinal);
        if (slow >= 0)
        {
            SpinWait.SpinUntil(() => File.Exists(append[(slow + 5)..]));
        }

        Socket monitor = Bind(qmp);
        Serve(console, ServeConsole);
        Serve(monitor, ServeQmp);
        Print("fake engine\r\n");
        PrintIncoming();
        int print = append.IndexOf("print=", StringComparison.Ordinal);
        if (print >= 0)
        {
            Print(append[(print + 6)..] + "\r\n");
        }

        try
        {
            ready.Write("ok\n"u8);
            ready.Dispose();
        }
        catch (IOException)
        {
            // Nobody reads it any more.
        }

        if (!append.Contains("short", StringComparison.Ordinal))
        {
            _ended.Wait();
        }

        File.Delete(qmp);
        File.Delete(socket);
        return 0;
    }

    /// <summary>The kernel's ids of as many threads as the machine has CPUs; they wait for the end.</summary>
    private int[] CpuThreads()
    {
        lock (_guard)
        {
            return _cpuThreads ??= Array.ConvertAll(new int[int.Parse(_options["-smp"].Split(',')[0], CultureInfo.InvariantCulture)], _ => NewThread());
        }
    }

    private int NewThread(Action<string>? begins = null)
    {
        using BlockingCollection<int> id = [];
        Background(() =>
        {
            begins?.Invoke(File.ReadLines("/proc/thread-self/status").First(line => line.StartsWith("Cpus_allowed_list:", StringComparison.Ordinal)).Split('\t')[1]);

            // PID/task/TID
            id.Add(int.Parse(Path.GetFileName(new FileInfo("/proc/thread-self").LinkTarget!), CultureInfo.InvariantCulture));
            _ended.Wait();
        });
        return id.Take();
    }

    /// <summary>A guest that takes CPUs at once and gives them up; a blind one says nothing, and one that clings keeps them.</summary>
    private void PlugCpu(string id, int cpu)
    {
        string pins = "";
        _plugged.Add(cpu, (id, NewThread(begins => pins = begins)));
        Print($"cpu {cpu} begins on {pins}\r\n");
        Event("CPU_RESIZE", "{}");
        if (Word("other=") is not null)
        {
            // Others' answers: of another CPU, and to what wasn't asked.
            Answer(id, cpu + 1, 1, 0x80);
            Answer(id, cpu, 3, 0x80);
            Answer("other", cpu, 1, 0x80);
        }

        if (_options["-append"].Contains("reset", StringComparison.Ordinal))
        {
            Event("RESET", "{\"guest\":true,\"reason\":\"guest-reset\"}");
        }

        Answer(id, cpu, 1, 0);
    }

    private void UnplugCpu(string id)
    {
        int cpu = _plugged.First(pair => pair.Value.Id == id).Key;
        bool clings = _options["-append"].Contains("cling", StringComparison.Ordinal);
        if (!clings)
        {
            Answer(id, cpu, 3, 0);
            _plugged.Remove(cpu);
            Event("DEVICE_DELETED", $"{{\"device\":\"{id}\",\"path\":\"{id}\"}}");
        }
        else
        {
            Answer(id, cpu, 3, 0x82);
        }
    }

    private void Answer(string id, int slot, int source, int status)
    {
        if (!_options["-append"].Contains("blind", StringComparison.Ordinal))
        {
            Event("ACPI_DEVICE_OST", $"{{\"info\":{{\"device\":\"{id}\",\"slot\":\"{slot}\",\"slot-type\":\"CPU\",\"source\":{source},\"status\":{status}}}}}");
        }
    }

    /// <summary>Puts a device into the first slot of its kind that is empty.</summary>
    private void Fill(string driver, string id)
    {
        string?[] slots = driver.StartsWith("virtio-blk", StringComparison.Ordinal) ? _disks : _nets;
        int free = driver.StartsWith("virtio-blk", StringComparison.Ordinal) || driver.StartsWith("virtio-net", StringComparison.Ordinal) ? Array.IndexOf(slots, null) : -1;
        if (free >= 0)
        {
            slots[free] = id;
        }
    }

    private string Slot(string driver, int index, string? id)
    {
        // A blind guest looks at nothing.
        string append = _options["-append"];
        string seen = append.Contains("blind", StringComparison.Ordinal) || append.Contains("broken", StringComparison.Ordinal) ? "false" : "true";
        string broken = append.Contains("broken", StringComparison.Ordinal) ? "true" : "false";
        string device = id is null ? "" : $"\"device\":\"{id}\",\"node-name\":\"{id}\",";
        return $"{{\"addr\":\"0x{index}\",{device}\"driver\":\"{driver}\",\"needs-reset\":{broken},\"seen\":{seen}}}";
    }

    private void Await(string name)
    {
        if (Word(name) is { } path)
        {
            SpinWait.SpinUntil(() => File.Exists(path));
        }
    }

    private static string Between(string text, string before, string after)
    {
        int start = text.IndexOf(before, StringComparison.Ordinal) + before.Length;
        int end = text.IndexOf(after, start, StringComparison.Ordinal);
        return end < 0 ? text[start..] : text[start..end];
    }

    private static Socket Bind(string path)
    {
        Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen(16);
        return listener;
    }

    private static void Serve(Socket listener, Action<Socket> serve) => Background(() =>
    {
        while (true)
        {
            Socket client = listener.Accept();
            Background(() => serve(client));
        }
    });

    private static void Background(Action work) => new Thread(() =>
    {
        try
        {
            work();
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            // The other side is gone.
        }
    })
    { IsBackground = true }.Start();

    private void ServeQmp(Socket client)
    {
        using NetworkStream stream = new(client, ownsSocket: true);
        stream.Write(_options["-append"].Contains("alien", StringComparison.Ordinal)
            ? "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":0,\"minor\":0,\"major\":11},\"package\":\"strato-9.8.7\",\"more\":[1]},\"capabilities\":[\"oob\"],\"more\":{}}}\r\n"u8
            : "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":1,\"minor\":0,\"major\":5},\"package\":\"fake\"},\"capabilities\":[]}}\r\n"u8);
        lock (_guard)
        {
            _clients.Add(client);
        }

        using FileReceiver files = new(client);
        using StreamReader reader = new(files);
        while (reader.ReadLine() is { } line)
        {
            using JsonDocument command = JsonDocument.Parse(line);
            string id = command.RootElement.GetProperty("id").GetRawText();
            string name = command.RootElement.GetProperty("execute").GetString()!;
            string? answer = ExecuteSnapshot(name, command.RootElement, files) ?? Execute(name, command.RootElement);
            lock (_guard)
            {
                Send(client, answer == Busy ? $"{{\"error\":{{\"class\":\"GenericError\",\"desc\":\"A snapshot is being saved.\"}},\"id\":{id}}}\r\n" : answer == Unsaveable ? $"{{\"error\":{{\"class\":\"GenericError\",\"desc\":\"The machine can't be saved: the device 'fs0' is served by another program.\"}},\"id\":{id}}}\r\n" : answer == Taken ? $"{{\"error\":{{\"class\":\"GenericError\",\"desc\":\"The id is that of another device; ids are unique.\"}},\"id\":{id}}}\r\n"
                    : answer is null
                    ? $"{{\"error\":{{\"class\":\"CommandNotFound\",\"desc\":\"The command {name} has not been found\"}},\"id\":{id}}}\r\n"
                    : $"{{\"return\":{answer},\"id\":{id}}}\r\n");
            }

            if (Interlocked.Exchange(ref _dumpEnd, null) is { } end)
            {
                Event("DUMP_COMPLETED", end);
            }

            if (answer is not null && (name == "quit" || (name == "system_powerdown" && !_options["-append"].Contains("deaf", StringComparison.Ordinal))))
            {
                Event("SHUTDOWN", "{\"guest\":true,\"reason\":\"guest-shutdown\"}");
                _ended.Set();
            }
        }

        EndConnection(files);
    }

    private string? Execute(string name, JsonElement command)
    {
        switch (name)
        {
            case "quit" or "query-balloon" or "qom-get" when _options["-append"].Contains("alien", StringComparison.Ordinal):
                return null;
            case "query-status" when _options["-append"].Contains("alien", StringComparison.Ordinal):
                return $"{{\"running\":{(_status == "running" ? "true" : "false")},\"status\":\"{_status}\",\"singlestep\":false,\"more\":[]}}";
            case "query-status":
                return $"{{\"running\":{(_status == "running" ? "true" : "false")},\"status\":\"{_status}\"}}";
            case "stop":
                _status = "paused";
                Event("STOP", "{}");
                return "{}";
            case "cont":
                _status = "running";
                Event("RESUME", "{}");
                return "{}";
            case "system_reset":
                lock (_guard)
                {
                    _boot = _console.Length;
                }

                Event("RESET", "{\"guest\":false,\"reason\":\"host-qmp-system-reset\"}");
                return "{}";
            case "balloon":
                // The guest follows in two steps, unless it is deaf.
                long target = command.GetProperty("arguments").GetProperty("value").GetInt64();
                foreach (long step in _options["-append"].Contains("deaf", StringComparison.Ordinal) ? [] : (long[])[(_actual + target) / 2, target])
                {
                    _actual = step;
                    Event("BALLOON_CHANGED", $"{{\"actual\":{step}}}");
                }

                return "{}";
            case "block_set_io_throttle" or "set_link" when !_options["-append"].Contains("deaf", StringComparison.Ordinal):
                Print($"{command.GetProperty("arguments").GetRawText()}\r\n");
                return "{}";
            case "device_add" when _options["-append"].Contains("full", StringComparison.Ordinal):
                return null;
            case "device_add" when _disks.Contains(command.GetProperty("arguments").GetProperty("id").GetString()):
                return Taken;
            case "blockdev-add" or "blockdev-del" or "netdev_add" or "netdev_del" or "device_add" or "device_del":
                JsonElement device = command.GetProperty("arguments");
                Print($"{name} {device.GetRawText()}\r\n");
                string id = name.StartsWith("device", StringComparison.Ordinal) ? device.GetProperty("id").GetString()! : "";
                if (device.TryGetProperty("cpu-id", out JsonElement cpuId))
                {
                    PlugCpu(id, cpuId.GetInt32());
                }
                else if (_plugged.Values.Any(cpu => cpu.Id == id))
                {
                    UnplugCpu(id);
                }
                else if (name == "device_add")
                {
                    Fill(device.GetProperty("driver").GetString()!, id);
                    Await("late=");
                }
                else if (name == "device_del")
                {
                    foreach (string?[] slots in new[] { _disks, _nets })
                    {
                        Array.Fill(slots, null, Math.Max(Array.IndexOf(slots, id), 0), slots.Contains(id) ? 1 : 0);
                    }
                }

                if (id.Length > 0 && Word("spoil=") is { } spoilt)
                {
                    File.Delete(spoilt);
                    Directory.CreateDirectory(Path.Combine(spoilt, "in-the-way"));
                }

                return "{}";
            case "query-hotplug-slots":
                return $"[{string.Join(',', [.. _disks.Select((id, i) => Slot("virtio-blk-mmio", i, id)), .. _nets.Select((id, i) => Slot("virtio-net-mmio", i, id))])}]";
            case "query-chardev":
                return "[{\"label\":\"serial0\",\"filename\":\"console\",\"frontend-open\":true},{\"label\":\"hvc0\",\"filename\":\"pty:/dev/pts/77\",\"frontend-open\":true}]";
            case "query-cpus":
                IEnumerable<string> first = CpuThreads().Select((thread, cpu) => $"{{\"CPU\":{cpu},\"qom_path\":\"/machine/unattached/device[{cpu}]\",\"thread_id\":{thread}}}");
                return $"[{string.Join(',', first.Concat(_plugged.Select(cpu => $"{{\"CPU\":{cpu.Key},\"qom_path\":\"/machine/peripheral/{cpu.Value.Id}\",\"thread_id\":{cpu.Value.Thread}}}")))}]";
            case "query-hotpluggable-cpus":
                string smp = _options["-smp"] + ",";
                string most = smp.Contains("maxcpus=", StringComparison.Ordinal) ? Between(smp, "maxcpus=", ",") : smp.Split(',')[0];
                return $"[{string.Join(',', Enumerable.Repeat("{}", int.Parse(most, CultureInfo.InvariantCulture)))}]";
            case "query-iothreads" when !_options.ContainsKey("-iothread"):
                return "[]";
            case "query-iothreads":
                return $"[{{\"id\":\"{Between(_options["-iothread"], "id=", ",")}\",\"thread-id\":4711}}]";
            case "x-query-registers":
                return "[{\"CPU\":0,\"rip\":\"0xffffffff81000000\",\"cr0\":\"0x80050033\",\"efer\":\"0xd01\",\"cs\":{\"selector\":16,\"base\":\"0x0\",\"limit\":4294967295,\"flags\":10525440}},{\"CPU\":1,\"cs\":{\"selector\":51}}]";
            case "inject-nmi" or "getfd" or "x-cancel-dump":
                Print($"{name}\r\n");
                return "{}";
            case "dump-guest-memory":
                Print($"{command.GetProperty("arguments").GetRawText()}\r\n");
                string how = Word("dump=") ?? "";
                if (how.StartsWith("other", StringComparison.Ordinal))
                {
                    Event("DUMP_COMPLETED", "{\"error\":\"of another\",\"result\":{}}");
                }

                _dumpEnd = how.StartsWith("slow", StringComparison.Ordinal) ? null : $"{{{(how.StartsWith("full", StringComparison.Ordinal) ? "\"error\":\"No space left on device\"," : "")}\"result\":{{}}}}";
                return "{}";
            case "query-dump":
                Print($"{name}\r\n");
                return "{\"status\":\"active\",\"completed\":1048576,\"total\":4194304}";
            case "query-blockstats":
                // Each sample one more: 1 MiB read by 10 requests of 2 ms.
                _samples++;
                return $"[{{\"device\":\"root\",\"stats\":{{\"rd_bytes\":{_samples << 20},\"rd_operations\":{_samples * 10},\"rd_total_time_ns\":{_samples * 20_000_000L}}}}}]";
            case "query-netstats":
                return $"[{{\"name\":\"net0\",\"netdev\":\"n\",\"stats\":{{\"rx-bytes\":{_samples * 1000},\"rx-packets\":{_samples},\"tx-bytes\":0,\"tx-packets\":0}}}},{{\"name\":\"net1\",\"ifname\":\"no-such-tap\",\"netdev\":\"m\"}}]";
            case "query-stats" when Word("old=") is null:
                return $"[{{\"provider\":\"kvm\",\"stats\":[{{\"name\":\"exits\",\"value\":{_samples * 500}}}]}}]";
            case "qom-get":
                return $"{{\"last-update\":1,\"stats\":{{\"stat-total-memory\":300,\"stat-available-memory\":100}}}}";
            case "query-balloon":
                return $"{{\"actual\":{_actual}}}";
            case "qmp_capabilities" or "quit" or "system_powerdown":
                return "{}";
            default:
                return null;
        }
    }

    private void Event(string name, string data)
    {
        lock (_guard)
        {
            foreach (Socket client in _clients)
            {
                Send(client, $"{{\"event\":\"{name}\",\"data\":{data},\"timestamp\":{{\"seconds\":1583908726,\"microseconds\":162739}}}}\r\n");
            }
        }
    }

    private static void Send(Socket client, string text)
    {
        try
        {
            client.Send(Encoding.UTF8.GetBytes(text));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It left.
        }
    }

    private void ServeConsole(Socket client)
    {
        using NetworkStream stream = new(client, ownsSocket: true);
        StringBuilder header = new();
        for (int c = stream.ReadByte(); c is not ('\n' or -1); c = stream.ReadByte())
        {
            header.Append((char)c);
        }

        string request = header.ToString();
        bool attach = request.Contains("attach", StringComparison.Ordinal);
        lock (_guard)
        {
            if (attach && _writer is not null)
            {
                if (!request.Contains("\"take\":true", StringComparison.Ordinal))
                {
                    Send(client, "{\"id\":\"ConsoleBusy\",\"error\":\"somebody else is attached\"}\n");
                    return;
                }

                _writer.Shutdown(SocketShutdown.Both);
            }

            _writer = attach ? client : _writer;
            long offset = request.Contains("start", StringComparison.Ordinal) ? 0
                : request.Contains("boot", StringComparison.Ordinal) ? _boot
                : _console.Length;
            Send(client, $"{{\"offset\":{offset},\"dropped\":0,\"writer\":{(attach ? "true" : "false")}}}\n");
            client.Send(_console.GetBuffer().AsSpan((int)offset, (int)(_console.Length - offset)));
            _readers.Add(client);
        }

        StringBuilder line = new();
        for (int c = stream.ReadByte(); c >= 0; c = stream.ReadByte())
        {
            if (c is not ('\n' or '\r'))
            {
                line.Append((char)c);
                continue;
            }

            Print(line + "\r\n");
            Obey(line.ToString());
            line.Clear();
        }

        lock (_guard)
        {
            _writer = _writer == client ? null : _writer;
        }

        // As the protocol has it: what was typed stays typed, and the reader may read on.
        _ended.Wait();
    }

    private void Obey(string line)
    {
        if (line == "poweroff")
        {
            _ended.Set();
        }
        else if (line.StartsWith("say ", StringComparison.Ordinal))
        {
            Print(line[4..] + "\r\n");
        }
    }

    private void Print(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        lock (_guard)
        {
            _console.Write(bytes);
            using (FileStream log = new(Between(_options["-serial"], "log=", ","), FileMode.Append))
            {
                log.Write(bytes);
            }

            foreach (Socket reader in _readers)
            {
                Send(reader, text);
            }
        }
    }
}
