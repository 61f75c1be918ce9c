using System;
using Strato.Engine.Machine;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp;

/// <summary>Commands that change what the machine does.</summary>
internal static class ControlCommands
{
    /// <summary>Optional here, as with StratoVirt: commands are served without it. No capability is offered, so none can be enabled.</summary>
    public static void Capabilities(QmpCall call)
    {
        if (call.Argument("enable") is [(byte)'[', ..] enable && enable[1..].TrimStart(" \t\r\n"u8)[0] != (byte)']')
        {
            throw new QmpException("Parameter 'enable' names a capability that is not offered; allowed: []");
        }
    }

    public static void Stop(QmpCall call) => call.Machine.Pause();

    public static void Continue(QmpCall call)
    {
        if (call.Machine.State is RunState.Shutdown or RunState.InternalError)
        {
            throw new QmpException(
                $"The machine is in state '{QueryCommands.StateName(call.Machine.State)}' and can't go on; system_reset and cont start it anew");
        }

        call.Machine.Resume();
    }

    public static void PowerDown(QmpCall call) => call.Machine.PowerDown();

    public static void Reset(QmpCall call) => call.Machine.Reset();

    /// <summary>The client gets its reply first, then SHUTDOWN, then the end of the stream.</summary>
    public static void Quit(QmpCall call)
    {
        IMachineControl machine = call.Machine;
        call.AfterReply = () => machine.Quit("host-qmp-quit");
    }
}
