using System;
using Strato.Engine.Chardev;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Machine;

/// <summary>Makes what <c>-serial</c> names.</summary>
internal static class SerialBackends
{
    /// <returns>Null when the machine has no serial port.</returns>
    /// <exception cref="Strato.Protocol.UserErrorException">A path can't be used.</exception>
    public static ICharBackend? Create(EventLoop loop, SerialConfiguration serial)
    {
        const string Where = "-serial";
        ICharBackend? backend = serial.Backend switch
        {
            SerialBackend.None => null,
            SerialBackend.Null => new NullBackend(),
            SerialBackend.Stdio => new StdioBackend(loop),
            SerialBackend.File => new FileBackend(loop, serial.Path!, Where),
            _ => throw new ArgumentOutOfRangeException(nameof(serial), serial.Backend, "no such backend"),
        };
        if (backend is not null)
        {
            Log.Info("serial", $"ttyS0 is {backend.Name}");
        }

        return backend;
    }
}
