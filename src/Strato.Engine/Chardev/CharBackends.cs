using System;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Chardev;

/// <summary>Makes the backend that a configuration asks for.</summary>
internal static class CharBackends
{
    /// <param name="loop">The main loop.</param>
    /// <param name="configuration">What the port is connected to.</param>
    /// <param name="port">What the port is called, for the log.</param>
    /// <param name="where">The option or field it came from, for errors.</param>
    /// <returns>The backend; null when there is no port.</returns>
    /// <exception cref="UserErrorException">A file, terminal or socket can't be opened.</exception>
    public static ICharBackend? Create(EventLoop loop, SerialConfiguration configuration, string port, string where)
    {
        ICharBackend? backend = configuration.Backend switch
        {
            SerialBackend.None => null,
            SerialBackend.Null => new NullBackend(),
            SerialBackend.Stdio => new StdioBackend(loop),
            SerialBackend.File => new FileBackend(loop, configuration.Path!, where),
            SerialBackend.Pty => new PtyBackend(loop, where),
            SerialBackend.Unix => new SocketBackend(loop, configuration.Path!, where),
            SerialBackend.Console => new ConsoleBackend(loop, configuration.Path, configuration.LogFile, where),
            _ => throw new ArgumentOutOfRangeException(nameof(configuration), configuration.Backend, "not a serial backend"),
        };
        if (backend is not null)
        {
            Log.Info("serial", $"{port} is {backend.Name}");
        }

        return backend;
    }
}
