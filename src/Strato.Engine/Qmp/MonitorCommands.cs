using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using Strato.Engine.Machine;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp;

/// <summary>human-monitor-command: what people used to QEMU's monitor ask for first, in its words and with its line ends.</summary>
internal static class MonitorCommands
{
    // In the order of the alphabet, as QEMU lists them; qmp-shell -H reads both lists for its completion.
    private static readonly (string Name, string Help)[] Topics =
    [
        ("balloon", "show balloon information"),
        ("block", "show the drives"),
        ("cpus", "show infos for each CPU"),
        ("network", "show the network state"),
        ("status", "show the current VM status (running|paused)"),
        ("version", "show the version of the engine"),
    ];

    public static void Run(QmpCall call)
    {
        string line = call.Arguments.Require("command-line");
        long cpuIndex = call.Arguments.Number("cpu-index") ?? 0;
        List<int> cpus = [];
        foreach (CpuStatus cpu in call.Machine.Cpus)
        {
            cpus.Add(cpu.Index);
        }

        if (cpuIndex is < 0 or > int.MaxValue || !cpus.Contains((int)cpuIndex))
        {
            throw new QmpException($"Parameter 'cpu-index' is {cpuIndex}; allowed are the machine's CPUs, {string.Join(", ", cpus)}");
        }

        string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        call.Result.WriteStringValue(words switch
        {
            ["help"] => "help|? [cmd] -- show the help\r\ninfo [subcommand] -- show various information about the system state\r\n",
            ["info"] or ["help", "info"] => string.Concat(Array.ConvertAll(Topics, topic => $"info {topic.Name} -- {topic.Help}\r\n")),
            ["info", string topic] when Array.Exists(Topics, known => known.Name == topic) => Info(call, topic, (int)cpuIndex),
            _ => throw new QmpException(
                $"The command line '{ConfigurationLimits.Printable(line)}' is not one of this monitor's; allowed: help, info {string.Join(", info ", Array.ConvertAll(Topics, topic => topic.Name))}"),
        });
    }

    private static string Info(QmpCall call, string topic, int cpuIndex)
    {
        StringBuilder text = new();
        switch (topic)
        {
            case "balloon":
                text.Append(CultureInfo.InvariantCulture, $"balloon: actual={BalloonCommands.Find(call).Actual >> 20}\r\n");
                break;
            case "block":
                Block(text, call.Machine);
                break;
            case "cpus":
                foreach (CpuStatus cpu in call.Machine.Cpus)
                {
                    text.Append(CultureInfo.InvariantCulture, $"{(cpu.Index == cpuIndex ? '*' : ' ')} CPU #{cpu.Index}: thread_id={cpu.ThreadId}\r\n");
                }

                break;
            case "network":
                Network(text, call.Machine);
                break;
            case "version":
                text.Append(StratoVersion.Package).Append("\r\n");
                break;
            default:
                text.Append(CultureInfo.InvariantCulture, $"VM status: {StatusText(call.Machine.State)}\r\n");
                break;
        }

        return text.ToString();
    }

    private static string StatusText(RunState state) => state switch
    {
        RunState.Running or RunState.Paused => QueryCommands.StateName(state),
        _ => $"paused ({QueryCommands.StateName(state)})",
    };

    private static void Block(StringBuilder text, IMachineControl machine)
    {
        foreach (DriveStatus drive in machine.HotPlug.Drives)
        {
            text.Append(drive.Id).Append(" (").Append(drive.Id).Append("): ").Append(drive.File).Append(drive.ReadOnly ? " (raw, read-only)" : " (raw)").Append("\r\n");
            text.Append(CultureInfo.InvariantCulture, $"    Size:             {ByteSize.Describe(drive.Length)}\r\n");
            text.Append(drive.Iops > 0 ? string.Create(CultureInfo.InvariantCulture, $"    I/O throttling:   iops={drive.Iops}\r\n") : "");
        }
    }

    private static void Network(StringBuilder text, IMachineControl machine)
    {
        foreach (NetStatus net in machine.HotPlug.Nets)
        {
            text.Append(CultureInfo.InvariantCulture, $"{net.Id}: index=0,type=nic,model=virtio-net-device,macaddr={net.Mac},link={(net.LinkUp ? "up" : "down")}\r\n");
            text.Append(" \\ ").Append(net.Netdev).Append(": index=0,type=").Append(NetdevNames.Kinds[(int)net.Kind]).Append("\r\n");
        }
    }
}
