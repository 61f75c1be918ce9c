using Strato.Protocol.Configuration;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp;

/// <summary>Commands that change network interfaces.</summary>
internal static class NetCommands
{
    /// <summary>QEMU's: the name is that of a device, or of a netdev.</summary>
    public static void SetLink(QmpCall call)
    {
        string name = call.Arguments.Require("name");
        if (!call.Machine.HotPlug.SetLink(name, call.Arguments.Boolean("up")!.Value))
        {
            string allowed = string.Join(", ", call.Machine.HotPlug.NetNames);
            throw new QmpException(
                QmpErrorClass.DeviceNotFound,
                $"Device '{ConfigurationLimits.Printable(name)}' not found; {(allowed.Length == 0 ? "the machine has no network interface" : "allowed: " + ConfigurationLimits.Printable(allowed))}");
        }
    }
}
