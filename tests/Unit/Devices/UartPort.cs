using System;
using System.Collections.Generic;
using Strato.Engine.Bus;
using Strato.Engine.Chardev;
using Strato.Engine.Devices;

namespace Strato.Tests.Unit.Devices;

/// <summary>A UART with the names that Linux's serial_reg.h gives its registers, and the two things it is wired to.</summary>
internal sealed class UartPort : ICharBackend, IInterruptLine
{
    public const int RX = 0, TX = 0, DLL = 0, IER = 1, DLM = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7;

    public const byte RDI = 1, THRI = 2, RLSI = 4, MSI = 8;
    public const byte OUT2 = 8, LOOP = 0x10;

    private readonly byte[] _one = new byte[1];
    private ICharFrontend _frontend = null!;

    public UartPort()
    {
        Device = new Serial16550(this, this);
    }

    public Serial16550 Device { get; }

    public List<byte> Sent { get; } = [];

    public int Edges { get; set; }

    public int Resumes { get; set; }

    /// <summary>Whether output is served by a loop, which looks after it twice at least, or is gone at once.</summary>
    public bool ServesLater { get; init; } = true;

    /// <summary>Looks that are sure to come.</summary>
    public int LooksDue { get; private set; }

    public Action? Edge { get; set; }

    public string Name => "test";

    public byte this[int register]
    {
        get
        {
            Device.Read((ulong)register, _one);
            return _one[0];
        }

        set
        {
            _one[0] = value;
            Device.Write((ulong)register, _one);
        }
    }

    public void Trigger()
    {
        Edges++;
        Edge?.Invoke();
    }

    /// <summary>Edges since the last call.</summary>
    public int TakeEdges()
    {
        int edges = Edges;
        Edges = 0;
        return edges;
    }

    public int Room => _frontend.Room;

    public void Input(params byte[] data) => _frontend.Receive(data);

    public void Connect(ICharFrontend frontend) => _frontend = frontend;

    public bool Transmit(ReadOnlySpan<byte> data)
    {
        Sent.AddRange(data);
        LooksDue = ServesLater ? 2 : 0;
        return ServesLater;
    }

    /// <summary>A look of the main loop after the output, when one is still to come.</summary>
    public bool Look()
    {
        if (LooksDue == 0)
        {
            return false;
        }

        LooksDue--;
        _frontend.OutputServed();
        return true;
    }

    public void ResumeInput() => Resumes++;

    public void Flush(TimeSpan limit)
    {
    }

    public void Dispose()
    {
    }
}
