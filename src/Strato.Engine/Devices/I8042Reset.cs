using System;
using Strato.Engine.Bus;

namespace Strato.Engine.Devices;

/// <summary>Of the 8042 keyboard controller only what resets a PC: the command 0xFE at its command port.</summary>
/// <remarks>
/// One port (0x64 on a PC). The status that it reads is an open bus's, 0xFF, but for bit 1, "input buffer full":
/// Linux's <c>reboot=k</c> polls that bit to be clear before each command (kb_wait, up to 0x10000 reads), and would take half a second
/// of exits over it. Bit 0, "output buffer full", stays set for ever, and the data port, which belongs to nobody,
/// reads 0xFF: Linux's i8042 driver, which asks the ports where ACPI didn't say that there is none, fails to empty the buffer after
/// 16 reads and concludes that there is no controller (i8042_flush). A status of 0 would make it send a command and wait
/// 500 ms for the answer.
/// </remarks>
internal sealed class I8042Reset(Action reset) : IBusDevice
{
    /// <summary>Ports it takes.</summary>
    public const int Length = 1;

    private const byte StatusInputBufferFull = 0x02;
    private const byte Status = 0xFF & ~StatusInputBufferFull;
    private const byte CommandPulseReset = 0xFE;

    public void Read(ulong offset, Span<byte> data) => data.Fill(Status);

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        if (data[0] == CommandPulseReset)
        {
            reset();
        }
    }
}
