using System.Collections.Generic;
using Strato.Engine.Machine;
using Strato.Protocol.Configuration;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp;

/// <summary>Commands that change disks.</summary>
internal static class BlockCommands
{
    private static readonly string[] NotBuilt = ["iops_rd", "iops_wr", "bps", "bps_rd", "bps_wr"];

    /// <summary>QEMU's: it asks for all six limits, of which only <c>iops</c> is built; the others have to be 0, or left out.</summary>
    public static void SetThrottle(QmpCall call)
    {
        QmpObject arguments = call.Arguments;
        foreach (string name in NotBuilt)
        {
            if (arguments.Number(name) is not (null or 0))
            {
                throw new QmpException($"Parameter '{name}' is not built; allowed: 0. The limit is 'iops', reads and writes together");
            }
        }

        string id = arguments.Text("id") ?? arguments.Text("device") ?? throw new QmpException("Parameter 'id' is missing");
        long iops = arguments.Number("iops")!.Value;
        if (iops is < 0 or > DriveConfiguration.MaxIops)
        {
            throw new QmpException($"Parameter 'iops' is {iops}; allowed: 0 (no limit) to {DriveConfiguration.MaxIops}");
        }

        if (!call.Machine.HotPlug.SetDriveIops(id, (int)iops))
        {
            List<string> ids = [];
            foreach (DriveStatus drive in call.Machine.HotPlug.Drives)
            {
                ids.Add(ConfigurationLimits.Printable(drive.Id));
            }

            throw new QmpException(
                QmpErrorClass.DeviceNotFound,
                $"Device '{ConfigurationLimits.Printable(id)}' not found; {(ids.Count == 0 ? "the machine has no drive" : "allowed: " + string.Join(", ", ids))}");
        }
    }
}
