using System;
using System.Globalization;
using System.Text;
using Strato.Engine.Machine;
using Strato.Protocol.Configuration;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp;

/// <summary>human-monitor-command: what people used to QEMU's monitor ask for first, in its words and with its line ends.</summary>
internal static class MonitorCommands
{
    private static readonly string[] Topics = ["balloon", "block", "cpus", "network", "status"];

    public static void Run(QmpCall call)
    {
        string line = call.Arguments.Require("command-line");
        string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (words is not ["info", string topic] || Array.IndexOf(Topics, topic) < 0)
        {
            throw new QmpException($"The command line '{ConfigurationLimits.Printable(line)}' is not one of this monitor's; allowed: info {string.Join(", info ", Topics)}");
        }

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
                    text.Append(CultureInfo.InvariantCulture, $"{(cpu.Index == 0 ? '*' : ' ')} CPU #{cpu.Index}: thread_id={cpu.ThreadId}\r\n");
                }

                break;
            case "network":
                Network(text, call.Machine);
                break;
            default:
                text.Append(CultureInfo.InvariantCulture, $"VM status: {StatusText(call.Machine.State)}\r\n");
                break;
        }

        call.Result.WriteStringValue(text.ToString());
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
