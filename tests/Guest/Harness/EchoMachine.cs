using System;

namespace Strato.Tests.Guest.Harness;

/// <summary>An engine with a payload that sends back what its serial port gets: any KVM runs it.</summary>
internal sealed class EchoMachine : IDisposable
{
    private EchoMachine(string[] more)
    {
        string socket = TestHost.NewPath("qmp");
        Engine = EngineProcess.Start(["-force", "-kernel", Kernel, "-serial", "stdio", "-qmp", $"unix:{socket},server,nowait", .. more]);
        Qmp = QmpConnection.Open(socket, Engine);
    }

    public static string Kernel { get; } = Payload.Make(PayloadEnd.Echo, "begin\n");

    public EngineProcess Engine { get; }

    public QmpConnection Qmp { get; }

    public static EchoMachine Start(params string[] more) => new(more);

    /// <summary>Waits until one that boots has begun.</summary>
    public void WaitBegin() => Engine.Output.WaitFor("begin\n", 0, DebianGuest.Limit);

    /// <summary>Sends bytes and waits until they come back, one by one, for the payload has no room for two.</summary>
    public void Echo(string text)
    {
        foreach (char letter in text)
        {
            int from = Engine.Output.Length;
            Engine.Input.WriteByte((byte)letter);
            Engine.Input.Flush();
            Engine.Output.WaitFor(letter.ToString(), from, DebianGuest.Limit);
        }
    }

    public void PowerOff()
    {
        Engine.Input.WriteByte((byte)'q');
        Engine.Input.Flush();
        Engine.WaitExit(0, DebianGuest.Limit);
    }

    public void Dispose()
    {
        Qmp.Dispose();
        Engine.Dispose();
    }
}
